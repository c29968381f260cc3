import numpy as np
import pytest

from surrogate_sim import exchange_cuvette as cuvette
from surrogate_sim import exchange_kinetics as kinetics
from surrogate_sim import exchange_light as light
from surrogate_sim import materials
from surrogate_sim.nanocrystal_batch import crude_edge, given, synthesised
from surrogate_sim.parameters import twin_parameters

LAB = twin_parameters("anion_exchange")
OWN, SHARED = LAB.own, LAB.materials
TIMES = np.linspace(0.0, 600.0, 61)


def filled(edge=9.5, iodide=1000.0, **changed):
    own = LAB.replacing(**changed).own
    edges, share = given(edge, 0.15, own).classes(9)
    start = cuvette.Cuvette.filled(edges, 39.0 * share, 3.0)
    return start.with_iodide(0.1, iodide / 0.1), own


def test_every_element_is_conserved_through_additions_exchange_and_etching():
    state, own = filled(iodide=60.0)
    added = 60.0
    for _ in range(3):
        state = cuvette.advance(state, TIMES, own).final.with_iodide(0.02, 1000.0)
        added += 20.0
        found = state.balance(own)
        totals = {"caesium": 39.0, "lead": 39.0, "bromide": 117.0, "iodide": added}
        for element, total in totals.items():
            crystal, solution = found[element]
            assert crystal + solution == pytest.approx(total, rel=1e-6), element
            assert min(crystal, solution) > -1e-6 * total, element
    assert state.edge.mean() < state.first_edge.mean()


def test_a_flood_of_iodide_follows_the_mean_field():
    state, own = filled(iodide=1e7, etch_rate=0.0)
    course = cuvette.advance(state, TIMES, own)
    shell = (course.iodide[:, 4] > 0.4).argmax()
    concentration = 1e7 / state.volume
    edge = state.first_edge[4]
    share = float(kinetics.rates(np.array([edge]), concentration, own).core[0])
    expected = kinetics.mean_field_time(edge, concentration, 0.4 / (1.0 - share), own)
    assert TIMES[shell] == pytest.approx(expected, abs=15.0)


def test_final_composition_is_set_by_iodide_per_bromide_and_not_by_rates():
    # Exchange equilibrium: x / (1 - x) = K [I] / [Br], each from conservation (FL-13's principle)
    long = np.array([0.0, 4e4])
    ends = []
    for changed in ({}, {"supply_time": 900.0, "cooperativity": 0.5}):
        state, own = filled(
            iodide=60.0, etch_rate=0.0, core_diffusivity=0.05, exchange_constant=8.0, **changed
        )
        final = cuvette.advance(state, long, own).final
        x = final.composition(own)
        ends.append(x)
        held = 117.0 * float(x.mean())
        assert x / (1.0 - x) == pytest.approx(8.0 * (60.0 - held) / held, rel=0.01)
    assert ends[0] == pytest.approx(ends[1], abs=1e-3)


def test_small_crystals_in_a_flood_of_iodide_dissolve_and_are_conserved():
    # A corner where they vanish would hold the integrator for ever.
    state, own = filled(edge=4.0, iodide=4000.0, etch_rate=0.01)
    final = cuvette.advance(state, np.linspace(0.0, 3600.0, 104), own).final
    assert np.all(final.edge > 1.1) and np.all(final.edge < 1.6)
    crystal, solution = final.balance(own)["iodide"]
    assert crystal + solution == pytest.approx(4000.0, rel=1e-6)
    assert 0.0 < crystal < 4.0


def test_nothing_happens_without_iodide():
    state, own = filled(iodide=0.0)
    final = cuvette.advance(state, TIMES, own).final
    assert final.composition(own) == pytest.approx(0.0, abs=1e-7)
    assert final.edge == pytest.approx(state.edge, abs=1e-6)


def test_filter_hides_bromide_and_shows_iodide():
    dark, bright = (float(light.filtered_brightness(5.1, x, OWN, SHARED)) for x in (0.0, 0.97))
    assert dark < 1e-3 * bright
    large = float(light.filtered_brightness(13.1, 0.6, OWN, SHARED))
    assert large > 3.0 * bright


def test_the_crystal_grows_with_its_lattice():
    assert light.grown_edge(10.0, 0.0, SHARED) == pytest.approx(10.0)
    ratio = materials.lattice(0.0, 1.0, SHARED) / materials.lattice(0.0, 0.0, SHARED)
    assert light.grown_edge(10.0, 1.0, SHARED) == pytest.approx(10.0 * ratio)


def test_table_of_brightness_agrees_with_the_function():
    edge, iodide = np.array([6.0, 12.0]), np.array([[0.123, 0.77], [0.456, 0.69]])
    found = light.brightness_over(edge, iodide, OWN, SHARED)
    direct = light.filtered_brightness(edge[:, None], iodide, OWN, SHARED)
    assert found == pytest.approx(direct, rel=0.01, abs=1e-4 * direct.max())


RECIPES = [
    (5.1, 0.818, 140.0, 88.0, "antisolvent"),
    (6.1, 2.353, 190.0, 10.0, "antisolvent"),
    (7.8, 2.353, 190.0, 10.0, "precipitate"),
    (9.5, 0.0, 120.0, 60.0, "precipitate"),
]


@pytest.mark.parametrize(("edge", "zinc", "celsius", "seconds", "washing"), RECIPES)
def test_the_paper_s_recipes_make_its_sizes(edge, zinc, celsius, seconds, washing):
    batch = synthesised(zinc, celsius, seconds, washing, OWN)
    assert batch.mean == pytest.approx(edge, rel=0.06)
    assert 0.09 < batch.dispersion < 0.18
    inside = {"caesium": 1.0, "lead": 1.0, "bromide": 3.0}
    for element, (put_in, wasted) in batch.spent.items():
        kept = inside[element] * batch.formula_units
        assert kept + wasted == pytest.approx(put_in, rel=1e-12), element
        assert wasted > 0.0


def test_bromide_shrinks_and_heat_and_time_grow_the_crystals():
    assert crude_edge(1.0, 150.0, 60.0, OWN) < crude_edge(0.2, 150.0, 60.0, OWN)
    assert crude_edge(1.0, 180.0, 60.0, OWN) > crude_edge(1.0, 140.0, 60.0, OWN)
    assert crude_edge(1.0, 150.0, 60.0, OWN) > crude_edge(1.0, 150.0, 8.0, OWN)


def test_samples_and_classes_have_the_batch_s_mean_and_dispersion():
    batch = given(9.5, 0.15, OWN)
    drawn = batch.sample(40000, np.random.default_rng(3))
    assert drawn.mean() == pytest.approx(9.5, rel=0.005)
    assert drawn.std() / drawn.mean() == pytest.approx(batch.dispersion, rel=0.02)
    edge, share = batch.classes(15)
    assert share.sum() == pytest.approx(1.0)
    assert edge @ share == pytest.approx(batch.mean, rel=1e-4)
