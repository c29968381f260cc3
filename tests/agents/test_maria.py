"""MARIA samples around its target: near the wavelength, where it may be, and driven within it."""

from agents import Continuous, Objective, Observation, PastTrial, Space
from agents.maria import MariaAgent

SPACE = Space((Continuous("bromide", 0.0, 1.0), Continuous("caesium", 0.0, 1.0)))
TARGET = Objective("peak", "target", value=600.0, tolerance=2.0, unit="nm")


def campaign(objectives: tuple[Objective, ...], trials: int) -> list[PastTrial]:
    """Return a campaign on a smooth made-up law of emission and brightness."""
    agent = MariaAgent(initial=6)
    history: list[PastTrial] = []
    for number in range(1, trials + 1):
        (proposal,) = agent.propose(SPACE, objectives, history, 1, number)
        x, y = float(proposal.recipe["bromide"]), float(proposal.recipe["caesium"])
        seen = {
            "peak": Observation(680.0 - 140.0 * x + 15.0 * y * y, 0.2),
            "brightness": Observation(0.3 + 0.5 * y, 0.01),
        }
        history.append(PastTrial(number, "completed", proposal.recipe, {}, seen))
    return history


def test_after_its_design_it_samples_near_the_target():
    late = campaign((TARGET,), 16)[8:]
    misses = sorted(abs(t.observables["peak"].value - 600.0) for t in late)
    assert misses[len(misses) // 2] < 5.0  # of a range of 155 nm


def test_samples_around_the_target_spread_along_it():
    late = campaign((TARGET,), 16)[8:]
    along = [float(t.recipe["caesium"]) for t in late]
    assert max(along) - min(along) > 0.5  # it learns the line, not one point of it


def test_a_driven_observable_is_driven_on_target():
    late = campaign((TARGET, Objective("brightness", "maximise")), 16)[10:]
    assert max(t.observables["brightness"].value for t in late) > 0.75


def test_the_published_start_is_the_default():
    assert MariaAgent().configuration["initial"] == 16
