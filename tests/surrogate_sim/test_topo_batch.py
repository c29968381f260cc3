"""The TOPO/PbBr2 twin: equilibria, reservoirs, magic sizes, assembly, light, scattering."""

import math

import numpy as np
import pytest

from surrogate_sim import assembly, magic_sizes, optics, scattering, topo_light
from surrogate_sim.materials import emission_energy, equivalent_edge, stokes_shift
from surrogate_sim.parameters import twin_parameters
from surrogate_sim.plants.topo_batch import TopoPlant
from surrogate_sim.topo_batch import Reaction
from surrogate_sim.topo_chemistry import (
    Charge,
    ChemistryError,
    free_topo,
    nucleus_diameter,
    rates,
    solute_fraction,
    species,
)

LAB = twin_parameters("topo_batch")
OWN = LAB.own
DOPA = Charge("dopa", 2.0, 6.0, 30.0, 298.15)
OLEATE = Charge("oleate", 2.0, 6.0, 30.0, 298.15)
DILUTE = Charge("oleate", 0.09, 0.27, 1.35, 298.15)
TIMES = np.array([0.1, 0.5, 3.0, 30.0, 300.0])


@pytest.fixture(scope="module")
def dopa():
    return Reaction(DOPA, LAB, 300.0)


@pytest.mark.parametrize("charge", [DOPA, OLEATE, DILUTE], ids=["dopa", "oleate", "dilute"])
def test_caesium_lead_and_bromide_are_conserved(charge):
    elements = Reaction(charge, LAB, 300.0).at(TIMES).elements()
    assert elements["caesium"] == pytest.approx(charge.caesium, rel=1e-6)
    assert elements["lead"] == pytest.approx(charge.lead, rel=1e-6)
    assert elements["bromide"] == pytest.approx(2.0 * charge.lead, rel=1e-6)


@pytest.mark.parametrize("charge", [DOPA, OLEATE, DILUTE], ids=["dopa", "oleate", "dilute"])
def test_the_solute_of_the_balance_is_that_of_the_equilibrium(charge):
    known = Reaction(charge, LAB, 300.0).at(TIMES[-1:])
    solute = known.bound.sum() + known.monomer[0] + known.agglomerate[0]
    assert solute == pytest.approx(solute_fraction(charge, OWN) * charge.caesium, rel=1e-6)


def test_mass_action_holds_at_the_solution():
    share = solute_fraction(DOPA, OWN)
    left, free = species(DOPA, share), free_topo(DOPA, share, OWN)
    quotient = left["lead_ligand"] * free**4 / left["lead_bromide"] ** 3
    quotient /= left["caesium_ligand"] ** 2
    assert quotient == pytest.approx(OWN["exchange_dopa"], rel=1e-9)


def test_yield_keeps_on_dilution_rises_with_lead_and_falls_with_topo():
    def share(factor=1.0, lead=6.0, topo=30.0):
        return solute_fraction(Charge("dopa", 2.0 / factor, lead / factor, topo / factor, 298.15),
                               OWN)  # fmt: skip

    assert share(factor=30.0) == pytest.approx(share(), rel=1e-9)
    assert share(lead=3.5) < share() < share(lead=8.0)
    assert share(topo=60.0) < share() < share(topo=20.0)
    assert solute_fraction(OLEATE, OWN) < 0.4 * share()


@pytest.mark.parametrize("charge", [
    Charge("dopa", 2.0, 6.0, 11.0, 298.15), Charge("dopa", 0.0, 6.0, 30.0, 298.15),
    Charge("acetate", 2.0, 6.0, 30.0, 298.15),  # type: ignore[arg-type]
])  # fmt: skip
def test_a_charge_without_equilibrium_is_refused(charge):
    with pytest.raises(ChemistryError):
        solute_fraction(charge, OWN)


def test_the_nucleus_of_seven_cells_is_the_published_size():
    assert nucleus_diameter(OWN, LAB.materials["lattice_bromide"]) == pytest.approx(4.4, abs=0.15)


def test_dopa_goes_through_its_four_phases(dopa):
    known = dopa.at(np.array([0.3, 3.0, 30.0, 300.0]))
    agglomerate, number, size = known.agglomerate, known.total, known.mean
    assert agglomerate[0] > 0.8 * agglomerate.max(), "agglomerates come first"
    assert number[1] > 3.0 * number[0], "crystals appear over seconds"
    assert agglomerate[2] < 0.05 * agglomerate[0], "the reservoir empties"
    assert number[1] > 1.5 * number[2], "crystals coalesce"
    assert size[0] < size[1] < size[2] < size[3]


def test_oleate_has_no_reservoir_and_does_not_focus():
    known = Reaction(OLEATE, LAB, 120.0).at(np.array([0.3, 3.0, 14.0, 100.0]))
    assert np.all(known.agglomerate == 0.0)
    assert np.all(np.diff(known.deviation) > 0.0)
    assert known.total[1] > known.total[2] > known.total[3]


def test_dilution_slows_dopa_in_proportion():
    """Second-order steps: thirty times dilution makes thirty seconds a quarter of an hour."""
    thin = Charge("dopa", 2.0 / 30.0, 0.2, 1.0, 298.15)
    late = Reaction(thin, LAB, 900.0).at(np.array([30.0, 900.0]))
    dense = Reaction(DOPA, LAB, 30.0).at(np.array([30.0]))
    assert late.mean[1] == pytest.approx(dense.mean[0], rel=0.06)
    assert late.mean[0] < 0.75 * dense.mean[0]


def test_heat_makes_larger_dots():
    sizes = [
        float(Reaction(Charge("dopa", 2.0, 6.0, 30.0, t), LAB, 60.0).at(np.array([60.0])).mean[0])
        for t in (298.15, 330.0, 360.0)
    ]
    assert sizes == sorted(sizes)
    warm = rates(Charge("dopa", 2.0, 6.0, 30.0, 360.0), OWN, LAB.materials)
    cold = rates(DOPA, OWN, LAB.materials)
    assert warm.growth > cold.growth
    assert warm.capillary < cold.capillary


def test_the_answer_does_not_hang_on_the_tolerance_of_time():
    from surrogate_sim import population, topo_batch

    grid = topo_batch._grid(LAB.materials["lattice_bromide"])
    stock = population.Stock(np.zeros(len(grid.length)), precursor=1.2)
    constants = rates(DOPA, OWN, LAB.materials)
    loose, tight = (
        population.solve(grid, constants, stock, np.array([3.0, 30.0]), tolerance=t)
        for t in (1e-5, 1e-8)
    )
    assert loose.mean == pytest.approx(tight.mean, rel=1e-3)
    assert loose.total == pytest.approx(tight.total, rel=3e-3)


def test_magic_sizes_are_the_rungs_whatever_the_dilution():
    ladders = [
        magic_sizes.climb(Charge("oleate", c, 3 * c, 15 * c, 298.15), TIMES, OWN, LAB.materials)
        for c in (0.08, 0.11)
    ]
    assert ladders[0].diameter == pytest.approx(ladders[1].diameter)
    step = np.diff(equivalent_edge(ladders[0].diameter, "sphere"))
    assert step == pytest.approx(0.587, abs=0.1)
    assert magic_sizes.applies(DILUTE, OWN) and not magic_sizes.applies(OLEATE, OWN)
    assert not magic_sizes.applies(Charge("dopa", 0.09, 0.27, 1.35, 298.15), OWN)


def test_layers_wait_longer_on_larger_faces():
    waits = [magic_sizes.layer_time(k, 0.01, OWN) for k in (4.0, 5.0, 6.0, 7.0)]
    ratios = np.array(waits[1:]) / np.array(waits[:-1])
    assert np.all(ratios > 2.0)
    assert ratios == pytest.approx(ratios[0])


def test_dilute_dots_of_one_size_prevail_for_a_while():
    """Without that no magic sizes are seen: at some time each of four rungs holds most dots."""
    times = np.geomspace(0.1, 600.0, 200)
    made = magic_sizes.climb(DILUTE, np.concatenate([[0.0], times]), OWN, LAB.materials)
    share = made.number / made.number.sum(axis=1, keepdims=True)
    assert np.count_nonzero(share[1:].max(axis=0) > 0.5) >= 4


# --- assembly -----------------------------------------------------------------------------------


def test_stacks_need_dopa_size_heat_and_number():
    hot = Reaction(Charge("dopa", 2.0, 6.0, 30.0, 373.15), LAB, 400.0)
    assert 20.0 < hot.assembly.onset < hot.assembly.crystal_onset < 500.0
    assert math.isinf(Reaction(DOPA, LAB, 300.0).assembly.onset)
    oleate = Reaction(Charge("oleate", 2.0, 6.0, 30.0, 373.15), LAB, 60.0)
    assert math.isinf(oleate.assembly.onset)
    few, many = assembly.onset_size(np.array([0.001, 0.25]), OWN)
    assert few > many == pytest.approx(11.6, rel=0.05)


def test_assembled_dots_rest_and_come_closer():
    hot = Reaction(Charge("dopa", 2.0, 6.0, 30.0, 373.15), LAB, 800.0)
    times = np.linspace(hot.assembly.onset + 5.0, 800.0, 60)
    spacing = hot.arrangement(times)["spacing"]
    assert np.all(np.diff(spacing[5:]) < 1e-6)
    sizes = hot.at(times).mean
    assert sizes[-1] - sizes[20] < 0.1


def test_van_der_waals_attraction_reaches_two_kt_near_the_published_gap():
    assert assembly.attraction_gap(11.6, 373.15, OWN) == pytest.approx(3.2, abs=0.1)


# --- scattering ---------------------------------------------------------------------------------


def test_a_sphere_has_its_guinier_range_its_minimum_and_its_porod_law():
    size = np.array([8.1])
    low = np.array([1e-3, 0.02])
    guinier = scattering.sphere_intensity(low, size, 991.0)[:, 0]
    radius = np.sqrt(3.0 / 5.0) * 4.05
    assert np.log(guinier[1] / guinier[0]) == pytest.approx(
        -((0.02 * radius) ** 2 - (1e-3 * radius) ** 2) / 3.0, rel=2e-3
    )
    q = np.linspace(0.8, 1.4, 6001)
    minimum = q[np.argmin(scattering.sphere_intensity(q, size, 991.0))]
    assert minimum * 4.05 == pytest.approx(4.4934, rel=1e-3)
    far = np.linspace(20.0, 60.0, 40001)
    tail = scattering.sphere_intensity(far[:-1], size, 991.0)[:, 0] * far[:-1] ** 4
    porod = tail.reshape(2, -1)
    assert porod[0].mean() == pytest.approx(porod[1].mean(), rel=0.02)


def test_structure_factors_are_one_far_out_and_peak_at_their_orders():
    q = np.linspace(0.2, 4.0, 3801)
    axes = (16.0, 17.6, 19.2)
    stack = scattering.stack_factor(q, axes, 0.5, 30.0, 0.01)
    for order in (1, 2, 3):
        near = np.abs(q - order * 2 * np.pi / 16.0) < 0.05
        assert q[near][np.argmax(stack[near])] == pytest.approx(order * 2 * np.pi / 16.0, rel=0.02)
    crystal = scattering.crystal_factor(q, axes, 300.0, 0.5, 0.01)
    assert crystal[q > 2.0] == pytest.approx(1.0, abs=1e-6)
    assert stack[q > 3.0] == pytest.approx(1.0, abs=0.05)
    assert crystal.max() > 2.0


def test_wide_angle_peaks_are_those_of_the_orthorhombic_lattice_and_narrow_with_size():
    q = np.linspace(8.0, 36.0, 2801)
    made = scattering.lattice_pattern(q, np.array([4.0, 12.0]), 0.1)
    strongest = q[np.argmax(made[:, 1])]
    assert strongest == pytest.approx(2 * np.pi / 0.2915, rel=0.02), "(220) and (004)"
    assert made[:, 0].max() < made[:, 1].max()


# --- light --------------------------------------------------------------------------------------


def test_higher_transitions_lie_above_the_first_and_come_together_with_size():
    sizes = np.array([4.4, 7.4, 12.0])
    first = topo_light.exciton_energy(sizes, 298.15, LAB.materials)
    above = [
        topo_light.exciton_energy(sizes, 298.15, LAB.materials, part) - first
        for part in topo_light.HIGHER
    ]
    assert np.all(above[0] > 0.02) and np.all(above[1] > above[0])
    assert np.all(np.diff(above[0]) < 0.0)


def test_a_sphere_reads_smaller_on_the_cubes_curve():
    """TP-13: 4.4 nm by scattering is 3.8 nm by absorbance."""
    energy = topo_light.exciton_energy(np.array([4.4]), 298.15, LAB.materials)
    cube = emission_energy(3.81, constants=LAB.materials) + stokes_shift(3.81, LAB.materials)
    assert energy[0] == pytest.approx(float(cube), abs=2e-3)


def test_the_first_exciton_of_one_size_is_as_wide_as_its_emission_and_narrows_with_size():
    """The red flank alone shows the width: higher levels and the continuum hide the blue one."""
    energy = np.linspace(2.2, 3.0, 8001)
    flanks = []
    for size in (4.4, 7.4):
        diameter = np.array([size])
        first = float(topo_light.exciton_energy(diameter, 298.15, LAB.materials)[0])
        made = topo_light.coefficients(energy, diameter, 298.15, OWN, LAB.materials)[:, 0]
        at = float(np.interp(first, energy, made))
        flanks.append(
            first - float(np.interp(0.2 * at, made[energy < first], energy[energy < first]))
        )
        edge = equivalent_edge(diameter, "sphere")
        width = float(optics.linewidth(edge, 0.0, 0.0, 298.15, LAB.materials)[0])
        assert flanks[-1] == pytest.approx(0.75 * width, rel=0.25)
    assert flanks[0] > flanks[1]


def test_absorbance_is_linear_in_path_and_amount():
    energy = np.linspace(2.3, 4.3, 50)
    args = (np.array([6.0, 7.0]), np.array([[0.5, 0.5]]), np.array([0.2]), np.array([3.0]), 298.15)
    one = topo_light.absorbance(energy, *args, 1.0, OWN, LAB.materials)
    assert topo_light.absorbance(energy, *args, 10.0, OWN, LAB.materials) == pytest.approx(
        10 * one
    )


# --- plant --------------------------------------------------------------------------------------


def run_plant(hidden, runs=1):
    plant = TopoPlant(twin_parameters("topo_batch", hidden))
    for _ in range(runs):
        plant.charge("dopa", 2.0, 6.0, 30.0)
        plant.inject(20.0)
        plant.advance(20.0)
        plant.drain()
    return plant


def test_windows_foul_in_a_hidden_laboratory_alone():
    assert run_plant(None).state()["deposit"] == 0.0
    assert run_plant(3, 2).state()["deposit"] > run_plant(3).state()["deposit"] > 0.0


def test_a_plant_restored_continues_alike_and_refuses_nonsense():
    whole = run_plant(5, 2)
    resumed = TopoPlant(twin_parameters("topo_batch", 5), run_plant(5).state())
    resumed.charge("dopa", 2.0, 6.0, 30.0)
    resumed.inject(20.0)
    resumed.advance(20.0)
    resumed.drain()
    assert resumed.state() == whole.state()
    assert resumed.truth() == whole.truth()
    for state in ({"clock": "noon"}, {"clock": 0.0, "speed": 1.0}):
        with pytest.raises(ValueError, match="state holds"):
            TopoPlant(LAB, state)


def test_the_future_cannot_be_read():
    plant = TopoPlant(LAB)
    with pytest.raises(ValueError, match="charge"):
        plant.inject(10.0)
    plant.charge("dopa", 2.0, 6.0, 30.0)
    plant.inject(10.0)
    plant.advance(5.0)
    with pytest.raises(ValueError, match="wait"):
        plant.small_angle(np.array([0.5, 1.0]), np.array([6.0]))
