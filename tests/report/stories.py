"""Campaigns of every kind for the report, as the events that a ledger would hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator import events as ev
from orchestrator.ledger import Ledger, array_digest

AXIS = np.linspace(400.0, 650.0, 400)
STATION: dict[str, Any] = {
    "name": "bench", "version": "7", "description": "a <b>bench</b>", "simulated": True,
    "repeatable": True, "max_batch": 1,
    "parameters": [
        {"name": "lead_concentration", "unit": "mmol/L", "description": "lead in the feed"},
        {"name": "halide_salt", "unit": "", "description": "salt & stage"},
        {"name": "salt_concentration", "unit": "mmol/L", "description": "zinc salt"},
        {"name": "temperature", "unit": "degC", "description": "of the tube"},
    ],
    "observables": [
        {"name": "peak_emission", "unit": "nm", "description": "the line", "spectral": True},
        {"name": "plqy", "unit": "", "description": "quantum yield", "spectral": False},
        {"name": "emission_fwhm", "unit": "nm", "description": "width", "spectral": False},
    ],
}  # fmt: skip
SALTS = {"parameter": "halide_salt", "choices": ["ZnI2"]}
SPACE: list[dict[str, Any]] = [
    {"kind": "continuous", "name": "lead_concentration", "low": 1.0, "high": 16.0,
     "unit": "mmol/L", "log": True, "step": None, "integer": False, "when": None},
    {"kind": "categorical", "name": "halide_salt", "choices": ["none", "ZnI2"], "when": None},
    {"kind": "fixed", "name": "temperature", "value": 25.0, "unit": "degC", "when": None},
    {"kind": "continuous", "name": "salt_concentration", "low": 1.0, "high": 9.0,
     "unit": "mmol/L", "log": False, "step": None, "integer": False, "when": SALTS},
]  # fmt: skip
TARGET = {"observable": "peak_emission", "goal": "target", "value": 512.0, "tolerance": 1.5,
          "min": None, "max": None, "unit": "nm"}  # fmt: skip
BRIGHT = {"observable": "plqy", "goal": "maximise", "value": None, "tolerance": None,
          "min": None, "max": None, "unit": ""}  # fmt: skip
NARROW = {"observable": "emission_fwhm", "goal": "constraint", "value": None, "tolerance": None,
          "min": None, "max": 20.0, "unit": "nm"}  # fmt: skip
AGENT = ev.AgentRecord(
    name="bayes", version="3", configuration={"initial": 2}, libraries={"torch": "2.13.0"}
)


def ticking(step: float = 2.0) -> Callable[[], datetime]:
    """A clock that moves on by `step` seconds at every look."""
    moments: Iterator[datetime] = (
        datetime(2026, 3, 1, 9, 30, tzinfo=UTC) + timedelta(seconds=step * n) for n in range(10**6)
    )
    return lambda: next(moments)


def open_ledger(folder: Path) -> Ledger:
    """A fresh database with a clock of its own."""
    return Ledger.open(f"sqlite:///{folder / 'ledger.db'}", clock=ticking())


def created(objectives: list[dict[str, Any]], **changes: Any) -> ev.CampaignCreated:
    """The first event, with these objectives."""
    resolved = {
        "name": "story", "station": "bench", "space": SPACE, "constraints": [],
        "objectives": objectives, "agent": "bayes", "agent_options": {"initial": 2}, "lab": None,
        "lab_seed": 4, "batch": 1, "trials": 12, "hours": None, "confidence": 0.9,
        "no_improvement": None, "approval": False, "in_doubt": None, "seed": 4,
    }  # fmt: skip
    fields: dict[str, Any] = {
        "name": "story", "source": "launched", "declared": {"name": "story"}, "resolved": resolved,
        "station": STATION, "seed": 4, "lab_seed": 4,
    }  # fmt: skip
    return ev.CampaignCreated(**(fields | changes))


def recipe(number: int) -> dict[str, Any]:
    """A recipe; every third has the salt."""
    found: dict[str, Any] = {
        "lead_concentration": 1.0 + number, "halide_salt": "none", "temperature": 25.0
    }  # fmt: skip
    if number % 3 == 0:
        found |= {"halide_salt": "ZnI2", "salt_concentration": 2.0 + 0.5 * number}
    return found


def values(number: int) -> dict[str, tuple[float, float]]:
    """What trial `number` gives: (value, standard error) of each observable."""
    return {
        "peak_emission": (498.0 + 1.6 * number, 0.3),
        "plqy": (0.9 - 0.05 * number, 0.02),
        "emission_fwhm": (16.0 + 0.5 * number, 0.15),
    }


def proposed(number: int) -> ev.StepProposed:
    """A step of one trial; from the third on with a prediction."""
    predicted = {}
    if number > 2:
        predicted = {
            name: ev.PredictedValue(mean=value + 2.0 * se, sd=2.0 * se)
            for name, (value, se) in values(number).items()
        }
    trial = ev.ProposedTrial(
        trial=number, recipe=recipe(number), policy="log_ei" if predicted else "sobol",
        predicted=predicted, policy_value=0.5 if predicted else None,
    )  # fmt: skip
    return ev.StepProposed(
        step=number, seed=7, history_hash="ab" * 32, agent=AGENT, proposals=(trial,)
    )


def measured(number: int, attempt: int = 1) -> tuple[ev.TrialMeasured, tuple[np.ndarray, ...]]:
    """Emission with its dark, and absorbance."""
    peak = values(number)["peak_emission"][0]
    noise = np.random.default_rng([number, attempt]).normal(0.0, 8.0, AXIS.shape)
    pl = 400.0 + 9000.0 * np.exp(-0.5 * ((AXIS - peak) / 8.0) ** 2) + noise
    dark = np.full(AXIS.shape, 400.0)
    edge = 0.2 / (1.0 + np.exp((AXIS - peak + 10.0) / 6.0))
    arrays = {"pl": pl, "dark": dark, "absorbance": edge}
    spectra = tuple(
        ev.SpectrumRecord(
            name=name, axis_sha256=array_digest(AXIS), values_sha256=array_digest(a),
            axis_unit="nm", unit="AU" if name == "absorbance" else "counts",
            settings={"integration_time": 0.5},
        )
        for name, a in arrays.items()
    )  # fmt: skip
    event = ev.TrialMeasured(
        trial=number, attempt=attempt, achieved={"lead_concentration": 1.02 + number},
        conditions={"residence_time": {"value": 12.5, "unit": "s"}}, spectra=spectra,
        station_state={"clock": 900.0 * number}, warnings=("mixing is slow",),
        identities=({"instrument": "pump", "model": "P<1>", "serial": "s", "simulated": True},),
        lab_time=900.0 * number,
    )  # fmt: skip
    return event, (AXIS, *arrays.values())


def observables(number: int, wide: float = 1.0) -> dict[str, ev.ObservableRecord]:
    """The observables of a trial."""
    units = {o["name"]: o["unit"] for o in STATION["observables"]}
    return {
        name: ev.ObservableRecord(value=v, se=wide * se, unit=units[name], method="fit@1")
        for name, (v, se) in values(number).items()
    }


class Writer:
    """Appends the events of one campaign."""

    def __init__(self, ledger: Ledger, first: ev.CampaignCreated) -> None:
        self.ledger = ledger
        self.id = ledger.create_campaign(first, actor="test")

    def add(self, *payloads: ev.Payload) -> None:
        for payload in payloads:
            self.ledger.append(self.id, payload, actor="test")

    def measure(self, number: int, attempt: int = 1) -> None:
        self.add(ev.TrialDispatched(trial=number, attempt=attempt, station="bench"))
        self.add(ev.TrialRunning(trial=number, attempt=attempt))
        event, arrays = measured(number, attempt)
        self.ledger.append(self.id, event, actor="test", arrays=arrays)

    def complete(self, number: int, attempt: int = 1) -> None:
        verdict = ev.VerdictRecord(kind="accept")
        self.measure(number, attempt)
        self.add(
            ev.TrialCompleted(
                trial=number, attempt=attempt, observables=observables(number), verdict=verdict
            )
        )

    def fail(self, number: int) -> None:
        self.add(
            ev.TrialDispatched(trial=number, attempt=1, station="bench"),
            ev.TrialRunning(trial=number, attempt=1),
            ev.TrialFailed(trial=number, attempt=1, reason="clogged", message="no <flow> passes"),
        )


def draft(ledger: Ledger) -> str:
    """A campaign that nobody has started."""
    return Writer(ledger, created([TARGET])).id


def one_trial(ledger: Ledger) -> str:
    """One completed trial, no prediction."""
    story = Writer(ledger, created([TARGET, NARROW]))
    story.add(ev.CampaignStarted(), proposed(1))
    story.complete(1)
    return story.id


def failed_only(ledger: Ledger) -> str:
    """Two trials that both clogged."""
    story = Writer(ledger, created([TARGET, BRIGHT]))
    story.add(ev.CampaignStarted())
    for number in (1, 2):
        story.add(proposed(number))
        story.fail(number)
    story.add(ev.CampaignStopped(stop_reason="stopped", detail="enough"))
    return story.id


def full(ledger: Ledger) -> str:
    """Two driving objectives and a bound; a failure, a rejection, a doubt, a resumption."""
    asked = {"observable": "peak_emission", "goal": "target", "value": 2.4216, "tolerance": 0.0071,
             "unit": "eV"}  # fmt: skip
    first = created(
        [TARGET, BRIGHT, NARROW], name="full <script>alert(1)</script>",
        declared={"name": "full", "objectives": [asked]},
    )  # fmt: skip
    story = Writer(ledger, first)
    story.add(ev.CampaignStarted())
    for number in range(1, 10):
        story.add(proposed(number))
        if number == 4:
            story.fail(4)
        elif number == 5:
            _rejected(story)
        elif number == 7:
            _doubted(story)
        else:
            story.complete(number)
    story.add(proposed(10))
    story.measure(10)
    story.add(
        ev.TrialRejected(
            trial=10, attempt=1, observables={},
            verdict=ev.VerdictRecord(kind="stop", reasons=("saturated",)),
        ),
        ev.CampaignFinished(stop_reason="target_reached", detail="trial 9 meets all", trial=9),
    )  # fmt: skip
    return story.id


def _rejected(story: Writer) -> None:
    verdict = ev.VerdictRecord(kind="repeat", reasons=("low signal",))
    story.measure(5)
    story.add(
        ev.TrialRejected(trial=5, attempt=1, observables={}, verdict=verdict),
        ev.TrialApproved(trial=5, attempt=2, reason="repeat"),
    )
    story.complete(5, attempt=2)


def _doubted(story: Writer) -> None:
    story.add(
        ev.TrialDispatched(trial=7, attempt=1, station="bench"),
        ev.CampaignResumed(),
        ev.TrialInDoubt(trial=7, attempt=1, found="dispatched", reason="no outcome"),
        ev.TrialResolved(trial=7, attempt=1, decision="repeat", by="policy", note="repeatable"),
    )
    story.complete(7)


def imported(ledger: Ledger) -> str:
    """Rows of somebody's file: no objectives, missing values, no errors."""
    resolved = created([]).resolved | {"agent": "imported", "confidence": None}
    rows = [
        ev.TrialImported(
            trial=n, attempt=1, step=n, state="completed", recipe=recipe(n), origin={"row": n},
            observables={
                name: ev.ObservableRecord(value=o.value, se=None, unit=o.unit, method="imported@1")
                for name, o in observables(n).items()
                if not (name == "plqy" and n % 2)
            },
        )
        for n in range(1, 31)
    ]  # fmt: skip
    first = created(
        [], source="imported", resolved=resolved, declared={"file": "x.csv", "sha256": "cd" * 32}
    )
    end = ev.CampaignFinished(stop_reason=None, detail="imported 30 rows")
    return ledger.create_with([first, *rows, end], actor="test")


def forked(ledger: Ledger) -> str:
    """A fork: two trials of the parent with spectra, none of its own."""
    events: list[ev.Payload] = [created([TARGET], source="forked", parent="cparent", forked_at=9)]
    arrays: list[np.ndarray] = []
    for number in (1, 2):
        raw, blobs = measured(number)
        arrays += blobs
        events.append(
            ev.TrialImported(
                trial=number, attempt=1, step=number, state="completed", recipe=recipe(number),
                achieved=raw.achieved, observables=observables(number), spectra=raw.spectra,
                conditions=raw.conditions, identities=raw.identities, lab_time=raw.lab_time,
                verdict=ev.VerdictRecord(kind="accept"),
                origin={"campaign": "cparent", "trial": number},
            )
        )  # fmt: skip
    return ledger.create_with(events, actor="test", arrays=arrays)
