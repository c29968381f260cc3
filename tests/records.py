"""Short records for tests: the events of a campaign without any station."""

from __future__ import annotations

import numpy as np

from orchestrator import events as ev
from orchestrator.ledger import Ledger, array_digest

AXIS = np.linspace(400.0, 700.0, 50)
AGENT = ev.AgentRecord(name="sobol", version="1", configuration={}, libraries={})
STATION = {
    "name": "bench",
    "version": "1",
    "parameters": [{"name": "x", "unit": "mm"}],
    "observables": [{"name": "peak", "unit": "nm", "spectral": True}],
}
RESOLVED = {
    "name": "record",
    "station": "bench",
    "space": [
        {"kind": "continuous", "name": "x", "low": 0.0, "high": 1.0, "unit": "mm", "log": False,
         "step": None, "integer": False, "when": None}
    ],
    "constraints": [],
    "objectives": [
        {"observable": "peak", "goal": "target", "value": 520.0, "tolerance": 2.0, "min": None,
         "max": None, "unit": "nm"}
    ],
    "agent": "sobol",
    "agent_options": {},
    "lab": None,
    "lab_seed": 1,
    "batch": 1,
    "trials": 3,
    "hours": None,
    "confidence": 0.9,
    "no_improvement": None,
    "approval": False,
    "in_doubt": None,
    "seed": 1,
}  # fmt: skip


def created(name: str = "record") -> ev.CampaignCreated:
    """The first event of a launched campaign."""
    return ev.CampaignCreated(
        name=name, source="launched", declared={"name": name}, resolved=RESOLVED,
        station=STATION, seed=1, lab_seed=1,
    )  # fmt: skip


def proposed(step: int, *trials: int) -> ev.StepProposed:
    """A step that proposes these trials."""
    proposals = tuple(
        ev.ProposedTrial(
            trial=n, recipe={"x": 0.1 * n}, policy="sobol", policy_value=0.25 * n,
            predicted={"peak": ev.PredictedValue(mean=519.5, sd=1.5)},
        )
        for n in trials
    )  # fmt: skip
    return ev.StepProposed(
        step=step, seed=7, history_hash="ab" * 32, agent=AGENT, proposals=proposals
    )


def measured(trial: int, attempt: int = 1) -> tuple[ev.TrialMeasured, tuple[np.ndarray, ...]]:
    """A measurement with one spectrum, and its arrays."""
    values = np.random.default_rng([trial, attempt]).random(50).astype(np.float32)
    spectrum = ev.SpectrumRecord(
        name="pl", axis_sha256=array_digest(AXIS), values_sha256=array_digest(values),
        axis_unit="nm", unit="counts", settings={"integration_time": 0.5},
    )  # fmt: skip
    event = ev.TrialMeasured(
        trial=trial, attempt=attempt, achieved={"x": 0.11 * trial},
        conditions={"residence_time": {"value": 12.5, "unit": "s"}}, spectra=(spectrum,),
        station_state={"clock": 60.0 * trial}, identities=({"instrument": "pump"},),
        warnings=("watch out",), lab_time=60.0 * trial,
    )  # fmt: skip
    return event, (AXIS, values)


def completed(trial: int, value: float = 519.0, attempt: int = 1) -> ev.TrialCompleted:
    """A trial that ended with one observable."""
    observable = ev.ObservableRecord(value=value, se=0.4, unit="nm", method="fit@1")
    return ev.TrialCompleted(
        trial=trial, attempt=attempt, observables={"peak": observable},
        verdict=ev.VerdictRecord(kind="accept"),
    )  # fmt: skip


def run_trial(ledger: Ledger, campaign: str, number: int, token: int | None = None) -> None:
    """Take one proposed trial through every state to completed."""
    raw, arrays = measured(number)
    for event, blobs in (
        (ev.TrialDispatched(trial=number, attempt=1, station="bench"), ()),
        (ev.TrialRunning(trial=number, attempt=1), ()),
        (raw, arrays),
        (completed(number, 518.0 + number), ()),
    ):
        ledger.append(campaign, event, actor="test", token=token, arrays=blobs)


def finished_campaign(ledger: Ledger, trials: int = 3) -> str:
    """Record a campaign of some trials that finished."""
    campaign = ledger.create_campaign(created(), actor="test")
    ledger.append(campaign, ev.CampaignStarted(), actor="test")
    for number in range(1, trials + 1):
        ledger.append(campaign, proposed(number, number), actor="test")
        run_trial(ledger, campaign, number)
    end = ev.CampaignFinished(stop_reason="budget_spent", detail="3 of 3", trial=2)
    ledger.append(campaign, end, actor="test")
    return campaign
