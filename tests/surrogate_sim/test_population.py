"""The population balance against solutions that are known: nothing here is fitted to a paper."""

from dataclasses import replace

import numpy as np
import pytest

from surrogate_sim.population import (
    Grid,
    PopulationError,
    Rates,
    Source,
    Stock,
    geometric_grid,
    solve,
    uniform_grid,
)

SPHERE, UNIT = np.pi / 6.0, 0.1983


def bell(grid: Grid, mean: float, deviation: float, total: float = 1.0) -> np.ndarray:
    """Gaussian of `total` particles, exact in each bin."""
    from scipy.special import erf

    at = erf((grid.edges - mean) / (deviation * np.sqrt(2.0)))
    return total * 0.5 * np.diff(at)


def units(course):
    return course.bound + course.monomer + course.agglomerate + course.precursor


PLENTY = 1e6  # mM: growth takes a millionth of it, so the velocity is constant
STEADY = Rates(growth=1.0 / PLENTY, solubility=1e-9)
FULL = Rates(
    growth=1.0, solubility=0.012, capillary=5.5, surface_length=50.0, coalescence=0.15,
    nucleus=4.34, conversion=1.5, release=0.3, agglomerate_solubility=0.1, precursor=30.0,
    coalescence_size=6.5, coalescence_width=0.3,
)  # fmt: skip


def test_formula_units_are_conserved_through_every_process_at_once():
    grid = geometric_grid(1.2, 16.0, 90, SPHERE, UNIT)
    stock = Stock(np.zeros(90), precursor=1.2)
    made = solve(grid, FULL, stock, np.array([0.0, 0.5, 3.0, 30.0, 300.0]))
    assert units(made) == pytest.approx(1.2, rel=1e-6)
    assert made.bound[-1] > 1.0


def test_nuclei_of_chance_numbers_of_agglomerates_spread_but_keep_their_mean_volume():
    """A spread that moved the mean would change how much solid each nucleation event takes."""
    grid = geometric_grid(1.2, 16.0, 200, SPHERE, UNIT)
    sharp = FULL.nuclei(grid)
    assert np.count_nonzero(sharp) == 2
    mean = float(sharp @ grid.volume)
    for spread in (0.3, 0.6):
        share = replace(FULL, conversion_spread=spread).nuclei(grid)
        assert share.sum() == pytest.approx(1.0)
        assert share @ grid.volume == pytest.approx(mean, rel=0.01)
        deviation = np.sqrt(share @ (grid.volume - mean) ** 2)
        assert deviation / mean == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_what_agglomerates_lose_to_nuclei_the_crystals_win(spread):
    grid = geometric_grid(1.2, 16.0, 90, SPHERE, UNIT)
    rates = Rates(nucleus=4.34, conversion=1.5, conversion_spread=spread)
    made = solve(grid, rates, Stock(np.zeros(90), agglomerate=1.2), np.array([0.0, 2.0]))
    assert units(made) == pytest.approx(1.2, rel=1e-6)
    assert made.agglomerate[-1] < 1.1


def test_a_burst_from_monomer_conserves_formula_units_and_the_feed_adds_what_it_feeds():
    grid = geometric_grid(0.8, 14.0, 80, SPHERE, UNIT)
    rates = Rates(growth=1.0, solubility=0.01, capillary=4.0, surface_length=50.0,
                  burst=1e5, burst_barrier=80.0, nucleus=1.5)  # fmt: skip
    feed = Source(np.array([0.0, 0.2, 0.4]), np.array([0.0, 2.0, 0.0]))
    made = solve(grid, rates, Stock(np.zeros(80)), np.array([0.0, 0.1, 0.4, 5.0]), feed)
    assert units(made) == pytest.approx([0.0, 0.05, 0.4, 0.4], rel=1e-9, abs=1e-12)
    assert made.bound[-1] > 0.2, "nothing nucleated"


def test_constant_growth_carries_a_profile_along_unchanged():
    grid = uniform_grid(1.0, 13.0, 240, SPHERE, UNIT)
    stock = Stock(bell(grid, 4.0, 0.6), monomer=PLENTY)
    made = solve(grid, STEADY, stock, np.array([0.0, 4.0]), tolerance=1e-8)
    exact = bell(grid, 8.0, 0.6)
    assert made.mean[1] == pytest.approx(8.0, abs=2e-3)
    assert made.deviation[1] == pytest.approx(made.deviation[0], rel=0.01)
    assert np.abs(made.number[1] - exact).sum() < 0.01 * exact.sum()


def test_growth_converges_with_order_of_at_least_1_7():
    def error(bins):
        grid = uniform_grid(1.0, 13.0, bins, SPHERE, UNIT)
        start = Stock(bell(grid, 4.5, 0.9), monomer=PLENTY)
        made = solve(grid, STEADY, start, np.array([0.0, 3.0]), tolerance=1e-9)
        return float(np.abs(made.number[1] - bell(grid, 7.5, 0.9)).sum())

    errors = [error(bins) for bins in (60, 120, 240)]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.log2(errors[0] / errors[-1]) / 2.0 >= 1.7, (errors, orders)


def test_constant_kernel_follows_smoluchowski():
    """N = N0 / (1 + K N0 t / 2), whatever the sizes; volume is kept."""
    grid = geometric_grid(1.0, 60.0, 90, SPHERE, UNIT)
    start = Stock(bell(grid, 3.0, 0.3, 2.0))
    times = np.array([0.0, 2.0, 10.0, 40.0])
    made = solve(grid, Rates(coalescence=0.5), start, times)
    expected = made.total[0] / (1.0 + 0.5 * made.total[0] * times / 2.0)
    assert made.total == pytest.approx(expected, rel=1e-4)
    assert made.bound == pytest.approx(made.bound[0], rel=1e-9)


def test_ligands_stop_coalescence_above_their_size():
    grid = geometric_grid(1.0, 30.0, 90, SPHERE, UNIT)
    start = Stock(bell(grid, 3.0, 0.2, 4.0))
    limited = Rates(coalescence=0.5, coalescence_size=5.0, coalescence_width=0.2)
    late = solve(grid, limited, start, np.array([0.0, 1e3, 2e3]))
    assert 5.0 < late.mean[1] < 7.5
    assert late.mean[2] == pytest.approx(late.mean[1], abs=0.15), "the size must reach a plateau"


def wagner(grid: Grid, mean: float, total: float) -> np.ndarray:
    """The self-similar distribution of Lifshitz, Slyozov and Wagner (1961)."""
    ratio = np.clip(grid.length / mean, 1e-9, 1.5 - 1e-9)
    shape = ratio**2 * (3.0 / (3.0 + ratio)) ** (7.0 / 3.0) * (1.5 / (1.5 - ratio)) ** (11.0 / 3.0)
    shape = shape * np.exp(-ratio / (1.5 - ratio)) * np.diff(grid.edges)
    return total * shape / shape.sum()


def test_ripening_keeps_the_lifshitz_slyozov_wagner_state():
    """Diffusion-limited: <L>^3 rises by 4/9 K per time, sigma / L = 0.215 throughout."""
    grid = geometric_grid(0.5, 40.0, 160, SPHERE, UNIT)
    g, solubility, capillary, surface = 2000.0, 0.01, 0.1, 1e-4
    rates = Rates(growth=g, solubility=solubility, capillary=capillary, surface_length=surface)
    coefficient = g * surface * solubility * capillary
    start = Stock(wagner(grid, 5.0, 5.0), monomer=solubility * np.exp(capillary / 5.0))
    times = np.array([0.0, 3.0, 6.0, 12.0]) * 1e6
    made = solve(grid, rates, start, times)
    slopes = np.diff(made.mean**3) / np.diff(times)
    assert slopes == pytest.approx(4.0 / 9.0 * coefficient, rel=0.05)
    assert made.deviation / made.mean == pytest.approx(0.215, abs=0.01)
    assert made.mean[-1] > 1.3 * made.mean[0], "it must have ripened"


def test_without_processes_nothing_changes():
    grid = uniform_grid(1.0, 8.0, 30, SPHERE, UNIT)
    start = Stock(bell(grid, 4.0, 0.5), monomer=0.2, agglomerate=0.3, precursor=0.4)
    made = solve(grid, Rates(), start, np.array([0.0, 100.0]))
    assert made.number[1] == pytest.approx(made.number[0])
    assert (made.monomer[1], made.agglomerate[1], made.precursor[1]) == (0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Grid(np.array([1.0, 0.5, 2.0, 3.0, 4.0]), SPHERE, UNIT), "rise"),
        (lambda: solve(GRID, Rates(), Stock(np.zeros(3)), np.array([0.0, 1.0])), "each bin"),
        (lambda: solve(GRID, Rates(), Stock(np.zeros(30)), np.array([1.0, 0.5])), "rise"),
        (
            lambda: solve(GRID, STEADY,
                          Stock(bell(GRID, 7.0, 0.2), PLENTY), np.array([0.0, 2.0])),
            "beyond 8.0 nm",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_solved_is_refused_with_the_remedy(build, word):
    with pytest.raises(PopulationError, match=word):
        build()


GRID = uniform_grid(1.0, 8.0, 30, SPHERE, UNIT)
