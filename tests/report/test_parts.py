"""The numbers behind the figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents import Categorical, Condition, Continuous, Objective
from orchestrator import events as ev
from orchestrator.campaign import best_trial
from orchestrator.ledger import StoredSpectrum
from orchestrator.report import _words as words
from orchestrator.report._calibration import (
    Predictions,
    binomial_quantile,
    predictions_of,
)
from orchestrator.report._convergence import fences
from orchestrator.report._frames import Frames, read_frames, scale_of_time, thinned
from orchestrator.report._header import state_text
from orchestrator.report._marks import origin
from orchestrator.report._parallel import place, runs, shade_of
from orchestrator.report._record import Record, read_record
from orchestrator.report._spectra import read_light, window
from orchestrator.report._timeline import elapsed
from orchestrator.report._tradeoff import front_of, pair_front, pairs_of, scale
from tests.report import stories

AXIS_OF_TWO = np.array([400.0, 600.0])


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    with stories.open_ledger(tmp_path_factory.mktemp("full")) as ledger:
        yield read_record(ledger, stories.full(ledger))


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (511.882, 0.104, "511.88 ± 0.10"),
        (0.7518, 0.0318, "0.752 ± 0.032"),
        (210034.0, 2100.4, "210\u202f000 ± 2100"),
        (-3.14159, 0.5, "−3.14 ± 0.50"),
        (98.7, 12.0, "99 ± 12"),
        (476.0, None, "476"),
        (476.123456, 0.0, "476.1"),
        (1.5e-12, 2e-13, "1.500 × 10^−12 ± 2.0 × 10^−13"),
    ],
)
def test_values_are_rounded_where_their_error_begins(
    value: float, error: float | None, text: str
) -> None:
    assert words.measured(value, error) == text


def test_small_words() -> None:
    assert words.number(0.0) == "0"
    assert words.number(1095.4) == "1095"
    assert words.number(123456.0) == "123\u202f456"
    assert words.percent(0.99999) == ">\u00a099.9\u00a0%"
    assert words.percent(1.0) == "100\u00a0%"
    assert words.percent(0.0) == "0\u00a0%"
    assert words.axis_label("emission_fwhm", "nm") == "Emission FWHM [nm]"
    assert words.quantity(25.0, "degC") == "25\u00a0°C"
    assert words.numbers([1, 2, 3]) == "1, 2 and 3"
    bounds = Objective("plqy", "maximise", min=0.7)
    assert words.objective_text(bounds) == "as large as possible, at least 0.7"
    assert words.table(("<a>",), [("&",)]).count("&lt;a&gt;") == 1


def test_intervals_of_a_true_model_hold_their_share() -> None:
    rng = np.random.default_rng(5)
    sd, se, count = 2.0, 1.5, 4000
    mean = rng.uniform(400.0, 600.0, count)
    value = mean + rng.normal(0.0, math.hypot(sd, se), count)
    honest = Predictions(
        "x", tuple(range(count)), mean, np.full(count, sd), value, np.full(count, se)
    )
    for level in (0.5, 0.8, 0.95):
        assert honest.coverage(level) == pytest.approx(level, abs=4.0 * math.sqrt(0.25 / count))
    sure = replace(honest, sd=honest.sd / 10.0, se=honest.se / 10.0)
    assert sure.coverage(0.95) < 0.3


def test_binomial_band_against_direct_sums() -> None:
    chances = np.array([0.1, 0.5, 0.95])
    for quantile in (0.05, 0.95):
        for chance, found in zip(chances, binomial_quantile(quantile, 7, chances), strict=True):
            mass = [math.comb(7, k) * chance**k * (1 - chance) ** (7 - k) for k in range(8)]
            assert found == next(k for k in range(8) if sum(mass[: k + 1]) >= quantile)


def test_predictions_leave_out_trials_without_value_or_model(full: Record) -> None:
    found = predictions_of(full)
    assert [p.name for p in found] == ["peak_emission", "plqy", "emission_fwhm"]
    assert found[0].trials == (3, 5, 6, 7, 8, 9)  # 1, 2 by design; 4 failed; 10 rejected
    assert found[0].mean - found[0].value == pytest.approx(np.full(6, 0.6))


def test_best_so_far_is_the_best_of_each_beginning(full: Record) -> None:
    leaders = full.best_so_far()
    for count in range(1, len(full.done) + 1):
        expected = best_trial(full.done[:count], full.objectives, full.campaign.confidence)
        assert leaders[full.done[count - 1].trial] == expected
    assert full.ranked(3)[0] == full.best == 8


def test_front_of_a_pair_against_all_comparisons() -> None:
    rng = np.random.default_rng(2)
    points = [(n, float(a), float(b)) for n, (a, b) in enumerate(rng.integers(0, 12, (60, 2)))]
    front = {
        (a, b)
        for _, a, b in points
        if not any(x <= a and y <= b and (x, y) != (a, b) for _, x, y in points)
    }
    assert {points[n][1:] for n in pair_front(points)} == front


def test_pareto_panel_shows_the_campaigns_front(full: Record) -> None:
    ((first, second),) = pairs_of(full)
    assert (first.centre, second.centre) == (512.0, None)
    assert (first.sign, second.sign) == (1.0, -1.0)
    assert sorted(front_of(full, first, second)) == sorted(full.front) == [1, 2, 3, 5, 6, 7, 8]
    assert scale(Objective("x", "constraint", min=2.0)).sign == -1.0


def test_log_axes_conditions_and_levels() -> None:
    lead = Continuous("lead", 1.0, 100.0, log=True)
    salt = Categorical("salt", ("none", "a", "b"))
    dose = Continuous("dose", 0.0, 4.0, when=Condition("salt", ("a",)))
    last = Continuous("last", 0.0, 1.0)
    assert place(lead, {"lead": 10.0}) == pytest.approx(0.5)
    assert place(salt, {"salt": "a"}) == 0.5
    assert place(dose, {"salt": "none"}) is None
    broken = runs((lead, salt, dose, last), {"lead": 1.0, "salt": "none", "last": 1.0})
    assert broken == [[(0.0, 0.0), (1.0, 0.0)], [(3.0, 1.0)]]


def test_colour_is_distance_from_the_target(full: Record) -> None:
    shade = shade_of(full)
    assert shade is not None
    assert shade.values[9] == pytest.approx(abs(498.0 + 1.6 * 9 - 512.0))
    assert 4 not in shade.values


def test_only_a_fitting_dark_is_subtracted(full: Record) -> None:
    light = read_light(full, 8)
    assert light is not None and light.emission is not None
    assert light.dark_taken
    assert abs(float(np.median(light.emission[1]))) < 20.0
    stored = list(full.spectra(8))
    other = [
        replace(s, settings={"integration_time": 9.0}) if s.name == "dark" else s for s in stored
    ]
    kept = read_light(replace(full, spectra=lambda _: other), 8)
    assert kept is not None and kept.emission is not None
    assert not kept.dark_taken
    assert float(np.median(kept.emission[1])) == pytest.approx(400.0, abs=20.0)
    low, high = window([light], full.objectives[:1])
    assert low < 498.0 < 513.5 < high
    assert read_light(full, 4) is None


def test_origins_states_and_time(full: Record) -> None:
    assert [origin(t) for t in full.trials[:3]] == ["initial design"] * 2 + ["model-based"]
    assert state_text(full) == "Finished: the target was reached (trial 9 meets all)."
    since, unit = elapsed(full)
    assert unit == "min"
    assert since[-1] == pytest.approx(2.0 * (len(full.events) - 1) / 60.0)


def test_a_far_trial_is_fenced_off() -> None:
    low, high = fences([1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 50.0])
    assert low < 0.9 and 1.1 < high < 50.0
    assert fences([1.0, 50.0]) == (-np.inf, np.inf)


def test_a_paused_campaign_says_why(tmp_path: Path) -> None:
    with stories.open_ledger(tmp_path) as ledger:
        story = stories.Writer(ledger, stories.created([stories.TARGET]))
        story.add(ev.CampaignStarted(), ev.CampaignPaused(reason="a person asked"))
        assert state_text(read_record(ledger, story.id)) == "Paused (a person asked)."


class OneTrial:
    """A record of which only the spectra of one trial are asked for."""

    def __init__(self, stored: list[StoredSpectrum]) -> None:
        self.stored = stored

    def spectra(self, _: int) -> list[StoredSpectrum]:
        return self.stored

    def trial(self, _: int) -> None:
        return None


def film(name: str, values: np.ndarray, **settings: float) -> StoredSpectrum:
    axis = np.linspace(400.0, 650.0, values.shape[-1])
    settings = {"frame_start": 2.0, "frame_interval": 0.5, "integration_time": 0.4} | settings
    return StoredSpectrum(1, 1, name, axis, values, "nm", "counts", settings)


def test_frames_join_late_ones_less_their_dark_and_without_overflow() -> None:
    light = np.full((3, 20), 50.0, np.float32)
    light[1, 4] = -1.0
    stored = [
        film("pl", light, overflow_mark=-1.0),
        film("pl_late", light[:2] + 10.0, frame_start=10.0, frame_interval=4.0),
        film("dark", np.full((2, 20), 7.0, np.float32)),
        film("saxs", light[0]),  # one pattern alone is no film
    ]
    (found,) = read_frames(OneTrial(stored), 1)  # type: ignore[arg-type]
    assert found.name == "pl" and found.dark_taken and not found.is_image
    assert found.times.tolist() == [2.0, 2.5, 3.0, 10.0, 14.0]
    assert np.isnan(found.values[1, 4]) and found.values[0, 0] == 43.0
    assert found.values[3, 0] == 53.0
    # a dark of another integration time says nothing of these frames
    stored[2] = film("dark", np.full((2, 20), 7.0, np.float32), integration_time=1.0)
    (kept,) = read_frames(OneTrial(stored), 1)  # type: ignore[arg-type]
    assert not kept.dark_taken and kept.values[0, 0] == 50.0


def test_few_frames_are_drawn_early_ones_first_and_the_last_always() -> None:
    times = 0.5 * np.arange(1, 2001)
    frames = Frames(None, "pl", AXIS_OF_TWO, np.ones((2000, 2)), times, "nm", "counts", False)  # type: ignore[arg-type]
    drawn = frames.drawn()
    assert drawn == sorted(set(drawn)) and drawn[0] == 0 and drawn[-1] == 1999
    assert 5 <= len(drawn) <= 8
    assert sum(times[i] < 0.5 * times[-1] for i in drawn) > len(drawn) / 2


def test_thinning_keeps_the_mean_and_the_limit() -> None:
    values = np.arange(1000.0)[:, None] * np.ones((1, 3))
    means, times = thinned(values, np.arange(1000.0), 400)
    assert len(means) == len(times) <= 400
    assert means.mean() == pytest.approx(values[: 3 * len(means)].mean())
    assert means[0, 0] == times[0] == 1.0


def test_an_image_ends_where_the_light_has_faded() -> None:
    values = np.zeros((1000, 5))
    values[100:200] = 10.0
    frames = Frames(
        None, "trajectories", np.arange(5.0), values, np.arange(1000.0), "um", "", False
    )  # type: ignore[arg-type]
    assert frames.is_image and 200 <= frames.bright_until() <= 250


@pytest.mark.parametrize(
    ("longest", "scale"),
    [(100.0, (1.0, "s")), (200.0, (60.0, "min")), (43200.0, (3600.0, "h"))],
)
def test_times_are_shown_in_a_unit_that_suits(longest: float, scale: tuple[float, str]) -> None:
    assert scale_of_time([1.0, longest]) == scale


def test_durations_in_words() -> None:
    assert words.duration(0.15) == "0.15\u00a0s"
    assert words.duration(308.0) == "5.1\u00a0min"
    assert words.duration(43508.0) == "12\u00a0h"
