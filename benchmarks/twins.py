"""How fast the twins' models run, and two of them beside FiPy and a plain Python loop.

Seconds of one core (processor time, so that a busy machine counts less), after warm-up, medians of
repeats. Each line has its aim from the issue that asked for the twins. The pipette's fields and
the exchange Monte Carlo are timed in turns with their peers within one run: FiPy solves the same
equations on as many cells in an environment of its own, the loop draws the same events one by
one. `ratio` is the peer's time over ours: above 1, ours is faster.

    python benchmarks/twins.py [--json] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import numpy as np  # noqa: E402
from _peer import Peer  # noqa: E402
from _questions import bromide_question, cation_question  # noqa: E402

from instruments import create_station  # noqa: E402
from instruments.station import AttemptKey, Value  # noqa: E402
from surrogate_sim import exchange_kinetics, topo_batch  # noqa: E402
from surrogate_sim.micropipette_fields import (  # noqa: E402
    bromide_field,
    cation_field,
    consumption_rate,
)
from surrogate_sim.parameters import twin_parameters  # noqa: E402
from surrogate_sim.topo_chemistry import Charge  # noqa: E402

PARTICLES, EVENTS_AT = 500, 10.0


def timed(act: Callable[[], object], repeats: int) -> float:
    """Median seconds of `act` after one call that is not counted."""
    act()
    return statistics.median(once(act) for _ in range(repeats))


def once(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def measured(seconds: float, aim: float, **more: Any) -> dict[str, Any]:
    return {"seconds": seconds, "aim": aim, "met": seconds <= aim, **more}


def population_balance(repeats: int) -> dict[str, Any]:
    """The batch synthesis of seed 001 over 300 s."""
    lab = twin_parameters("topo_batch")
    charge = Charge("dopa", 2.0, 6.0, 30.0, 298.15)
    times = np.concatenate([[0.0], np.geomspace(1e-3, 300.0, 200)])
    seconds = timed(lambda: topo_batch.react(charge, lab, times), repeats)
    return measured(seconds, 0.6, model="full", better_aim=0.3)


def larp_plate(repeats: int) -> dict[str, Any]:
    """A plate of 96 wells, read 73 times over 12 h, through station and metrology."""
    station = create_station("larp_plate")
    declared = station.description.parameters
    default = {p.name: p.default for p in declared if p.default is not None}
    wells = [{**default, "amine_acid_ratio": 0.1 + 0.02 * i} for i in range(96)]
    keys = [AttemptKey(i + 1, 1) for i in range(96)]
    station.open()

    def make() -> None:
        done = station.run_batch(wells, keys)  # type: ignore[attr-defined]
        for well in done:
            station.analyse(well)

    return measured(timed(make, max(repeats // 2, 1)), 3.0, wells=96)


def pipette_field(peer: Peer | None, repeats: int) -> dict[str, Any]:
    """Lead in the tip and bromide outside, on 160 x 16 and 160 x 32 cells."""
    own = twin_parameters("micropipette").own
    rate = consumption_rate(own)

    def solve() -> None:
        cation_field("lead", rate, own)
        bromide_field(rate, 60.0, own)

    solve()
    if peer is None:
        return measured(timed(solve, repeats), 0.1, peer={"skipped": "FiPy cannot be installed"})
    grids = cation_field("lead", rate, own), bromide_field(rate, 60.0, own)
    questions = (
        cation_question("lead", rate, own, grids[0].grid),
        bromide_question(rate, own, grids[1].grid),
    )
    answers = [peer.ask(**q) for q in questions]
    apart = max(
        float(np.abs(np.array(a["values"]) - g.fraction).max() / g.fraction.max())
        for a, g in zip(answers, grids, strict=True)
    )
    pairs = [
        (once(solve), sum(peer.ask(**q)["seconds"] for q in questions)) for _ in range(repeats)
    ]
    fipy = {"name": "FiPy", "version": answers[0]["version"], "largest_difference": apart}
    return beside(pairs, 0.1, fipy)


def beside(pairs: list[tuple[float, float]], aim: float, peer: dict[str, Any]) -> dict[str, Any]:
    ours, theirs = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    return measured(
        ours,
        aim,
        peer={**peer, "seconds": theirs},
        ratio=theirs / ours,
        ratios=sorted(b / a for a, b in pairs),
    )


def exchange(repeats: int) -> dict[str, Any]:
    """All events of 500 particles of 9.5 nm at 10 umol/L, and the same by a plain loop."""
    own = twin_parameters("anion_exchange").own
    edges = np.full(PARTICLES, 9.5)

    def ours() -> float:
        generator = np.random.default_rng(1)
        times = exchange_kinetics.event_times(edges, EVENTS_AT, own, generator)
        return float(times[:, times.shape[1] // 2].mean())

    means = ours(), _plain(own)
    pairs = [(once(ours), once(lambda: _plain(own))) for _ in range(repeats)]
    loop = {
        "name": "plain Python loop",
        "version": sys.version.split()[0],
        "mean_half_time": means[1],
    }
    return beside(pairs, 0.01, loop) | {"mean_half_time": means[0], "particles": PARTICLES}


def _plain(own: Mapping[str, float]) -> float:
    """Gillespie's method event by event, as one writes it without arrays."""
    generator = random.Random(1)
    events, edge = round(own["events"]), 9.5
    ratio = edge / own["reference_edge"]
    langmuir = EVENTS_AT / (1.0 + own["adsorption_constant"] * EVENTS_AT)
    supply = langmuir / own["supply_time"] * ratio ** -own["supply_size_exponent"]
    depth = own["cooperativity_length"] * (1.0 / own["reference_edge"] - 1.0 / edge)
    gain = own["cooperativity"] * math.exp(depth)
    diffusion = edge**2 / (4.0 * math.pi**2 * own["exchange_diffusivity"])
    halves = 0.0
    for _ in range(PARTICLES):
        now = 0.0
        times = [now]
        for i in range(events):
            share = i / events
            mean = (math.exp(-gain * share * share) / supply + diffusion) / events / (1.0 - share)
            now += generator.expovariate(1.0) * mean
            times.append(now)
        halves += times[(events + 1) // 2]
    return halves / PARTICLES


def flow_trial(model: str, aim: float, repeats: int) -> dict[str, Any]:
    """One trial of the flow station, in gas-segmented flow at a speed of its own each time."""
    from instruments.flow_synthesis import FlowSynthesisStation

    station = FlowSynthesisStation({"model": model})
    declared = station.description.parameters
    default: dict[str, Value] = {
        p.name: p.default for p in declared if p.default is not None and p.when is None
    }
    station.open()
    numbers = iter(range(1, 10_000))

    def trial() -> None:
        at = next(numbers)
        recipe = {**default, "flow_format": "gas_liquid", "flow_velocity": 20.0 + 0.37 * at}
        station.analyse(station.run(recipe, AttemptKey(at, 1)))

    return measured(timed(trial, repeats), aim, model=model)


def _made(passage: Any, model: str) -> Any:
    from surrogate_sim import flow
    from surrogate_sim.parameters import nominal

    at = replace(passage.at, model=model)
    return flow.product(passage.feed, passage.joined, passage.share, at, nominal())


def reduced_model(repeats: int) -> dict[str, Any]:
    """Dots by the reduced model over the station's range, and how far from the full one's."""
    from surrogate_sim import flow_batch

    passages = flow_batch.example(4 * repeats, seed=5)
    _made(flow_batch.example(1, seed=6)[0], "reduced")
    seconds = [once(partial(_made, x, "reduced")) for x in passages]
    apart = []
    for x in passages:
        full, quick = _made(x, "full"), _made(x, "reduced")
        if full.units > 0.0 and quick.units > 0.0:
            apart.append(
                (quick.mean_edge / full.mean_edge - 1.0, quick.dispersion / full.dispersion - 1.0)
            )
    size, spread = np.abs(np.array(apart)).T
    return measured(
        statistics.median(seconds),
        0.01,
        model="reduced",
        passages=len(apart),
        size={"median": float(np.median(size)), "largest": float(size.max()), "aim": 0.02},
        dispersion={
            "median": float(np.median(spread)),
            "largest": float(spread.max()),
            "aim": 0.1,
        },
    )


def flow_batch_of(count: int) -> dict[str, Any]:
    """Reduced flow recipes at once, and one by one by whichever way is the faster."""
    from surrogate_sim import flow_batch

    flow_batch.evaluate(flow_batch.example(20, seed=1))
    recipes = flow_batch.example(count, seed=2)
    at_once = once(lambda: flow_batch.evaluate(recipes))
    part, share = flow_batch.example(count // 10, seed=3), 10.0
    singly = share * once(lambda: [flow_batch.one(r) for r in part])
    by_itself = share * once(lambda: [flow_batch.evaluate([r]) for r in part])
    gain = min(singly, by_itself) / at_once
    return {
        "seconds": at_once,
        "one_by_one": min(singly, by_itself),
        "ratio": gain,
        "aim": 5.0,
        "met": gain >= 5.0,
    }


def measure(repeats: int) -> dict[str, Any]:
    """Return the benchmark's document."""
    found: dict[str, Any] = {"population_balance": population_balance(repeats)}
    found["flow_trial_full"] = flow_trial("full", 0.8, repeats)
    found["flow_trial_reduced"] = flow_trial("reduced", 0.02, repeats)
    for name, act in (
        ("flow_model_reduced", lambda: reduced_model(repeats)),
        ("flow_batch_of_1000", lambda: flow_batch_of(1000)),
    ):
        try:
            found[name] = act()
        except ImportError as error:
            found[name] = {"skipped": str(error)}
    found["larp_plate_of_96"] = larp_plate(repeats)
    found["exchange_of_500"] = exchange(repeats)
    try:
        peer = Peer("physics", "physics.py")
    except (subprocess.CalledProcessError, OSError) as error:
        sys.stderr.write(f"FiPy is left out: {error}\n")
        found["pipette_field"] = pipette_field(None, repeats)
        return found
    with peer:
        found["pipette_field"] = pipette_field(peer, repeats)
    return found


def _table(document: Mapping[str, Any]) -> str:
    lines = [f"{'':22}{'ours':>12}{'aim':>12}{'':>6}  beside"]
    for name, row in document.items():
        if "skipped" in row:
            lines.append(f"{name:22}{row['skipped']}")
            continue
        aim = f"{row['aim']:g} x" if "one_by_one" in row else _seconds(row["aim"])
        line = f"{name:22}{_seconds(row['seconds']):>12}{aim:>12}"
        line += f"{'met' if row['met'] else 'MISS':>6}"
        if "one_by_one" in row:
            line += f"  one by one {_seconds(row['one_by_one'])}: {row['ratio']:.1f} times"
        elif "dispersion" in row:
            line += f"  off the full model by {100 * row['size']['largest']:.2g} % in size and "
            line += f"{100 * row['dispersion']['largest']:.2g} % in dispersion at most"
        elif "ratio" in row:
            peer = row["peer"]
            line += f"  {peer['name']} {_seconds(peer['seconds'])}: {row['ratio']:.1f} times"
        lines.append(line)
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{1e3 * value:.3g} ms" if value < 1.0 else f"{value:.3g} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each")
    options = parser.parse_args()
    document = measure(options.repeats)
    print(json.dumps(document) if options.json else _table(document))


if __name__ == "__main__":
    main()
