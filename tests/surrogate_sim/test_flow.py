"""The flow twin: conservation, published anchors and trends, and its state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate_sim import flow, hydrodynamics
from surrogate_sim.flow import Composition, Conditions
from surrogate_sim.materials import HC, emission_energy
from surrogate_sim.parameters import nominal
from surrogate_sim.plants.flow import FlowPlant, Line

P = nominal()
LINE = Line(0.4, 3000.0, 300.0, 60.0, 5.0, 0.1)
FEED = Composition(lead=5.0, caesium=4.0, bromide=20.0, acid=0.04, amine=0.034)


def conditions(velocity: float = 40.0, carrier: hydrodynamics.Carrier = "gas") -> Conditions:
    pair = hydrodynamics.FLUID_PAIRS[carrier]
    mixing = hydrodynamics.mixing_time(pair, velocity, LINE.bore)
    spread = hydrodynamics.residence_quantiles(pair, velocity, LINE.bore, 1000.0)
    return Conditions(mixing, 1000.0 / velocity, 0.0, spread, 298.15)


def made(feed: Composition = FEED, at: Conditions | None = None) -> flow.Product:
    return flow.product(feed, feed, 1.0, at or conditions(), P)


species = st.floats(0.5, 40.0)


@settings(max_examples=60, deadline=None)
@given(species, species, species, st.floats(0.0, 60.0), st.booleans(), st.floats(0.005, 0.1))
def test_every_element_is_conserved(
    lead: float, caesium: float, bromide: float, salt: float, iodide: bool, acid: float
) -> None:
    feed = Composition(lead=lead, caesium=caesium, bromide=bromide, acid=acid, amine=0.03)
    halide = {"iodide" if iodide else "chloride": 2.0 * salt}
    stream = Composition(zinc=salt, acid=0.1, amine=0.1, **halide)
    joined = flow.mix([(0.7, feed), (0.3, stream)])
    at = replace(conditions(), exchange_time=20.0)
    found = flow.product(feed, joined, 0.7, at, P)
    e, rest = found.ensemble, found.dissolved
    amount = e.amount
    x_br = 1.0 - e.chloride - e.iodide
    for dots, free, total in (
        (amount.sum(), rest.lead, joined.lead),
        (amount.sum(), rest.caesium, joined.caesium),
        (3.0 * amount @ x_br, rest.bromide, joined.bromide),
        (3.0 * amount @ e.chloride, rest.chloride, joined.chloride),
        (3.0 * amount @ e.iodide, rest.iodide, joined.iodide),
    ):
        assert dots + free == pytest.approx(total, rel=1e-6, abs=1e-9)
        assert free >= -1e-6 * max(total, 1.0)


def test_faster_flow_is_bluer_over_ten_speeds() -> None:
    """Epps 2017 (FL-03)."""
    energies = [
        float(emission_energy(made(at=conditions(v)).mean_edge)) for v in np.linspace(12, 100, 10)
    ]
    assert np.all(np.diff(energies) > 0.0)


def test_acid_matters_more_where_mixing_is_slow() -> None:
    """Epps 2020 (FL-15)."""

    def shift(velocity: float) -> float:
        poor, rich = (
            made(replace(FEED, acid=a), conditions(velocity)).mean_edge for a in (0.018, 0.067)
        )
        return rich / poor

    assert shift(12.0) > shift(100.0) > 1.0


def test_equilibrium_does_not_know_of_ligands_but_its_rate_does() -> None:
    """FL-12, FL-13: k1 rises with salt and falls with acid; the end depends on neither ligand."""
    stream = Composition(zinc=30.0, iodide=60.0, bromide=8.0, acid=0.02, amine=0.05)
    acidic = replace(stream, acid=0.10)
    edge = np.full(1, 8.0)
    early = np.full(1, 0.5)

    def progress(c: Composition, time: np.ndarray) -> float:
        return float(flow.exchange_progress(c, edge, time, 298.15, P.flow)[0])

    assert progress(stream, early) > progress(acidic, early)
    assert progress(replace(stream, zinc=60.0), early) > progress(stream, early)
    late = np.full(1, 1e6)
    assert progress(stream, late) == pytest.approx(progress(acidic, late), abs=1e-9)


@given(st.floats(0.1, 10.0), st.floats(0.0, 100.0), st.floats(0.0, 100.0), st.floats(0.2, 5.0))
def test_equilibrium_satisfies_its_mass_action(
    units: float, excess: float, halide: float, constant: float
) -> None:
    bromide = 3.0 * units + excess
    x = flow.equilibrium_fraction(units, bromide, halide, constant)
    assert 0.0 <= x <= 1.0
    left = x * (excess + 3.0 * units * x)
    right = constant * (1.0 - x) * (halide - 3.0 * units * x)
    assert left == pytest.approx(right, rel=1e-6, abs=1e-6 * (1.0 + halide + excess))


def test_single_phase_spreads_residence_times_far_more() -> None:
    """FL-06: the ratio of the spreads is at least five."""
    spreads = [
        np.std(hydrodynamics.residence_quantiles(hydrodynamics.FLUID_PAIRS[c], 40.0, 0.4, 1000.0))
        for c in ("none", "fluorinated_oil")
    ]
    assert spreads[0] / spreads[1] >= 5.0
    for carrier in hydrodynamics.FLUID_PAIRS:
        pair = hydrodynamics.FLUID_PAIRS[carrier]
        mean = hydrodynamics.residence_quantiles(pair, 40.0, 0.4, 1000.0, 200).mean()
        assert mean == pytest.approx(1.0, rel=1e-9)


def test_feasibility_numbers_match_the_specification() -> None:
    """Gas-toluene at 1 mm and 100 mm/s: Re 155, Ca 2e-3, We 0.30, Bo 0.30, Pe 1e5."""
    gas = hydrodynamics.FLUID_PAIRS["gas"]
    n = hydrodynamics.numbers(gas, 100.0, 1.0)
    assert n.reynolds == pytest.approx(155, rel=0.02)
    assert n.capillary == pytest.approx(2e-3, rel=0.05)
    assert n.weber == pytest.approx(0.30, rel=0.05)
    assert n.bond == pytest.approx(0.30, rel=0.02)
    assert n.peclet == pytest.approx(1e5)
    assert hydrodynamics.check(gas, 100.0, 1.0) == []
    oil = hydrodynamics.FLUID_PAIRS["fluorinated_oil"]
    assert {b.name for b in hydrodynamics.check(oil, 100.0, 1.0)} >= {
        "capillary_number",
        "bond_number",
    }
    assert hydrodynamics.check(hydrodynamics.FLUID_PAIRS["none"], 100.0, 1.0) == []


def plant(state: dict[str, object] | None = None) -> FlowPlant:
    inlets = {
        "lead": Composition(lead=20.0, bromide=80.0),
        "caesium": Composition(caesium=20.0, acid=0.16, amine=0.14),
        "solvent": Composition(),
        "salt": Composition(zinc=100.0, iodide=200.0, acid=0.1, amine=0.1),
    }
    stages = dict.fromkeys(inlets, "synthesis") | {"salt": "exchange"}
    return FlowPlant(LINE, inlets, stages, P, state)  # type: ignore[arg-type]


def running() -> FlowPlant:
    p = plant()
    p.set_probe(1000.0)
    for inlet, rate in (("lead", 1.5), ("caesium", 1.2), ("solvent", 3.0)):
        p.set_flow(inlet, rate)
    return p


def test_the_probe_sees_nothing_before_the_fluid_arrives_and_settles_after() -> None:
    p = running()
    axis = np.linspace(400.0, 700.0, 301)
    p.advance(5.0)
    early = p.emission(axis).sum()
    p.advance(400.0)
    settled = p.emission(axis)
    p.advance(400.0)
    np.testing.assert_allclose(p.emission(axis), settled, rtol=1e-4)
    assert early < 0.5 * settled.sum()
    peak = HC / float(emission_energy(p.truth()["edge"]))
    assert axis[settled.argmax()] == pytest.approx(peak, abs=4.0)


def test_a_step_of_time_can_be_split() -> None:
    one, many = running(), running()
    one.advance(300.0)
    for _ in range(100):
        many.advance(3.0)
    assert one.truth()["edge"] == pytest.approx(many.truth()["edge"], rel=1e-3)
    assert one.state()["clock"] == pytest.approx(many.state()["clock"])


def test_halide_exchange_reddens_and_state_survives() -> None:
    p = running()
    p.advance(600.0)
    axis = np.linspace(400.0, 700.0, 301)
    before = axis[p.emission(axis).argmax()]
    p.set_flow("salt", 0.6)
    p.advance(600.0)
    assert axis[p.emission(axis).argmax()] > before + 10.0
    state = p.state()
    assert plant(state).state() == state
    assert state["drawn"]["salt"] == pytest.approx(0.6 * 597.0, rel=0.02)


def test_nonsense_is_refused() -> None:
    p = plant()
    for act in (
        lambda: p.set_flow("lead", -1.0),
        lambda: p.set_flow("nothing", 1.0),
        lambda: p.set_probe(1e5),
        lambda: p.advance(-1.0),
        lambda: p.set_carrier("none", 3.0),
        lambda: plant({"clock": "noon"}),
    ):
        with pytest.raises(ValueError, match="must|holds|cannot"):
            act()
