"""Sizes, compositions and light against published figures, limits and identities."""

from __future__ import annotations

import numpy as np
import pytest

from surrogate_sim import materials, optics
from surrogate_sim.parameters import draw, nominal, table

C = nominal().materials
ENERGY = np.linspace(1.5, 3.5, 4001)


def ensemble(edge: float, plqy: float = 1.0) -> optics.Ensemble:
    one = np.ones(1)
    return optics.Ensemble(edge * one, one, 0 * one, 0 * one, plqy * one, 298.15 * one)


@pytest.mark.parametrize(("edge", "published"), [(5.1, 486.0), (13.1, 516.0)])
def test_measured_sizes_emit_where_they_were_measured(edge: float, published: float) -> None:
    assert materials.wavelength(materials.emission_energy(edge)) == pytest.approx(published, abs=1)


def test_large_dots_tend_to_the_edge_and_the_curve_is_monotone() -> None:
    edges = np.linspace(2.0, 40.0, 400)
    assert np.all(np.diff(materials.emission_energy(edges)) < 0.0)
    far = materials.wavelength(materials.emission_energy(1e5))
    assert far == pytest.approx(528.7, abs=0.1)


def test_the_inverse_curve_goes_round_trip() -> None:
    edges = np.linspace(2.0, 40.0, 100)
    for iodide in (0.0, 0.5, 1.0):
        energy = materials.emission_energy(edges, 0.0, iodide)
        back = materials.edge_from_energy(energy, 0.0, iodide)
        np.testing.assert_allclose(back, edges, rtol=1e-8)


def test_bromide_dots_span_the_published_window_and_halides_the_gamut() -> None:
    ends = materials.edge_from_energy(materials.HC / np.array([460.0, 520.0]))
    assert 2.5 <= ends[0] < ends[1] <= 20.0
    blue, red = (materials.wavelength(materials.edge_energy(*x)) for x in ((1, 0), (0, 1)))
    assert (float(blue), float(red)) == pytest.approx((410.0, 700.0), abs=12.0)
    reach = materials.gamut()
    assert reach[0] <= 410.0
    assert reach[1] >= 680.0


def test_composition_moves_the_colour_one_way() -> None:
    x = np.linspace(0.0, 1.0, 50)
    assert np.all(np.diff(materials.emission_energy(8.0, x, 0.0)) > 0.0)
    assert np.all(np.diff(materials.emission_energy(8.0, 0.0, x)) < 0.0)
    with pytest.raises(materials.MiscibilityError):
        materials.emission_energy(8.0, 0.5, 0.5)


def test_a_sphere_reads_smaller_on_the_cube_curve() -> None:
    assert materials.equivalent_edge(4.4, "sphere") == pytest.approx(3.81, abs=0.01)


def test_emission_integrates_to_the_quantum_yield_and_has_the_stated_width() -> None:
    shape = optics.emission_shape(ensemble(8.0, 0.6), ENERGY, 3.4, C)
    assert np.trapezoid(shape, ENERGY) == pytest.approx(0.6, rel=1e-6)
    above = ENERGY[shape >= 0.5 * shape.max()]
    width = optics.linewidth(8.0, 0.0, 0.0, 298.15, C)
    assert above[-1] - above[0] == pytest.approx(float(width), abs=0.002)


def test_the_inner_filter_follows_the_exact_factor() -> None:
    """Error 5.6 % at OD 0.05 and 11 % at 0.1 (FL-18)."""
    factor = optics.primary_factor(np.array([1e-9, 0.05, 0.1]))
    np.testing.assert_allclose(factor, [1.0, 1 - 0.056, 1 - 0.108], atol=2e-3)


def test_traps_lower_the_yield_and_small_dots_have_more_of_them() -> None:
    lifetime = optics.radiative_lifetime(8.0, 0.0, 0.0, C)
    few, many = optics.quantum_yield(np.array([0.0, 3.0]), lifetime, 298.15, C)
    assert 0.9 < few <= 1.0
    assert many < 0.3
    traps = optics.mean_traps(np.array([5.0, 10.0]), 1e-3, C)
    assert traps[0] > traps[1]


def test_yield_and_decay_are_one_model() -> None:
    lifetime, traps = 7.0, 1.3
    time = np.linspace(0.0, 400.0, 400_001)
    area = np.trapezoid(optics.decay(time, traps, lifetime, C), time) / lifetime
    cold = optics.quantum_yield(traps, lifetime, 30.0, C)
    assert float(cold) == pytest.approx(float(area), rel=1e-4)


def test_every_constant_has_a_source_and_hidden_labs_stay_within_their_priors() -> None:
    lab = draw(5)
    for name, values in (("materials", lab.materials), ("flow", lab.flow)):
        for key, constant in table(name).items():
            assert len(constant.source) > 8
            low, high = sorted((constant.drawn(-2.0), constant.drawn(2.0)))
            if constant.status == "fixed":
                assert values[key] == constant.value
            else:
                assert low <= values[key] <= high
    assert draw(5).flow["solubility"] == lab.flow["solubility"] != draw(6).flow["solubility"]
