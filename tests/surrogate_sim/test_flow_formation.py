"""How the flow line's dots form: the full model against the reduced one, limits, conservation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surrogate_sim import flow, flow_batch, flow_formation, hydrodynamics, optics
from surrogate_sim.flow_formation import Formation, form, supply
from surrogate_sim.parameters import nominal
from tests.surrogate_sim.passages import feed, light, made

P = nominal()
REFERENCE = flow_batch.example(1)[0]


def formation(**changes: float) -> Formation:
    at = flow.formation(REFERENCE.feed, REFERENCE.at, P)
    return replace(at, **changes)


def numbers(growth: flow_formation.Growth, time: float) -> tuple[float, float]:
    """Mean size [nm] and relative deviation by number."""
    edge, bound = (x[0] for x in growth.at(np.array([time])))
    weight = np.repeat(bound[:, None], edge.shape[1], 1) / edge**3
    weight /= weight.sum()
    mean = float((weight * edge).sum())
    return mean, float(np.sqrt((weight * edge**2).sum() - mean**2) / mean)


@pytest.mark.parametrize("passage", flow_batch.example(12, seed=3))
def test_reduced_model_agrees_with_the_population_balance(passage: flow_batch.Passage) -> None:
    """Within 2 % in size and 10 % in dispersion, as planners are promised."""
    what = flow.formation(passage.feed, passage.at, P)
    time = passage.at.growth_time
    (size, spread), (size_full, spread_full) = (
        numbers(form(what, time, m), time) for m in ("reduced", "full")
    )
    assert size == pytest.approx(size_full, rel=0.02)
    assert spread == pytest.approx(spread_full, rel=0.10)


@pytest.mark.parametrize("temperature", [25.0, 60.0, 90.0])
@pytest.mark.parametrize("octadecene", [False, True])
def test_the_models_agree_in_heat(temperature: float, octadecene: bool) -> None:
    hot = temperature + (95.0 if octadecene else 0.0)
    found = [
        made(velocity=25.0, temperature=hot, octadecene=octadecene, model=m)
        for m in ("reduced", "full")
    ]
    assert found[0].mean_edge == pytest.approx(found[1].mean_edge, rel=0.02)
    assert light(found[0]).peak == pytest.approx(light(found[1]).peak, rel=2e-3)


@pytest.mark.parametrize("model", ["reduced", "full"])
def test_dots_hold_no_more_than_was_fed_and_nearly_all_in_the_end(
    model: flow_formation.Model,
) -> None:
    grown = form(formation(), 100.0, model)
    fed = formation().units
    assert np.all(grown.bound <= fed * (1.0 + 1e-6))
    assert grown.bound[:, -1] == pytest.approx(fed, rel=0.01)
    assert np.all(np.diff(grown.bound, axis=1) > -1e-3 * fed)


def test_everything_that_enters_is_converted_and_a_ramp_is_exact() -> None:
    """Even entry over t_m, first order k: converted(t_m) = 1 - (1 - e^(-k t_m)) / (k t_m)."""
    what = formation(conversion_time=0.1)
    time, amount = supply(what, 0.2)
    x = 2.0
    expected = what.units * (1.0 - (1.0 - np.exp(-x)) / x)
    assert np.interp(0.2, time, amount) == pytest.approx(expected, rel=0.02)
    assert amount[-1] == pytest.approx(what.units)
    assert np.all(np.diff(amount) >= 0.0)


def test_a_cold_feed_converts_later() -> None:
    warm = formation(conversion_time=1.0, conversion_energy=15.0)
    cold = replace(warm, cold=0.3)
    middle = [
        float(np.interp(0.5 * warm.units, amount, time))
        for time, amount in (supply(w, 0.1) for w in (warm, cold))
    ]
    assert middle[1] > middle[0] + 0.2


def test_slow_supply_makes_fewer_larger_dots_between_published_powers() -> None:
    """LaMer and Sugimoto: L ~ t_mix^(1/4..1/3) where mixing limits; hardly at all where not."""

    def size(mixing: float) -> float:
        what = formation(mixing_time=mixing, mixing_spread=0.0)
        return numbers(form(what, 10.0, "reduced"), 5.0)[0]

    slow = np.log(size(1.0) / size(0.4)) / np.log(2.5)
    fast = np.log(size(0.02) / size(0.008)) / np.log(2.5)
    assert 0.2 < slow < 0.36
    assert fast < 0.5 * slow


def test_elements_that_mix_unevenly_broaden() -> None:
    even, uneven = (
        numbers(form(formation(mixing_time=0.5, mixing_spread=s), 10.0, "reduced"), 5.0)[1]
        for s in (0.0, 0.7)
    )
    assert uneven > 1.5 * even


def test_bare_surfaces_coarsen_and_capped_ones_do_not() -> None:
    def growth(bare: float) -> float:
        grown = form(formation(bare=bare), 400.0, "reduced")
        return numbers(grown, 400.0)[0] / numbers(grown, 3.0)[0]

    assert growth(1.0) > 1.1
    assert growth(1e-6) == pytest.approx(1.0, abs=0.01)


def test_a_batch_is_what_its_recipes_are_one_by_one() -> None:
    passages = flow_batch.example(8, seed=5)
    at_once = flow_batch.evaluate(passages)
    for i, passage in enumerate(passages):
        single, _ = flow_batch.one(passage)
        assert at_once.edge[i] == pytest.approx(single.mean_edge, rel=3e-3)
        assert at_once.dispersion[i] == pytest.approx(single.dispersion, rel=0.02)
        assert at_once.units[i] == pytest.approx(single.units, rel=1e-3)
        seen = light(single)
        assert at_once.energy[i] == pytest.approx(seen.peak, abs=0.03)
        assert at_once.quantum_yield[i] == pytest.approx(seen.quantum_yield, rel=0.02)


def test_a_batch_gives_each_recipe_what_it_gets_alone() -> None:
    """Recipes share a kernel and arrays; neither neighbours nor solvents may reach across."""
    passages = flow_batch.example(12, seed=7)
    salted = replace(passages[3], joined=replace(passages[3].joined, zinc=20.0, iodide=40.0))
    passages[3] = replace(salted, at=replace(salted.at, exchange_time=20.0))
    hot = replace(passages[5].at, temperature=433.15, octadecene=True)
    passages[5] = replace(passages[5], at=hot)
    together = flow_batch.evaluate(passages)
    for i, passage in enumerate(passages):
        alone = flow_batch.evaluate([passage])
        for name in ("edge", "dispersion", "units", "energy", "width", "quantum_yield"):
            assert getattr(together, name)[i] == pytest.approx(getattr(alone, name)[0], rel=1e-9)


def test_branched_ligands_make_larger_dots_that_are_capped_worse() -> None:
    """Li 2020."""
    linear, branched = (
        made(replace(feed(length=8.0), branching=b), velocity=25.0) for b in (0.0, 1.0)
    )
    assert branched.mean_edge > linear.mean_edge
    assert branched.coverage < linear.coverage


def test_octadecene_needs_heat() -> None:
    cold, hot = (
        made(velocity=25.0, position=250.0, temperature=t, octadecene=True) for t in (30.0, 160.0)
    )
    assert cold.units < 0.1 * hot.units


def test_growth_sites_open_in_heat_once_and_for_all() -> None:
    """Half at the stated temperature, none in the cold, all far above: sizes stop rising."""
    f = nominal().flow
    half = f["opening_temperature"] + 273.15
    pairs = feed(acid=0.1 / 3.17 * 2**0.25, amine=0.1 / 3.17 * 2**0.25)  # 0.1 mol/L of pairs
    assert flow.open_sites(pairs, half, f) == pytest.approx(0.5)
    assert flow.open_sites(pairs, 298.15, f) < 1e-3
    assert flow.open_sites(pairs, half + 100.0, f) > 0.98
    crowded = replace(pairs, acid=3.0 * pairs.acid, amine=3.0 * pairs.amine)
    assert flow.open_sites(crowded, half, f) == pytest.approx(0.25), "mass action"
    branched = replace(pairs, branching=1.0)
    assert flow.open_sites(branched, half, f) > 0.5, "branched ligands pack and hold worse"


def test_size_in_octadecene_turns_with_temperature_where_sites_open_and_little_above() -> None:
    """Li 2020 within 30 K; hot injection makes 4 to 15 nm (Protesescu 2015), and no more."""

    def size(temperature: float, length: float = 8.0) -> float:
        of = feed(length=length, amine=0.034)
        return made(
            of, velocity=25.0, position=1000.0, temperature=temperature, octadecene=True
        ).mean_edge

    assert size(140.0) / size(110.0) > 1.4
    assert size(220.0, 18.0) / size(190.0, 18.0) < 1.25
    assert size(220.0, 18.0) < 15.0


def test_one_phase_spreads_by_convection_and_not_after_taylor() -> None:
    """A dot of 12 nm (6e-11 m2/s) needs about 4000 s in 1 mm to spread across the tube."""
    radius = 0.5e-3
    assert radius**2 / 6e-11 > 4000.0
    shares = hydrodynamics.residence_quantiles(hydrodynamics.FLUID_PAIRS["none"], 40.0, 0.4, 1e3)
    assert shares.min() == pytest.approx(0.55, abs=0.06)  # the axis takes half the mean time
    assert shares.mean() == pytest.approx(1.0)


def test_heat_shortens_lifetimes_as_it_dims() -> None:
    """Thermal quenching is a rate: dots of the same size decay faster by what they lose."""
    warm, hot = (made(velocity=25.0, temperature=t) for t in (25.0, 100.0))
    radiative = [
        optics.radiative_lifetime(x.ensemble.edge, 0.0, 0.0, P.materials) for x in (warm, hot)
    ]
    kept = [float(np.mean(x.lifetime / r)) for x, r in zip((warm, hot), radiative, strict=True)]
    assert kept[0] == pytest.approx(0.97, abs=0.01)
    assert kept[1] < 0.9
