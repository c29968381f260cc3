"""The finite volumes of a micropipette's fields against what is known exactly."""

import numpy as np
import pytest

from surrogate_sim.axisymmetric import Boundary, Edges, closed, fed, held, mesh, solve
from surrogate_sim.micropipette import Setting, geometric_resistance, half_angle
from surrogate_sim.micropipette_fields import bromide_field, cation_field, consumption_rate
from surrogate_sim.parameters import twin_parameters

OWN = twin_parameters("micropipette").own


def test_cone_resistance_converges_in_second_order():
    errors = []
    for n in (8, 16, 32, 64):
        grid = mesh(7.66, 47.9, np.radians(6.0), n, 4)
        share = -np.diff(np.cos(grid.theta)) / (1.0 - np.cos(np.radians(6.0)))
        field = solve(grid, 1.0, 0.0, Edges(held(0.0, 4), fed(share), closed(n)))
        rho = grid.centres[0]
        exact = (1.0 / 7.66 - 1.0 / rho) / (2.0 * np.pi * (1.0 - np.cos(np.radians(6.0))))
        errors.append(float(np.abs(field[:, 0] / exact - 1.0)[n // 2]))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(orders > 1.9), f"cells must halve the error twice over: {orders}"


def test_a_field_that_depends_on_the_angle_converges_in_second_order():
    def exact(rho, theta):
        return rho**2 * (1.5 * np.cos(theta) ** 2 - 0.5)

    errors = []
    for n in (20, 40, 80):
        grid = mesh(1.0, 3.0, 0.5 * np.pi, n, n)
        rho, theta = grid.centres
        none = np.zeros(n)
        edges = Edges(
            Boundary(exact(1.0, theta), none),
            Boundary(exact(3.0, theta), none),
            Boundary(exact(rho, 0.5 * np.pi), none),
        )
        found = solve(grid, 1.0, 0.0, edges)
        errors.append(np.abs(found - exact(rho[:, None], theta[None, :])).max())
    assert np.log2(errors[1] / errors[2]) > 1.7


def test_a_field_held_nowhere_is_refused():
    with pytest.raises(ValueError, match="only fluxes"):
        solve(mesh(1.0, 2.0, 1.0, 4, 4), 1.0, 0.0, Edges(closed(4), closed(4), closed(4)))


def test_an_absorbing_disc_has_its_known_resistance():
    """1 / 4 D a for a disc in an insulating plane: the plane's mixed condition is in place."""
    n, m, far = 240, 80, 400.0
    grid = mesh(0.01, far, 0.5 * np.pi, n, m)
    rho, theta = grid.centres
    side = Boundary(np.where(rho < 1.0, 0.0, np.nan), np.zeros(n))
    found = solve(grid, 1.0, 0.0, Edges(closed(m), held(1.0, m), side))
    area = np.pi * np.diff(grid.rho**2)
    width = grid.theta[1] - grid.theta[0]
    flow = float((2.0 * area / (rho * width) * found[:, -1])[rho < 1.0].sum())
    assert flow == pytest.approx(4.0 / (1.0 - 2.0 / np.pi / far), rel=0.03)


def test_interface_takes_what_the_far_end_feeds():
    rate = consumption_rate(OWN)
    for ion in ("lead", "caesium"):
        assert cation_field(ion, rate, OWN).sink == pytest.approx(rate, rel=1e-9)


def test_cation_field_agrees_with_the_cone_in_closed_form():
    rate = consumption_rate(OWN)
    field = cation_field("lead", rate, OWN)
    near = 0.5 * OWN["reference_tip"] / np.sin(half_angle(OWN))
    rho = field.grid.centres[0]
    exact = 1.0 / near - 1.0 / rho
    assert field.fraction[:, 0] / field.fraction[-1, 0] == pytest.approx(
        exact / exact[-1], abs=1e-3
    )
    density = OWN["density_dmf"] * 1e3 / 207.2 * 6.02214076e23 * 1e-27
    through = rate * geometric_resistance(0.5 * OWN["reference_tip"], OWN)
    assert field.fraction[-1, 0] == pytest.approx(
        through / (OWN["diffusion_lead"] * density), rel=5e-3
    )


def test_bromide_field_agrees_with_the_lit_sphere_in_closed_form():
    """Y = S0 (1 - r2)/6 + dS (a2/2 - r2/6 - a3/3) inside the lit zone (specification 3.1)."""
    field = bromide_field(0.0, 60.0, OWN, n=320)
    r = np.array([0.02, 0.05, 0.1, 0.15])
    inner, outer, a = 5.2237617e-5, 8.6000956e-6, 0.2
    step = inner - outer
    exact = outer * (1.0 - r**2) / 6.0 + step * (a**2 / 2.0 - r**2 / 6.0 - a**3 / 3.0)
    assert field.along(r * 1e4) == pytest.approx(exact, rel=0.01)


def test_light_makes_bromide_in_proportion():
    one, two = (bromide_field(0.0, w, OWN).fraction for w in (60.0, 120.0))
    assert two == pytest.approx(2.0 * one, rel=1e-12)


def test_retracted_interface_is_wider_and_resists_less():
    setting = Setting(1600.0, 20.0, 30.0, 60.0)
    assert geometric_resistance(2000.0, OWN) < geometric_resistance(0.5 * setting.tip, OWN)
