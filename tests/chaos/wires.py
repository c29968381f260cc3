"""A campaign on real drivers over wires and devices that fail: `make faults`.

Devices lose telegrams, stall, restart and hang up; lines clog and take in air. A person looks at a
station that stopped, and resumes. Then the record is held against what the emulators themselves
moved, and against the same campaign without faults.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from instruments import Station, create_station
from orchestrator.campaign import Campaign, check_campaign
from orchestrator.events import CampaignStopped, TrialFailed, TrialInDoubt
from orchestrator.ledger import Ledger, TrialRow, dose_rows
from orchestrator.loop import CampaignLoop, Observer, create_campaign, recorded_campaign
from orchestrator.replay import verify_campaign

MICROLITRE = 1.0
LOOKS = 50  # most times that a person resumes
WIRE = {"lost": 1.0, "mute": 1.0, "half": 1.0, "garbage": 1.0, "late": 1.0, "end_of_file": 0.5}
DEVICE = {"stall": 0.5, "power_cycle": 0.5}


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        trials: Of the campaign.
        seed: Of the faults.
        rate: Probability of each kind of fault for a telegram to a pump, roughly; controllers
            and the spectrometer suffer a third of it.
        clogs: Per hour on the plant's clock.
        agent: Proposes.
    """

    trials: int = 200
    seed: int = 1
    rate: float = 1e-4
    clogs: float = 0.02
    agent: str = "bayes"

    def campaign(self, instruments: Mapping[str, Any]) -> Campaign:
        """Return the campaign on these instruments."""
        lab = {"hidden": 3} | ({"instruments": dict(instruments)} if instruments else {})
        document = {
            "name": "faults",
            "station": "flow_synthesis",
            "lab": lab,
            "space": [
                {"name": "flow_velocity", "low": 20, "high": 60, "unit": "mm/s"},
                {"name": "cs_pb_ratio", "low": 0.4, "high": 1.2},
                {"name": "lead_concentration", "low": 8, "high": 16, "unit": "mmol/L"},
            ],
            "objectives": [{"observable": "plqy", "goal": "maximise"}],
            "agent": {"name": self.agent, **({"initial": 12} if self.agent == "bayes" else {})},
            "budget": {"trials": self.trials},
            "seed": 5,
        }
        return check_campaign(document)

    def instruments(self) -> dict[str, Any]:
        """Return drivers whose wires, devices and streams fail."""
        pumps = {k: v * self.rate for k, v in {**WIRE, **DEVICE}.items()}
        others = {k: v * self.rate / 3.0 for k, v in WIRE.items()}
        common = {"timeout": 0.2}
        return {
            "pumps": {
                "driver": "harvard_elite11",
                "faults": {"seed": self.seed, "spare": 100, **pumps, "clog": self.clogs},
                **common,
            },
            "thermostat": {
                "driver": "eurotherm_modbus",
                "faults": {"seed": self.seed + 1, "spare": 20, **others},
                **common,
            },
        }


class Silent:
    """Watches without a word."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Watched:
    """A station whose emulated pumps' own count is kept when it closes."""

    def __init__(self, station: Any) -> None:
        self._station = station
        self.moved: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._station, name)

    def close(self) -> None:
        """Note what the emulators have moved, then close."""
        bench = self._station._bench
        end = None if bench is None else bench.end("pumps")
        self.moved = {} if end is None else end.emulator.dispensed()
        self._station.close()


def _drive(ledger: Ledger, campaign_id: str) -> dict[str, float]:
    """Run a campaign until it rests; return what the emulators moved [µL]."""
    campaign = recorded_campaign(ledger.campaign(campaign_id))
    station = Watched(create_station(campaign.station, campaign.lab, seed=campaign.lab_seed))
    observer = cast(Observer, Silent())
    with ledger.acquire(campaign_id) as owner:
        CampaignLoop(
            ledger, campaign_id, campaign, cast(Station, station), owner.token, observer
        ).run()
    return station.moved


def _best(rows: Sequence[TrialRow]) -> TrialRow:
    done = [r for r in rows if r.state == "completed"]
    return max(done, key=lambda r: r.observables["plqy"].value)


def run(plan: Plan) -> dict[str, Any]:
    """Run the campaign with and without faults; return the figures and every problem."""
    began = monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger.open(f"sqlite:///{folder}/faults.db?synchronous=normal") as ledger,
    ):
        plain = create_campaign(ledger, plan.campaign({}), actor="faults")
        _drive(ledger, plain)
        made = create_campaign(ledger, plan.campaign(plan.instruments()), actor="faults")
        moved: Counter[str] = Counter()
        looks = 0
        while ledger.campaign(made).state != "finished" and looks < LOOKS:
            moved.update(_drive(ledger, made))
            looks += 1
        return _figures(ledger, plan, plain, made, moved, looks - 1, monotonic() - began)


def _figures(
    ledger: Ledger,
    plan: Plan,
    plain: str,
    made: str,
    moved: Mapping[str, float],
    looks: int,
    seconds: float,
) -> dict[str, Any]:
    rows, events = ledger.trials(made), [e.read() for e in ledger.events(made)]
    doubts = [e for e in events if isinstance(e, TrialInDoubt)]
    failures = [e for e in events if isinstance(e, TrialFailed)]
    least, most = _drawn(ledger, made)
    best, other = _best(ledger.trials(plain)), _best(rows)
    verified = verify_campaign(ledger, made, proposals=plan.trials <= 50)
    gap = best.observables["plqy"].value - other.observables["plqy"].value
    problems = [
        f"{stock}: the pumps moved {volume:.1f} µL, the record says {least[stock]:.1f} to "
        f"{most[stock]:.1f} µL"
        for stock, volume in moved.items()
        if not least[stock] - MICROLITRE <= volume <= most[stock] + MICROLITRE
    ]
    problems += [f.what for f in verified.findings]
    problems += [
        f"trial {r.number} is {r.state}" for r in rows if r.state in ("running", "in_doubt")
    ]
    problems += [f"a doubt has no cause: {d}" for d in doubts if not d.reason]
    state = ledger.campaign(made).state
    if state != "finished":
        problems.append(f"the campaign is {state}")
    return {
        "seed": plan.seed,
        "trials": len(rows),
        "completed": sum(r.state == "completed" for r in rows),
        "failed": dict(Counter(f.reason for f in failures)),
        "doubts": len(doubts),
        "causes": dict(Counter(d.reason.partition(":")[0] for d in doubts)),
        "stops": sum(isinstance(e, CampaignStopped) for e in events),
        "looked_at_by_a_person": looks,
        "moved": round(sum(moved.values()), 1),
        "recorded": {"least": round(sum(least.values()), 1), "most": round(sum(most.values()), 1)},
        "in_doubt_share": (sum(most.values()) - sum(least.values())) / sum(most.values()),
        "best_plqy": {
            "without": best.observables["plqy"].value,
            "with": other.observables["plqy"].value,
        },
        "best_recipe": {"without": _varied(best), "with": _varied(other)},
        "best_gap": gap,
        "seconds": round(seconds, 1),
        "problems": problems,
    }


def _varied(row: TrialRow) -> dict[str, Any]:
    names = ("flow_velocity", "cs_pb_ratio", "lead_concentration")
    return {n: round(float(row.recipe[n]), 3) for n in names}


def _drawn(ledger: Ledger, campaign: str) -> tuple[dict[str, float], dict[str, float]]:
    least: dict[str, float] = defaultdict(float)
    most: dict[str, float] = defaultdict(float)
    for row in dose_rows(ledger, None, campaign):
        for stock, dose in row.doses.items():
            least[stock] += dose.least
            most[stock] += dose.most
    return least, most


def main() -> None:
    """Run from the command line and print the figures as JSON; exit 1 where there are problems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=Plan.trials)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--agent", default=Plan.agent)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    found = run(Plan(given.trials, given.seed, given.rate, agent=given.agent))
    print(json.dumps(found, indent=2))
    if found["problems"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
