import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad

from surrogate_sim import optics
from surrogate_sim.materials import HC, ROOM, emission_energy, stokes_shift
from surrogate_sim.optics import Ensemble
from surrogate_sim.parameters import nominal

C = nominal().materials
ENERGY = np.linspace(1.5, 3.6, 8001)
EXCITATION = HC / 365.0


def dots(edge, amount=None, quantum_yield=1.0, chloride=0.0, iodide=0.0) -> Ensemble:
    edge = np.atleast_1d(np.asarray(edge, float))
    full = np.ones_like(edge)
    amounts = full if amount is None else np.asarray(amount, float)
    return Ensemble(
        edge, amounts, chloride * full, iodide * full, quantum_yield * full, ROOM * full
    )


def test_area_of_the_spectrum_is_the_quantum_yield():
    ensemble = dots([5.0, 8.0, 12.0], [1.0, 2.0, 0.5], 0.6)
    shape = optics.emission_shape(ensemble, ENERGY, EXCITATION, C)
    assert np.trapezoid(shape, ENERGY) == pytest.approx(0.6, rel=1e-9)


def test_area_is_weighted_by_what_each_class_absorbs():
    ensemble = Ensemble(
        **{**vars(dots([5.0, 12.0], [1.0, 3.0])), "quantum_yield": np.array([1.0, 0.0])}
    )
    share = optics.absorbed_share(ensemble, EXCITATION, C)
    shape = optics.emission_shape(ensemble, ENERGY, EXCITATION, C)
    assert np.trapezoid(shape, ENERGY) == pytest.approx(share[0], rel=1e-9)
    assert share[0] == pytest.approx(0.25, rel=1e-6)  # same solid, a quarter of the volume


def test_equal_dots_show_the_width_and_place_of_one():
    shape = optics.emission_shape(dots(8.0), ENERGY, EXCITATION, C)
    above = ENERGY[shape > 0.5 * shape.max()]
    assert above[-1] - above[0] == pytest.approx(0.070 * (1.0 + (2.5 / 8.0) ** 2), abs=6e-4)
    assert ENERGY[shape.argmax()] == pytest.approx(float(emission_energy(8.0)), abs=3e-4)


def test_width_grows_with_heat_confinement_and_disorder():
    base = optics.linewidth(8.0, 0.0, 0.0, ROOM, C)
    assert optics.linewidth(8.0, 0.0, 0.0, ROOM + 60.0, C) > base
    assert optics.linewidth(5.0, 0.0, 0.0, ROOM, C) > base
    assert optics.linewidth(8.0, 0.0, 0.5, ROOM, C) > base
    assert optics.linewidth(8.0, 0.0, 1.0, ROOM, C) == pytest.approx(float(base))


@pytest.mark.parametrize("exciton", [1.9, 2.45, 2.7, 3.05])
def test_absorption_is_continuous_and_ends_on_the_plateau(exciton):
    energy = np.linspace(exciton - 0.6, 3.7, 20001)
    found = optics.absorption_coefficient(energy, exciton, C)
    assert np.max(np.abs(np.diff(found))) < 0.01 * found.max()
    assert found[0] < 1e-6 * found.max()
    assert found[-1] == pytest.approx(float(optics.plateau_absorption(3.7, C)))


def test_a_broadened_root_is_the_mean_of_roots():
    for reduced in (-3.0, -0.5, 0.0, 1.0, 6.0, 14.0):
        expected = quad(
            lambda x, u=reduced: np.sqrt(max(u + x, 0.0)) * np.exp(-0.5 * x * x), -8.0, 8.0,
            points=[np.clip(-reduced, -8.0, 8.0)], limit=200,
        )[0] / np.sqrt(2.0 * np.pi)  # fmt: skip
        assert float(optics.broadened_root(reduced)) == pytest.approx(expected, abs=2e-4)


def test_a_line_s_width_broadens_the_whole_edge():
    """A continuum with a sharp onset would give the second derivative a peak of its own."""
    energy = np.linspace(2.2, 3.0, 1601)
    step = energy[1] - energy[0]

    def roughest(width):
        found = optics.absorption_coefficient(energy, 2.6, C, width)
        return np.abs(np.diff(found, 3)).max() / step**3 / found.max()

    sharp, narrow, wide = roughest(None), roughest(0.10), roughest(0.16)
    assert wide < narrow < 0.1 * sharp
    found = optics.absorption_coefficient(np.array([3.1, 3.5]), 2.6, C, 0.12)
    assert found == pytest.approx(optics.plateau_absorption(np.array([3.1, 3.5]), C))


def test_plateau_passes_the_tabulated_coefficients():
    found = optics.plateau_absorption(HC / np.array([400.0, 335.0]), C)
    np.testing.assert_allclose(found, [7.5e4, 1.7e5])


def test_absorbance_follows_concentration_and_path():
    one = optics.absorbance(dots([8.0]), ENERGY, 1.0, C)
    np.testing.assert_allclose(optics.absorbance(dots([8.0], [2.0]), ENERGY, 0.5, C), one)
    # 1 mM of formula units, 119.4 cm3/mol, 7.5e4 /cm at 400 nm, 1 mm
    expected = 1e-6 * 119.4 * 7.5e4 * 0.1 / np.log(10.0)
    found = optics.absorbance(dots([8.0]), np.array([HC / 400.0]), 1.0, C)
    assert found[0] == pytest.approx(expected, rel=0.01)


def test_primary_inner_filter():
    # FL-18: within 6 % up to 0.05, beyond it at 0.1
    assert 1.0 - optics.primary_factor(0.05) <= 0.06
    assert 1.0 - optics.primary_factor(0.1) > 0.06
    assert optics.primary_factor(0.0) == pytest.approx(1.0)
    assert optics.escape(0.3, 0.0) == pytest.approx(1.0 - 10.0**-0.3)
    numeric = quad(lambda x: np.log(10) * 0.3 * 10.0 ** -((0.3 + 0.2) * x), 0.0, 1.0)[0]
    assert optics.escape(0.3, 0.2) == pytest.approx(numeric)


def test_reabsorption_shifts_the_line_to_the_red():
    ensemble = dots([8.0], [20.0])
    shape = optics.emission_shape(ensemble, ENERGY, EXCITATION, C)
    peaks = []
    for path in (1e-3, 0.1, 1.0):
        taken = optics.absorbance(ensemble, ENERGY, path, C)
        first = float(optics.absorbance(ensemble, np.array([EXCITATION]), path, C)[0])
        peaks.append(ENERGY[(shape * optics.escape(first, taken)).argmax()])
    assert peaks[0] > peaks[1] > peaks[2]


@pytest.mark.parametrize("traps", [0.0, 0.03, 1.0, 8.0, 60.0])
def test_quantum_yield_is_the_integral_of_the_decay(traps):
    lifetime = 8.0
    area = quad(
        lambda t: float(optics.decay(t, traps, lifetime, C)), 0.0, 400.0, limit=400, points=[1, 5]
    )[0]
    unquenched = optics.quantum_yield(0.0, lifetime, ROOM, C)
    found = optics.quantum_yield(traps, lifetime, ROOM, C)
    assert found / unquenched == pytest.approx(area / lifetime, rel=1e-6)


def test_larger_dots_tolerate_the_same_surface_better():
    edge = np.array([4.0, 7.0, 12.0])
    lifetime = optics.radiative_lifetime(edge, 0.0, 0.0, C)
    found = optics.quantum_yield(optics.mean_traps(edge, 1e-3, C), lifetime, ROOM, C)
    assert np.all(np.diff(found) > 0.0)


def test_heavier_halides_and_larger_dots_live_longer():
    # FL-16: 3 to 60 ns, heavier halide longer
    chloride, bromide, iodide = (
        float(optics.radiative_lifetime(8.0, *x, C)) for x in ((1, 0), (0, 0), (0, 1))
    )
    assert 3.0 <= chloride < bromide < iodide <= 60.0
    assert optics.radiative_lifetime(12.0, 0, 0, C) > bromide


def test_nothing_absorbs_nothing_shines():
    empty = dots([8.0], [0.0])
    assert optics.absorbed_share(empty, EXCITATION, C).sum() == 0.0
    assert np.all(optics.emission_shape(empty, ENERGY, EXCITATION, C) == 0.0)


def test_the_mixture_is_the_sum_of_what_each_class_absorbs_and_emits() -> None:
    """The kernels leave out what lies far from a line or an edge; nothing else may differ."""
    edge = np.array([3.0, 5.5, 9.0])
    one = np.ones(3)
    mixed = optics.Ensemble(edge, 0.5 * one, 0.2 * one, 0.0 * one, 0.7 * one, ROOM * one)
    energy = np.linspace(1.5, 3.9, 241)
    exciton = mixed.energy(C) + stokes_shift(edge, C)
    each = optics.absorption_coefficient(energy[:, None], exciton[None, :], C)
    whole = each @ mixed.volume_fraction(C) * 0.03 / np.log(10.0)
    assert optics.absorbance(mixed, energy, 0.3, C) == pytest.approx(whole, rel=1e-12, abs=1e-18)
    sigma = optics.linewidth(edge, 0.2, 0.0, ROOM, C) / (2.0 * np.sqrt(2.0 * np.log(2.0)))
    weight = optics.absorbed_share(mixed, 3.4, C) * 0.7 / (sigma * np.sqrt(2.0 * np.pi))
    bells = np.exp(-0.5 * ((energy[:, None] - mixed.energy(C)) / sigma) ** 2) @ weight
    assert optics.emission_shape(mixed, energy, 3.4, C) == pytest.approx(
        bells, rel=1e-12, abs=1e-12
    )


def test_heat_takes_what_the_source_of_the_constants_says() -> None:
    """A share lost that the words beside the constants deny would be believed by nobody."""
    lost = [1.0 - 1.0 / (1.0 + float(optics.quench(t, C))) for t in (298.15, 470.0)]
    assert lost == pytest.approx([0.03, 0.5], abs=0.01)


def test_ensembles_at_once_are_each_by_itself():
    # a row must not see the classes of another, nor its excitation
    edge, amount = np.array([[6.0, 8.0, 11.0], [7.0, 9.0, 30.0]]), np.array([[1.0, 2.0, 0.5]] * 2)
    plain = np.zeros_like(edge)
    room = np.full_like(edge, 298.15)
    both = optics.Ensemble(edge, amount, plain, plain, 0.5 + 0.05 * amount, room)
    light = np.array([3.4, 2.45])
    shape = optics.emission_shape(both, ENERGY, light, C)
    taken = optics.absorbance(both, ENERGY, 0.7, C)
    assert shape.shape == taken.shape == (2, len(ENERGY))
    for k in range(2):
        fields = (getattr(both, f.name)[k] for f in dataclasses.fields(both))
        one = optics.Ensemble(*fields)
        np.testing.assert_allclose(shape[k], optics.emission_shape(one, ENERGY, light[k], C))
        np.testing.assert_allclose(taken[k], optics.absorbance(one, ENERGY, 0.7, C))
    assert not np.allclose(shape[0], optics.emission_shape(both, ENERGY, 2.45, C)[0])
