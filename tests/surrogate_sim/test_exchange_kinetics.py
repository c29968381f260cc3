import numpy as np
import pytest

from surrogate_sim import exchange_kinetics as kinetics
from surrogate_sim.parameters import twin_parameters

OWN = twin_parameters("anion_exchange").own
FREE = {"adsorption_constant": 0.0, "exchange_diffusivity": 1e12}


def own(**changed):
    return twin_parameters("anion_exchange").replacing(**changed).own


def test_events_have_the_mean_and_variance_of_a_sum_of_exponentials():
    # Were they anything else, the chance within a crystal would be wrong (specification 4).
    edges = np.full(4000, 9.5)
    drawn = kinetics.event_times(edges, 10.0, OWN, np.random.default_rng(1))
    mean = kinetics.event_times(edges[:1], 10.0, OWN)[0]
    waits = np.diff(mean)
    for i in (200, 600, 900):
        deviation = np.sqrt((waits[:i] ** 2).sum())
        assert drawn[:, i].mean() == pytest.approx(mean[i], abs=4.0 * deviation / np.sqrt(4000))
        assert drawn[:, i].std() == pytest.approx(deviation, rel=0.06)


def test_without_cooperativity_early_events_are_a_gamma_variate():
    # CV = 1 / sqrt(n) for n equal waits; depletion is one per cent over the first ten of 1000.
    table = own(cooperativity=0.0, **FREE)
    times = kinetics.event_times(np.full(20000, 9.5), 10.0, table, np.random.default_rng(2))
    tenth = times[:, 10]
    assert tenth.std() / tenth.mean() == pytest.approx(1.0 / np.sqrt(10.0), rel=0.03)


def test_mean_events_converge_to_the_mean_field_at_first_order():
    exact = kinetics.mean_field_time(9.5, 10.0, 0.8, OWN)
    errors = []
    for n in (250, 500, 1000):
        times = kinetics.event_times(np.array([9.5]), 10.0, own(events=n))[0]
        errors.append(abs(times[round(0.8 * n)] - exact))
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert order == pytest.approx([1.0, 1.0], abs=0.1)


def between(edge, concentration, table):
    """Time from half to 0.8 of the shell [s]."""
    late, early = (kinetics.mean_field_time(edge, concentration, y, table) for y in (0.8, 0.5))
    return late - early


@pytest.mark.parametrize("edge", [5.1, 13.1])
def test_without_adsorption_and_diffusion_times_go_as_one_over_concentration(edge):
    # Specification 3.4: the bare cooperative model has exponent 1 at every size.
    slow, fast = (between(edge, c, own(**FREE)) for c in (5.0, 50.0))
    assert slow / fast == pytest.approx(10.0, rel=1e-9)


def test_adsorption_weakens_every_size_and_diffusion_the_large_ones():
    def exponent(edge):
        return np.log10(between(edge, 5.0, OWN) / between(edge, 50.0, OWN))

    assert 0.8 < exponent(5.1) < 0.95
    assert exponent(13.1) < exponent(5.1) - 0.05


def test_cooperativity_shortens_the_switch_and_diffusion_bounds_it():
    times = [between(13.1, 50.0, own(cooperativity=d)) for d in (0.0, 1.0, 2.0, 6.0)]
    assert np.all(np.diff(times) < 0.0)
    floor = kinetics.rates(np.array([13.1]), 50.0, OWN).diffusion[0] * np.log(0.5 / 0.2)
    assert times[-1] == pytest.approx(floor, rel=0.05)


def test_a_crystal_thinner_than_two_shells_has_no_core():
    found = kinetics.rates(np.array([5.1, 13.1]), 5.0, OWN)
    assert found.core[0] == 0.0
    assert 0.1 < found.core[1] < 0.4


def test_core_relaxes_exponentially_to_a_standing_shell():
    times = np.linspace(0.0, 900.0, 31)
    core = kinetics.core_composition(times, np.full((1, 31), 0.7), np.array([300.0]))
    assert core[0] == pytest.approx(0.7 * -np.expm1(-times / 300.0), abs=1e-12)


def test_front_delays_the_reaction_by_its_dead_time_and_part_of_its_ramp():
    times = np.array([0.0, 20.0, 30.0, 130.0])
    worth = kinetics.operational_time(times, 20.0, 4.0, 10.0, own(adsorption_constant=0.0))
    assert worth[:2] == pytest.approx([0.0, 0.0], abs=0.02)
    assert worth[2:] == pytest.approx([8.0, 108.0], abs=0.02)


@pytest.mark.parametrize(("edge", "concentration"), [(0.0, 5.0), (5.0, -1.0)])
def test_impossible_crystals_are_refused(edge, concentration):
    with pytest.raises(ValueError, match="positive edges"):
        kinetics.rates(np.array([edge]), concentration, OWN)
