"""Median seconds per proposal of `bayes` beside Ax's Client, on the green example.

Both see the same trials of the example's space, with the example's objectives, on one torch
thread, in turns within one run. Ax has no target objective and no conditional parameter in this
form: it gets the distance to the target as a metric to minimise, the other bounds as outcome
constraints, and an inactive parameter at its middle. The rebuild of Ax's client from the trials is
not timed; our agent refits from the history inside the timed call.

    python benchmarks/proposal_latency.py [--json] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
sys.path.insert(0, str(ROOT))
SIZES = (10, 30, 100)


def peer_environment() -> Path:
    """Make the environment of Ax where it is missing; return its interpreter."""
    folder = HERE / ".env-ax"
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    if not stamp.exists():
        sys.stderr.write(f"making {folder} for Ax; this takes a minute or two\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pins = ROOT / "constraints.txt"
        torch = next(p for p in pins.read_text().splitlines() if p.startswith("torch=="))
        index = os.environ.get("TORCH_INDEX")
        base = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*base, *(["--index-url", index] if index else []), torch], check=True)
        wanted = ["-c", str(pins), "-r", str(HERE / "ax-requirements.txt")]
        subprocess.run([*base, *wanted], check=True)
        stamp.touch()
    return python


def example() -> tuple[Any, Any, list[Any]]:
    """Return the example's campaign, its feasible space, and measured trials of its design."""
    from agents import Observation, PastTrial
    from agents.sampling import sample_space
    from instruments import AttemptKey
    from orchestrator.campaign import check_campaign, read_document
    from orchestrator.loop import feasibility, station_of

    campaign = check_campaign(read_document(ROOT / "examples" / "flow_green.yaml"))
    station = station_of(campaign)
    station.open()
    space = replace(campaign.space, infeasible=feasibility(station))
    wanted = {o.observable for o in campaign.objectives}
    trials: list[PastTrial] = []
    for number, recipe in enumerate(sample_space(space, 2 * SIZES[-1], seed=1), start=1):
        station.restore({})
        measurement = station.run(recipe, AttemptKey(number, 1))
        seen = station.analyse(measurement).observables
        if wanted <= set(seen) and len(trials) < SIZES[-1]:
            data = {n: Observation(v.value, v.se) for n, v in seen.items()}
            trials.append(PastTrial(len(trials) + 1, "completed", recipe, {}, data))
    station.close()
    return campaign, space, trials


def ours(campaign: Any, space: Any, trials: list[Any], seed: int) -> float:
    """Seconds of one proposal of our agent."""
    from agents import create_agent

    agent = create_agent("bayes", {"initial": 1})
    begun = time.perf_counter()
    agent.propose(space, campaign.objectives, trials, 1, seed)
    return time.perf_counter() - begun


def ax_job(campaign: Any, trials: list[Any], seed: int) -> dict[str, Any]:
    """The same problem in Ax's terms."""
    from agents import Categorical, Continuous

    free = [p for p in campaign.space.parameters if isinstance(p, (Continuous, Categorical))]
    middles = {p.name: (p.low * p.high) ** 0.5 if p.log else 0.5 * (p.low + p.high)
               for p in free if isinstance(p, Continuous)}  # fmt: skip
    target = next(o for o in campaign.objectives if o.goal == "target")
    bounds = [o for o in campaign.objectives if o.goal == "constraint"]

    def data(trial: Any) -> dict[str, list[float]]:
        found = {o.observable: [trial.observables[o.observable].value,
                                trial.observables[o.observable].se] for o in bounds}  # fmt: skip
        peak = trial.observables[target.observable]
        return {**found, "distance": [abs(peak.value - target.value), peak.se]}

    return {
        "seed": seed,
        "parameters": [
            {"name": p.name, "choices": list(p.choices)}
            if isinstance(p, Categorical)
            else {"name": p.name, "low": p.low, "high": p.high, "log": p.log}
            for p in free
        ],
        "objective": "-distance",
        "constraints": [f"{o.observable} <= {o.max}" for o in bounds if o.max is not None]
        + [f"{o.observable} >= {o.min}" for o in bounds if o.min is not None],
        "trials": [
            {
                "recipe": {p.name: t.recipe.get(p.name, middles.get(p.name)) for p in free},
                "data": data(t),
            }
            for t in trials
        ],
    }


def measure(repeats: int) -> dict[str, dict[str, float]]:
    """Time both in turns; return medians and their ratio by history length."""
    campaign, space, trials = example()
    peer = subprocess.Popen(
        [str(peer_environment()), str(HERE / "_ax_peer.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    if peer.stdin is None or peer.stdout is None:
        raise RuntimeError("the peer's pipes must be open")
    found = {}
    ours(campaign, space, trials[:10], 0)  # both are warm before they are timed
    peer.stdin.write(json.dumps(ax_job(campaign, trials[:10], 0)) + "\n")
    peer.stdin.flush()
    peer.stdout.readline()
    for size in SIZES:
        mine, theirs = [], []
        for seed in range(1, repeats + 1):
            mine.append(ours(campaign, space, trials[:size], seed))
            peer.stdin.write(json.dumps(ax_job(campaign, trials[:size], seed)) + "\n")
            peer.stdin.flush()
            theirs.append(json.loads(peer.stdout.readline())["seconds"])
        a, b = statistics.median(mine), statistics.median(theirs)
        found[str(size)] = {"ours": a, "ax": b, "ratio": b / a}
        sys.stderr.write(f"{size:4} observations: ours {a:.3f} s, Ax {b:.3f} s, {b / a:.1f} x\n")
    peer.stdin.close()
    peer.wait()
    return found


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    found = measure(options.repeats)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for size, row in found.items():
            print(f"{size:>4}  ours {row['ours']:.3f} s  Ax {row['ax']:.3f} s  {row['ratio']:.1f}")


if __name__ == "__main__":
    main()
