"""The reprecipitation twin: equilibria, balances, limits and trends of its physics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surrogate_sim import larp, larp_chemistry, larp_growth, larp_light, optics
from surrogate_sim._layer_kernels import DIFFUSIVITY, MIRROR, reabsorbed
from surrogate_sim.equilibria import EquilibriumError, solve, tableau
from surrogate_sim.larp import Charge
from surrogate_sim.larp_ageing import age, solution_totals
from surrogate_sim.larp_chemistry import SYSTEM, UNIT, mixture_totals
from surrogate_sim.larp_samples import bragg, cubic_angles, hexagonal_angles
from surrogate_sim.parameters import twin_parameters
from surrogate_sim.plants.larp_plate import LarpPlant

P = twin_parameters("larp_plate")
LONG, SHORT = "oleic_oleylamine", "octanoic_octylamine"


def charge(ratio: float, pair: str = LONG, solvent: str = "toluene", lead: float = 30.0) -> Charge:
    return Charge(pair, solvent, 100.0, 100.0 * ratio, 100.0 * lead, 50.1, 200.0, 20.0)


def mean_edge(plate: larp.Plate) -> np.ndarray:
    dots = plate.dots
    return (dots.units * dots.edge).sum(axis=1) / dots.units.sum(axis=1)


def test_a_weak_acid_dissociates_as_the_quadratic_says():
    system = tableau(("A", "H"), {"HA": {"A": 1, "H": 1}})
    total, constant = np.array([1e-1, 1e-3, 1e-6]), 1e4
    found = solve(system, [0.0, 0.0, 4.0], np.stack([total, total], axis=1))
    exact = (-1.0 + np.sqrt(1.0 + 4.0 * constant * total)) / (2.0 * constant)
    assert found[:, 0] == pytest.approx(exact, rel=1e-9)


def test_element_balances_close_over_twenty_decades_of_totals_and_constants():
    rng = np.random.default_rng(1)
    totals = 10.0 ** rng.uniform(-8.0, 0.0, (400, 6))
    constants = larp_chemistry.constants(larp.wells([charge(1.0)] * 400, P.own), P.own)
    constants = constants + np.where(constants > 0.0, rng.uniform(-2.0, 2.0, constants.shape), 0.0)
    found = solve(SYSTEM, constants, totals)
    assert np.all(found > 0.0)
    assert found @ SYSTEM.stoichiometry == pytest.approx(totals, rel=1e-10)


def test_an_absent_component_makes_none_of_its_species():
    system = tableau(("A", "B"), {"AB": {"A": 1, "B": 1}})
    (found,) = solve(system, [0.0, 0.0, 6.0], [[1e-3, 0.0]])
    assert found[0] == pytest.approx(1e-3, rel=1e-9) and found[1] < 1e-20 and found[2] < 1e-17


@pytest.mark.parametrize("totals", [[[1e-3, -1e-9]], [[np.nan, 1.0]], [[1.0]]])
def test_impossible_totals_are_refused(totals):
    system = tableau(("A", "B"), {"AB": {"A": 1, "B": 1}})
    with pytest.raises(EquilibriumError, match="totals must be"):
        solve(system, [0.0, 0.0, 6.0], totals)


def test_complexes_of_unknown_components_are_refused():
    with pytest.raises(EquilibriumError, match="AC"):
        tableau(("A", "B"), {"AC": {"A": 1, "C": 1}})


def test_caesium_lead_and_bromide_are_kept_from_injection_to_twelve_hours():
    charges = [
        charge(r, q, s)
        for q in (LONG, SHORT)
        for s in ("toluene", "chloroform")
        for r in (0.0, 0.1, 1.0, 2.0)
    ]
    plate = larp.react(charges, P)
    put_in = mixture_totals(plate.wells, plate.wells.share)
    for hours in (0.0, 1.0, 12.0):
        aged = age(plate.settled, np.full(len(charges), 3600.0 * hours), P.own)
        shares = aged.free + aged.enclosed + aged.converted + aged.lost
        assert shares == pytest.approx(1.0, abs=1e-12)
        units = plate.settled.units
        bromides = units * (1.0 - aged.converted)
        salts = units * aged.converted  # each unit makes 1/4 Cs4PbBr6
        cs4 = np.array([0.0, 0.0, 0.0, 0.25, 1.5, 1.0])
        held = bromides[:, None] * UNIT + salts[:, None] * cs4
        total = solution_totals(plate.wells, plate.settled, aged) + held
        assert total[:, 3:] == pytest.approx(put_in[:, 3:], rel=1e-9)
        assert np.all(solution_totals(plate.wells, plate.settled, aged)[:, 3:] >= 0.0)


def test_growth_never_takes_more_than_the_scarcest_ion():
    # bromide: three per formula unit from two per lead
    plate = larp.react([charge(0.1)], P)
    put_in = mixture_totals(plate.wells, plate.wells.share)
    assert 0.0 < plate.settled.units[0] <= larp_growth.scarcest(put_in)[0] < put_in[0, 3]


def test_growth_steps_converge_at_second_order(monkeypatch):
    sizes = []
    for steps in (60, 120, 480):
        monkeypatch.setattr(larp_growth, "STEPS", steps)
        sizes.append(mean_edge(larp.react([charge(0.1), charge(1.0)], P)))
    coarse, fine = np.abs(sizes[0] - sizes[2]), np.abs(sizes[1] - sizes[2])
    assert np.all(fine < 0.4 * coarse + 1e-4) and np.all(fine < 0.05)


def test_no_lead_grows_where_the_medium_dissolves_it():
    dissolving = P.replacing(log_solubility_toluene=-1.0)
    assert larp.react([charge(0.5)], dissolving).settled.units[0] == pytest.approx(0.0, abs=1e-9)


def test_more_amine_and_more_ligand_make_smaller_dots():
    edges = mean_edge(larp.react([charge(r) for r in (0.1, 0.5, 1.0, 1.5, 2.0)], P))
    assert np.all(np.diff(edges) < 0.0)
    thin, rich = mean_edge(larp.react([charge(1.0), charge(1.0, lead=15.0)], P))
    assert rich < thin


def test_short_amines_and_chloroform_make_smaller_dots_where_amine_prevails():
    long, short, polar = mean_edge(
        larp.react([charge(1.5), charge(1.5, SHORT), charge(1.5, solvent="chloroform")], P)
    )
    assert short < long and polar < long


def test_ligands_cover_less_in_polar_solvents_and_with_short_chains():
    wells = [charge(0.5), charge(0.5, SHORT), charge(0.5, solvent="chloroform")]
    long, short, polar = larp.react(wells, P).settled.solution.coverage
    assert short < long and polar < long


def _complexes_in_the_precursor(met: larp_chemistry.Wells) -> np.ndarray:
    found = solve(
        SYSTEM, larp_chemistry.constants(met, P.own), larp_chemistry.precursor_totals(met)
    )
    return found[:, SYSTEM.index("lead_amine_1")] + found[:, SYSTEM.index("lead_amine_2")]


def test_a_micelle_keeps_lead_as_far_as_ligands_close_its_wall():
    pairs = ((LONG, "toluene"), (LONG, "chloroform"), (SHORT, "toluene"), (SHORT, "chloroform"))
    met = larp.wells([charge(2.0, q, s) for q, s in pairs], P.own)
    lead = larp_chemistry.COMPONENTS.index("lead")
    kept = larp_chemistry.locked_totals(met, P.own)[:, lead] / _complexes_in_the_precursor(met)
    assert np.all(kept <= 1.0), "a micelle must not keep more than its amines bind"
    assert kept[0] > 0.9, "long chains in toluene must close the wall"
    assert np.all(np.diff(kept[[0, 1, 3]]) < 0.0) and kept[3] < kept[2] < kept[0]
    tight = P.replacing(log_ligand_binding=12.0, binding_polarity=0.0).own
    closed = larp_chemistry.locked_totals(met, tight)[:, lead]
    assert closed == pytest.approx(_complexes_in_the_precursor(met), rel=1e-4)


def test_amines_leave_traps_where_their_chains_hold_them_on_a_dot():
    """Short chains and chloroform let amines go: light falls with oleylamine in toluene first."""

    def rise(pair: str, solvent: str) -> float:
        plate = larp.react([charge(0.1, pair, solvent), charge(2.0, pair, solvent)], P)
        bare = P.own["trap_bare"] * (1.0 - plate.settled.solution.coverage)
        by_amine = larp.trap_density(plate, P.own) - P.own["trap_floor"] - bare
        assert np.all(by_amine >= 0.0)
        return float(by_amine[1] - by_amine[0])

    most = rise(LONG, "toluene")
    assert most > 1e-3
    assert all(rise(*q) < 0.5 * most for q in ((LONG, "chloroform"), (SHORT, "toluene")))


def test_conversion_needs_amine_and_never_runs_backwards():
    plate = larp.react([charge(0.0), charge(0.1), charge(2.0)], P)
    hours = [age(plate.settled, np.full(3, 3600.0 * h), P.own).converted for h in (0, 1, 6, 12)]
    assert np.all(np.diff(np.array(hours), axis=0) >= 0.0)
    assert hours[-1][0] < 1e-9 and hours[-1][1] < 0.05 < hours[-1][2]


def dots_of(amount: float, edge: float = 10.0) -> optics.Ensemble:
    """One frame with one class of dots."""
    return larp_light.ensemble(np.array([[amount]]), np.array([[edge]]), np.array([[0.8]]))


def test_reabsorption_vanishes_on_dilution_and_reddens_at_plate_density():
    # A8: computed from optical density, nothing to fit
    c = P.materials

    def mean(amount: float) -> float:
        (light,) = larp_light.emitted(dots_of(amount), 365.0, np.array([6.9]), 0.0, c)
        return float((light * larp_light.ENERGY).sum() / light.sum())

    (shape,) = optics.emission_shape(dots_of(1.0), larp_light.ENERGY, 3.397, c)
    free = float((shape * larp_light.ENERGY).sum() / shape.sum())
    assert mean(1e-6) == pytest.approx(free, abs=1e-5)
    assert free - mean(2.5) > 0.004
    assert mean(0.1) > mean(2.5)


def test_no_dots_give_no_light_beside_frames_that_shine():
    amount = np.array([[0.0], [2.0], [0.0]])
    edge = np.full_like(amount, 10.0)
    dots = larp_light.ensemble(amount, edge, np.array([[0.8], [0.8], [0.0]]))
    light = larp_light.emitted(dots, 365.0, np.full(3, 6.9), 0.05, P.materials)
    (alone,) = larp_light.emitted(dots_of(2.0), 365.0, np.array([6.9]), 0.05, P.materials)
    assert not light[0].any() and not light[2].any()
    assert light[1] == pytest.approx(alone, rel=1e-12) and alone.max() > 0.0


def test_a_well_at_many_ages_is_that_well_at_each_age():
    # what one age, evaporation and depth give must not leak into the next frame
    plate = larp.react([charge(0.1), charge(1.0, SHORT), charge(0.6, LONG, "chloroform")], P)
    ages, factor = np.array([0.0, 3600.0, 43200.0]), np.array([1.0, 1.05, 1.6])
    for index in range(3):
        together = larp.light(plate, ages, index, P, factor)
        for k in range(3):
            (alone,) = larp.light(plate, ages[k : k + 1], index, P, factor[k])
            assert together[k] == pytest.approx(alone, rel=1e-10, abs=1e-12 * alone.max())


def hops_by_paths(own: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Absorption in cell i of light from cell j, (energies, j, i), each path by its own length."""
    middle, width = 0.5 * (edges[:-1] + edges[1:]), np.diff(edges)
    alpha = DIFFUSIVITY * own[:, None, None]
    span, below = (np.abs(np.subtract.outer(middle, middle)), np.add.outer(middle, middle))
    back = 2.0 * edges[-1]

    def path(length: np.ndarray) -> np.ndarray:
        reached = np.exp(-alpha * np.maximum(length - 0.5 * width, 0.0))
        return -0.5 * np.expm1(-alpha * width) * reached

    own_cell = np.eye(len(middle), dtype=bool)
    direct = np.where(own_cell, -np.expm1(-0.5 * alpha * width), path(span))
    mirrored = MIRROR * (path(below) + path(back - below)) + 2.0 * MIRROR**2 * path(back - span)
    return direct + mirrored / (1.0 - MIRROR**2 * np.exp(-alpha * back))


@pytest.mark.parametrize("finest", [1e-4, 0.01, 0.24])
def test_reabsorbed_light_follows_every_path_and_is_never_more_than_was_emitted(finest):
    own = np.append(np.geomspace(1e-4, 300.0, len(larp_light.ENERGY) - 1), 0.0)
    edges = np.concatenate([[0.0], np.geomspace(finest, 6.9, 14)])
    expected = hops_by_paths(own, edges)
    source, first = np.linspace(1.0, 0.1, 14), np.linspace(0.0, 1.0, len(own))
    for k, weight in enumerate(np.eye(len(own))):
        once, hops = reabsorbed(own, edges, source, first, weight)
        assert hops == pytest.approx(expected[k], rel=1e-9, abs=1e-15)
        assert np.all(hops >= 0.0) and np.all(hops.sum(axis=1) <= 1.02)
    assert once == pytest.approx(np.einsum("e,j,eji->i", first, source, expected), rel=1e-12)


def test_bragg_angles_follow_from_the_lattices():
    # LP-09
    assert cubic_angles(P.materials) == pytest.approx([15.3, 21.6, 30.8], abs=0.4)
    assert hexagonal_angles() == pytest.approx([12.6, 25.3, 30.5], abs=0.4)
    assert bragg(0.15406 / 2.0 / np.sin(np.radians(15.0))) == pytest.approx(30.0)


def test_a_plate_is_filled_once_and_time_runs_forward():
    plant = LarpPlant(P)
    plant.new_plate()
    plant.fill(3, charge(0.1))
    for well in (3, 96, -1):
        with pytest.raises(ValueError, match="well must be"):
            plant.fill(well, charge(0.1))
    with pytest.raises(ValueError, match="time must pass"):
        plant.advance(-1.0)
    assert np.all(plant.emission(4, np.arange(400.0, 650.0)) == 0.0) and plant.truth(4) == {}


@pytest.mark.parametrize("state", [{"clock": "x"}, {"film": 1.0}, {"clock": 0.0, "plates": -1}])
def test_a_state_of_another_kind_is_refused(state):
    with pytest.raises(ValueError, match="clock and plates"):
        LarpPlant(P, state)


def test_rows_and_edges_differ_only_in_hidden_labs():
    axis = np.arange(450.0, 600.0)

    def light(lab, well):
        plant = LarpPlant(lab)
        plant.new_plate()
        plant.fill(well, charge(0.3))
        plant.advance(30000.0)
        return plant.emission(well, axis)

    assert np.array_equal(light(P, 0), light(P, 50))
    hidden = twin_parameters("larp_plate", 3)
    assert not np.allclose(light(hidden, 0), light(hidden, 50), rtol=1e-3)


def test_unknown_chemicals_are_refused():
    with pytest.raises(ValueError, match="antisolvent must be"):
        larp.antisolvent_polarity("hexane", P.own)
    with pytest.raises(ValueError, match="charges must"):
        larp.wells([replace(charge(1.0), pair="phosphonic")], P.own)


def test_only_short_chains_fuse_and_fusing_keeps_the_mass():
    dots = larp_growth.Dots(np.full((2, 1), 2e-3), np.full((2, 1), 6.0))
    fused = larp_growth.coalesce(dots, np.array([18.0, 8.0]), P.own, 0.198)
    assert fused.units is dots.units
    assert fused.edge[0, 0] < 1.2 * 6.0 and fused.edge[1, 0] > fused.edge[0, 0] > 6.0


def test_coarsening_follows_solubility_and_spares_covered_dots():
    plate = larp.react([charge(0.1), charge(2.0), charge(0.1, solvent="chloroform")], P)
    covered = age(plate.settled, np.full(3, 43200.0), P.own).coarsening
    assert covered[1] < covered[0] < covered[2]
