"""Kills a campaign at every event, before and after its commit, and resumes it.

Run as a process of its own, since it forks: `python -m tests.loop.kill_driver AGENT KIND [EVERY]`.
KIND is `small`, or `plates` for wells that share a plate; EVERY skips events in between. Prints a
JSON document: the record of a campaign never killed, and every difference that was found.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from agents.sampling import sample_space
from instruments import Analysis, AttemptKey, Measurement, Verdict
from instruments.larp_plate import LarpPlateStation
from orchestrator.campaign import check_campaign
from orchestrator.ledger import Ledger, check_integrity, fold
from orchestrator.loop import create_campaign, drive, feasibility, station_of
from tests.loop.campaigns import PLATES, SMALL, Silent

CAMPAIGNS = {"small": SMALL, "plates": PLATES}


def campaign_of(agent: str, kind: str) -> dict[str, Any]:
    document = {**CAMPAIGNS[kind], "agent": {"name": agent}}
    if agent == "bayes":
        document["agent"] = {"name": "bayes", "initial": document["batch"]}
    return document


def refuse_some_wells() -> None:
    """Make the quality gate ask for a repeat of some wells of a full plate, and of no other."""
    original = LarpPlateStation.analyse

    def analyse(self: LarpPlateStation, measurement: Measurement) -> Analysis:
        conditions = measurement.conditions
        full = conditions["wells_on_plate"]["value"] == PLATES["batch"]
        if full and conditions["plate_column"]["value"] % 2:
            return Analysis({}, Verdict("repeat", ("an odd column",)))
        return original(self, measurement)

    LarpPlateStation.analyse = analyse  # type: ignore[method-assign]


def warm_up(document: dict[str, Any]) -> None:
    """Compile what a station needs once, before every child would do so for itself."""
    campaign = check_campaign(document)
    station = station_of(campaign)
    station.open()
    recipe = sample_space(replace(campaign.space, infeasible=feasibility(station)), 1, seed=0)[0]
    station.analyse(station.run(recipe, AttemptKey(1, 1)))
    station.close()


def kill_at(count: int, when: str) -> None:
    """Make this process die of SIGKILL at its `count`-th append."""
    original = Ledger.append
    seen = 0

    def append(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == count and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        event = original(self, *args, **kwargs)
        if seen == count and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    Ledger.append = append  # type: ignore[method-assign]


def in_child(action: Callable[[], None]) -> int:
    """Run `action` in a forked process and return its wait status."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def run(url: str, campaign: str) -> None:
    with Ledger.open(url) as ledger:
        drive(ledger, campaign, Silent())


def die(url: str, campaign: str, count: int, when: str) -> None:
    kill_at(count, when)
    run(url, campaign)


def record(url: str, campaign: str) -> dict[str, Any]:
    """What must not depend on kills: states, recipes, observables, achieved, predictions."""
    with Ledger.open(url) as ledger:
        row = ledger.campaign(campaign)
        spectra = fold(ledger.events(campaign)).spectra
        trials = [
            {
                "trial": t.number,
                "attempt": t.attempt,
                "state": t.state,
                "recipe": t.recipe,
                "achieved": t.achieved,
                "conditions": t.conditions,
                "lab_time": t.lab_time,
                "spectra": [s.values_sha256 for s in spectra if s.trial == t.number],
                "predicted": t.predicted,
                "observables": {k: [o.value, o.se] for k, o in t.observables.items()},
                "station_state": t.station_state,
            }
            for t in ledger.trials(campaign)
        ]
        findings = [f"{f.where}: {f.what}" for f in check_integrity(ledger, campaign).findings]
        return {
            "state": row.state,
            "stop_reason": row.stop_reason,
            "trials": trials,
            "findings": findings,
        }


def fresh(folder: str, name: str, document: dict[str, Any]) -> tuple[str, str]:
    url = f"sqlite:///{Path(folder) / name}.db"
    with Ledger.open(url) as ledger:
        return url, create_campaign(ledger, check_campaign(document))


def main(agent: str, kind: str, every: str = "1") -> dict[str, Any]:
    document = campaign_of(agent, kind)
    refuse_some_wells()
    warm_up(document)
    differences, doubts, kills = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        url, campaign = fresh(folder, "whole", document)
        if in_child(lambda: run(url, campaign)) != 0:
            raise SystemExit("the campaign that is never killed must finish")
        whole = record(url, campaign)
        with Ledger.open(url) as ledger:
            appends = len(ledger.events(campaign)) - 1
        for first, when in enumerate(("before", "after"), 1):
            for count in range(first, appends + 1, int(every)):
                kills += 1
                url, campaign = fresh(folder, f"{when}{count}", document)

                status = in_child(partial(die, url, campaign, count, when))
                if not os.WIFSIGNALED(status):
                    differences.append(f"{when} {count}: was not killed")
                if in_child(partial(run, url, campaign)) != 0:
                    differences.append(f"{when} {count}: resume failed")
                    continue
                if record(url, campaign) != whole:
                    differences.append(f"{when} {count}: the record differs")
                with Ledger.open(url) as ledger:
                    doubts += sum(e.type == "trial.in_doubt" for e in ledger.events(campaign))
    return {"whole": whole, "kills": kills, "doubts": doubts, "differences": differences}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
