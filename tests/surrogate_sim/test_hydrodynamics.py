import numpy as np
import pytest

from surrogate_sim import hydrodynamics as h

GAS, OIL, ONE = h.FLUID_PAIRS["gas"], h.FLUID_PAIRS["fluorinated_oil"], h.FLUID_PAIRS["none"]


def test_gas_and_toluene_at_the_upper_published_speed():
    # physics specification 3.5: Re 155, Ca 2e-3, We 0.30, Bo 0.30, Pe 1e5; just feasible
    n = h.numbers(GAS, 100.0, 1.0)
    found = [n.reynolds, n.capillary, n.weber, n.bond, n.peclet]
    np.testing.assert_allclose(found, [155.0, 2e-3, 0.30, 0.30, 1e5], rtol=0.03)
    assert h.check(GAS, 100.0, 1.0) == []


def test_oil_in_a_wide_bore_breaks_capillary_and_bond():
    names = {b.name for b in h.check(OIL, 100.0, 1.0)}
    assert names == {"capillary_number", "bond_number"}
    assert h.numbers(OIL, 100.0, 1.0).capillary == pytest.approx(0.05, rel=0.05)
    assert h.check(OIL, 15.0, 0.5) == []


@pytest.mark.parametrize(
    ("pair", "velocity", "bore", "name"),
    [
        (OIL, 25.0, 0.4, "capillary_number"),
        (GAS, 50.0, 1.02, "bond_number"),
        (GAS, 300.0, 0.5, "weber_number"),
        (GAS, 2.0, 0.4, "peclet_number"),
        (GAS, 110.0, 1.0, "peclet_number"),
    ],
)
def test_each_limit_is_reported_with_number_and_limit(pair, velocity, bore, name):
    # FL-04
    broken = {b.name: b for b in h.check(pair, velocity, bore)}
    assert name in broken
    limit = float(broken[name].limit.split()[-1])
    assert (broken[name].value > limit) == broken[name].limit.startswith("<")


def test_the_limits_are_sharp():
    for u, fine in ((19.9, True), (20.1, False)):  # Ca = 0.01 at 20 mm/s
        assert ("capillary_number" not in {b.name for b in h.check(OIL, u, 0.4)}) == fine


def test_one_phase_has_no_interface_and_no_limit():
    n = h.numbers(ONE, 100.0, 3.0)
    assert (n.capillary, n.weber, n.bond) == (0.0, 0.0, 0.0)
    assert h.check(ONE, 100.0, 3.0) == h.check(ONE, 0.1, 0.1) == []


def test_two_phases_quarter_the_mixing_and_halve_the_peclet_number():
    # FL-05, identities
    assert h.diffusion_time(1.0, 1e-9, False) == pytest.approx((0.5e-3) ** 2 / 2e-9, rel=1e-12)
    single, double = (h.diffusion_time(1.0, 1e-9, two) for two in (False, True))
    assert h.damkohler(double, 0.1) / h.damkohler(single, 0.1) == pytest.approx(0.25, rel=1e-12)
    one, two = (h.radial_peclet(50.0, 1.0, 1e-9, t) for t in (False, True))
    assert two / one == pytest.approx(0.5, rel=1e-12)


def test_chaotic_mixing_time():
    expected = 2.0 * 0.4 / 50.0 * np.log(50e-3 * 0.4e-3 / 1e-9)
    assert h.mixing_time(GAS, 50.0, 0.4) == pytest.approx(expected, rel=1e-12)
    assert h.mixing_time(GAS, 50.0, 0.4, kappa=2.0) == pytest.approx(2 * expected, rel=1e-12)
    speeds = np.linspace(12.0, 100.0, 10)
    assert np.all(np.diff([h.mixing_time(GAS, u, 0.4) for u in speeds]) < 0.0)


@pytest.mark.parametrize("pair", [ONE, GAS, OIL])
def test_residence_times_keep_their_mean(pair):
    theta = h.residence_quantiles(pair, 15.0, 0.4, 2000.0, 11)
    assert np.all(np.diff(theta) > 0.0) and theta[0] > 0.0
    assert theta.mean() == pytest.approx(1.0, rel=1e-12)


def test_laminar_residence_times_are_those_of_the_parabolic_profile():
    # E = tau^2/2t^3: none before tau/2, share after t is (tau/2t)^2
    theta = h.residence_quantiles(ONE, 20.0, 0.4, 2000.0, 400)
    assert theta[0] == pytest.approx(0.5, rel=2e-3)
    assert np.mean(theta > 1.0) == pytest.approx(0.25, abs=0.005)


def test_two_phases_spread_at_least_five_times_less():
    # FL-06, first half
    one, gas, oil = (
        h.residence_quantiles(p, 18.0, 0.4, 2000.0, 101).std() for p in (ONE, GAS, OIL)
    )
    assert one / gas >= 5.0
    assert one / oil >= 5.0
    assert oil == pytest.approx(1.0 / np.sqrt(h.tanks(OIL, 18.0, 0.4, 2000.0)), rel=1e-9)


def test_the_film_leak_grows_with_speed():
    leaks = [h.film_fraction(h.numbers(GAS, u, 0.4).capillary) for u in (12.0, 50.0, 100.0)]
    assert leaks == sorted(leaks)
    assert h.tanks(GAS, 100.0, 0.4, 2000.0) < h.tanks(GAS, 12.0, 0.4, 2000.0)
    assert h.tanks(GAS, 100.0, 0.4, 1.0) == 50.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: h.numbers(GAS, 0.0, 1.0),
        lambda: h.mixing_time(ONE, 10.0, -1.0),
        lambda: h.damkohler(1.0, 0.0),
        lambda: h.check(GAS, float("nan"), 1.0),
    ],
)
def test_dimensions_must_be_positive(call):
    with pytest.raises(ValueError, match=r"positive.*but got.*give"):
        call()


def test_every_pair_names_its_source():
    for name, pair in h.FLUID_PAIRS.items():
        assert pair.name == name
        assert "toluene" in pair.source
