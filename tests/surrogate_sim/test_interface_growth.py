"""Growth at the interface: conservation, limits, order, trends."""

from dataclasses import replace

import numpy as np
import pytest

from surrogate_sim import micropipette
from surrogate_sim.interface_growth import cell_areas, grow, nucleated_share
from surrogate_sim.micropipette import (
    Setting,
    composition,
    critical_edge,
    emission,
    follow,
    inventory,
    kinetics,
    seeds,
)
from surrogate_sim.parameters import twin_parameters

LAB = twin_parameters("micropipette")
USUAL = Setting(1600.0, 20.0, 30.0, 60.0)
MINUTES = np.array([0.0, 1.0, 5.0, 15.0, 40.0]) * 60.0


@pytest.mark.parametrize("tip", [800.0, 1600.0])
def test_dots_hold_exactly_what_crossed_the_interface(tip):
    """Lead, and with it caesium and bromide at 1 : 1 : 3, also while dots dissolve."""
    setting = replace(USUAL, tip=tip)
    growth = follow(setting, LAB, MINUTES)
    for frame in range(len(MINUTES)):
        for supplied, held, left in inventory(growth, frame, LAB).values():
            assert held + left == pytest.approx(supplied, rel=1e-6)
    assert (growth.volume[-1] == 0.0).any(), "the case must include dots that dissolved"


def test_what_crosses_is_what_the_supply_law_says():
    """Without a layer in the way and solubility the flow is D c / R of the scarcer cation."""
    k = replace(kinetics(USUAL, LAB), product=1e-9 * kinetics(USUAL, LAB).product)
    k = replace(k, layer_share=0.0)
    volume, number = seeds(USUAL, LAB)
    times = np.array([0.0, 30.0])
    found = grow(volume, number, cell_areas(len(volume)), times, k)
    most = min(k.lead, k.caesium) / (k.geometric + k.interfacial)
    assert found.taken[-1] / 30.0 == pytest.approx(most, rel=2e-3)


def test_growth_slows_as_the_gaps_close():
    """The whole resistance in the layer, little solubility: flow goes as the open share."""
    k = kinetics(USUAL, LAB)
    k = replace(k, product=1e-9 * k.product, geometric=0.0, layer_share=1.0, own_share=1.0)
    volume, number = seeds(USUAL, LAB)
    times = np.linspace(0.0, 600.0, 401)
    found = grow(volume, number, cell_areas(len(volume)), times, k)
    gaps = 1.0 - (np.cbrt(found.volume) ** 2) @ number / k.area
    flow = np.gradient(found.taken, times)
    assert gaps[0] > 0.6 and 0.02 < gaps[-1] < 0.4
    most = min(k.lead, k.caesium) / k.interfacial
    assert flow[1:-1] == pytest.approx(most * gaps[1:-1], rel=0.02)


def test_a_full_layer_lets_little_through_and_nothing_fails():
    """Dots that would cover more than there is, as in a capillary, leave the least gaps."""
    wide = replace(USUAL, tip=1.4e6)
    k = kinetics(wide, LAB)
    volume, number = seeds(wide, LAB)
    assert np.cbrt(volume) ** 2 @ number > k.area
    found = grow(volume, number, cell_areas(len(volume)), np.array([0.0, 60.0]), k)
    open_flow = min(k.lead, k.caesium) / (k.geometric + k.interfacial)
    assert abs(found.taken[-1]) < 60.0 * open_flow / (k.layer_share / 0.02)


def test_growth_by_own_cells_alone_keeps_the_shares():
    """Seeds and supply both follow the cells, so every dot grows by the same factor."""
    k = replace(kinetics(USUAL, LAB), own_share=1.0, capillary_length=0.0)
    k = replace(k, exchange=1e-12)
    volume, number = seeds(USUAL, LAB)
    found = grow(volume, number, cell_areas(len(volume)), np.array([0.0, 600.0]), k)
    factor = found.volume[1] / volume
    assert np.ptp(factor) < 1e-6 * factor.mean()


def test_a_closed_ensemble_ripens():
    """No supply: the total stays, small dots go, the mean grows."""
    k = replace(kinetics(USUAL, LAB), interfacial=1e12)
    volume, number = seeds(USUAL, LAB)
    found = grow(volume, number, cell_areas(len(volume)), np.array([0.0, 3000.0]), k)
    total = found.volume @ number
    assert total[1] == pytest.approx(total[0], rel=1e-3)
    alive = found.volume[1] > 0.0
    assert alive.sum() < len(volume)
    assert found.volume[1][alive].mean() > volume.mean()


def test_a_smaller_step_does_not_change_the_growth():
    """The same times with many stops between: steps are short enough."""
    few = follow(USUAL, LAB, np.array([0.0, 600.0])).volume[-1]
    many = follow(USUAL, LAB, np.linspace(0.0, 600.0, 4001)).volume[-1]
    assert np.cbrt(few).mean() == pytest.approx(np.cbrt(many).mean(), rel=3e-3)


def test_cells_have_the_spread_of_a_random_tessellation():
    area = cell_areas(2000)
    assert area.mean() == pytest.approx(1.0, rel=1e-12)
    assert area.std() == pytest.approx(np.sqrt(2.0 / 7.0), rel=0.01)


def test_nucleation_needs_supersaturation_and_fills_the_sites():
    assert nucleated_share(-1.0, 8.0, 3.0) == 0.0
    shares = [nucleated_share(s, 8.0, 3.0) for s in (0.5, 1.0, 2.0, 4.0, 20.0)]
    assert np.all(np.diff(shares) > 0.0)
    assert shares[0] < 1e-6 and shares[-1] > 0.99


def test_narrower_tips_make_smaller_seeds_and_less_of_everything():
    sizes, totals = [], []
    for tip in (1600.0, 1200.0, 800.0):
        volume, number = seeds(replace(USUAL, tip=tip), LAB)
        sizes.append(volume.mean())
        totals.append(follow(replace(USUAL, tip=tip), LAB, MINUTES).taken[2])
    assert np.all(np.diff(sizes) < 0.0) and np.all(np.diff(totals) < 0.0)


def test_half_of_either_cation_means_fewer_larger_seeds_that_grow_slower():
    volume, number = seeds(USUAL, LAB)
    usual = follow(USUAL, LAB, MINUTES[:3])
    for less in (replace(USUAL, lead=10.0), replace(USUAL, caesium=15.0)):
        larger, fewer = seeds(less, LAB)
        assert larger.mean() > volume.mean() and fewer.sum() < number.sum()
        assert follow(less, LAB, MINUTES[:3]).taken[-1] < 0.6 * usual.taken[-1]


def test_a_poor_lens_makes_critical_nuclei_and_fewer_of_them():
    """A narrow tip: the size is the critical nucleus', the number what the lens can feed."""
    narrow = replace(USUAL, tip=700.0)
    volume, number = seeds(narrow, LAB)
    least = critical_edge(narrow, LAB.own) ** 3
    assert volume.mean() == pytest.approx(least)
    tip, c = 700.0 / 1600.0, LAB.own
    sites = c["site_density"] * np.pi * 350.0**2
    held = c["seed_volume"] * tip ** c["seed_exponent"]
    assert volume @ number == pytest.approx(sites * held)
    assert number.sum() < 0.9 * sites


def test_near_the_threshold_there_are_few_dots_that_share_what_the_lens_holds():
    usual, many = seeds(USUAL, LAB)
    volume, number = seeds(replace(USUAL, lead=10.0, caesium=18.0), LAB)
    assert 0.0 < number.sum() < 0.3 * many.sum()
    assert volume.mean() > usual.mean()
    held = LAB.own["site_density"] * np.pi * 800.0**2 * LAB.own["seed_volume"]
    assert volume @ number == pytest.approx(0.5 * held)


@pytest.mark.parametrize("caesium", [3.0, 4.0])
def test_a_solution_below_its_solubility_makes_no_dots(caesium):
    volume, number = seeds(replace(USUAL, caesium=caesium, irradiance=200.0), LAB)
    assert number.sum() == 0.0 and not volume.any()


def test_little_light_makes_no_dots_and_none_emit():
    volume, number = seeds(replace(USUAL, irradiance=15.0), LAB)
    assert number.sum() == 0.0
    assert not emission(volume, number, np.linspace(420.0, 580.0, 50), LAB).any()


def test_caesium_deficit_follows_from_the_surface():
    cell = 0.583
    volume, number = np.array([(17.0 * cell) ** 3]), np.array([10.0])
    caesium, lead = composition(volume, number, LAB)
    assert lead == pytest.approx(10.0 * 17.0**3)
    assert caesium / lead == pytest.approx((16.0 / 17.0) ** 3)


def test_emission_is_of_the_dots_and_grows_with_their_number():
    volume, number = seeds(USUAL, LAB)
    axis = np.linspace(420.0, 580.0, 400)
    one, two = (emission(volume, f * number, axis, LAB) for f in (1.0, 2.0))
    assert two == pytest.approx(2.0 * one)
    peak = axis[np.argmax(one)]
    edge = np.cbrt(volume.mean())
    assert abs(peak - 1239.84 / micropipette.emission_energy(edge)) < 15.0
