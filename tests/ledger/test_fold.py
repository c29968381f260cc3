"""Random legal records: the tables that grew event by event equal a fold of the chain."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from orchestrator import events as ev
from orchestrator.ledger import Ledger, check_integrity, fold
from orchestrator.ledger._tables import READ_TABLES
from orchestrator.trial import CAMPAIGN_MOVES
from tests.records import AGENT, created, measured

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.just(-0.0)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
ATTEMPT = st.integers(1, 3)
Step = tuple[ev.Payload, tuple[Any, ...]]


def _observables(draw: st.DrawFn) -> dict[str, ev.ObservableRecord]:
    record = st.builds(
        ev.ObservableRecord, value=NUMBERS, se=st.none() | NUMBERS, unit=NAMES, method=NAMES
    )
    return draw(st.dictionaries(NAMES, record, max_size=2))


def _verdict(draw: st.DrawFn, kind: str) -> ev.VerdictRecord:
    return ev.VerdictRecord(kind=kind, reasons=tuple(draw(st.lists(NAMES, max_size=1))))


def _step(draw: st.DrawFn, step: int, first: int) -> ev.StepProposed:
    predicted = st.builds(ev.PredictedValue, mean=NUMBERS, sd=NUMBERS)
    proposals = tuple(
        ev.ProposedTrial(
            trial=first + i,
            recipe=draw(st.dictionaries(NAMES, NUMBERS | NAMES | st.integers(), max_size=2)),
            policy=draw(NAMES),
            predicted=draw(st.dictionaries(NAMES, predicted, max_size=1)),
            policy_value=draw(st.none() | NUMBERS),
        )
        for i in range(draw(st.integers(1, 2)))
    )
    return ev.StepProposed(
        step=step, seed=draw(st.integers(0, 2**31)), history_hash="0" * 64, agent=AGENT,
        proposals=proposals,
    )  # fmt: skip


_ENDS = {"adopt": "completed", "repeat": "approved", "abandon": "abandoned"}
_NEXT = {
    "proposed": ("approved", "dispatched", "abandoned"),
    "approved": ("dispatched", "abandoned"),
    "dispatched": ("running", "failed", "in_doubt"),
    "running": ("measured", "failed", "in_doubt"),
    "measured": ("completed", "rejected", "failed", "in_doubt"),
    "in_doubt": ("adopt", "repeat", "abandon"),
    "rejected": ("approved",),
}


def _move(draw: st.DrawFn, n: int, state: str, attempt: int) -> tuple[ev.Payload, tuple[Any, ...]]:
    """A legal event of trial `n`, drawn among those that may follow `state`."""
    move = draw(st.sampled_from(_NEXT[state]))
    match move:
        case "approved":
            again = attempt + 1 if state == "rejected" else attempt
            return ev.TrialApproved(trial=n, attempt=again, reason="drawn"), ()
        case "dispatched":
            return ev.TrialDispatched(trial=n, attempt=attempt, station="bench"), ()
        case "running":
            return ev.TrialRunning(trial=n, attempt=attempt), ()
        case "measured":
            return measured(n, attempt)
        case "completed" | "rejected":
            kind = ev.TrialCompleted if move == "completed" else ev.TrialRejected
            verdict = _verdict(draw, "accept" if move == "completed" else "repeat")
            observables = _observables(draw)
            return kind(trial=n, attempt=attempt, observables=observables, verdict=verdict), ()
        case "failed":
            lab_time = draw(st.none() | NUMBERS)
            reason = draw(NAMES)
            return ev.TrialFailed(
                trial=n, attempt=attempt, reason=reason, message="drawn", lab_time=lab_time
            ), ()
        case "in_doubt":
            return ev.TrialInDoubt(trial=n, attempt=attempt, found=state, reason="drawn"), ()
        case "abandoned":
            return ev.TrialAbandoned(trial=n, reason="drawn"), ()
    observables = _observables(draw) if move == "adopt" else {}
    again = attempt + draw(st.integers(0, 1)) if move == "repeat" else attempt
    return ev.TrialResolved(
        trial=n, attempt=again, decision=move, by="person", note="drawn", observables=observables
    ), ()


def _of_campaign(draw: st.DrawFn, state: str) -> tuple[ev.Payload, str]:
    options: dict[str, list[ev.Payload]] = {
        "running": [ev.CampaignStarted(), ev.CampaignResumed()],
        "paused": [ev.CampaignPaused(reason="drawn")],
        "draining": [ev.CampaignDraining(reason="drawn")],
        "failed": [ev.CampaignFailed(error="drawn")],
        "stopped": [ev.CampaignStopped(stop_reason="stopped")],
    }
    new = draw(st.sampled_from(sorted(CAMPAIGN_MOVES[state] & options.keys())))
    return draw(st.sampled_from(options[new])), new


@st.composite
def chains(draw: st.DrawFn) -> list[Step]:
    """A legal campaign after its creation: events and their arrays."""
    state, trials, steps = "draft", {}, 0
    found: list[Step] = []
    for _ in range(draw(st.integers(1, 14))):
        open_trials = [n for n, (s, _) in trials.items() if s in _NEXT]
        kind = draw(st.sampled_from(["step", "campaign", "trial", "trial", "trial"]))
        if kind == "campaign":
            payload, state = _of_campaign(draw, state)
            found.append((payload, ()))
        elif kind == "step" or not open_trials:
            steps += 1
            step = _step(draw, steps, len(trials) + 1)
            trials |= {p.trial: ("proposed", 1) for p in step.proposals}
            found.append((step, ()))
        else:
            n = draw(st.sampled_from(open_trials))
            event, arrays = _move(draw, n, *trials[n])
            name = event.TYPE.removeprefix("trial.")
            after = _ENDS[event.decision] if isinstance(event, ev.TrialResolved) else name
            trials[n] = (after, getattr(event, "attempt", trials[n][1]))
            found.append((event, arrays))
    return found


def stored_rows(ledger: Ledger, campaign: str) -> dict[str, list[str]]:
    """Every row of the read tables as the database gives it back, types and all."""
    found = {}
    with ledger.engine.connect() as connection:
        for name, table in READ_TABLES.items():
            column = table.c["id" if name == "campaign" else "campaign"]
            rows = connection.execute(select(table).where(column == campaign)).mappings()
            found[name] = sorted(repr(dict(row)) for row in rows)
    return found


@given(chain=chains())
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_tables_that_grew_equal_a_fold(database: str, chain: list[Step]) -> None:
    quick = f"{database}?synchronous=normal" if database.startswith("sqlite") else database
    with Ledger.open(quick) as ledger:
        campaign = ledger.create_campaign(created(), actor="test")
        for payload, arrays in chain:
            ledger.append(campaign, payload, actor="test", arrays=arrays)
        grown = stored_rows(ledger, campaign)
        tables = fold(ledger.events(campaign)).tables
        assert grown == {n: sorted(repr(r) for r in rows.values()) for n, rows in tables.items()}
        assert check_integrity(ledger, campaign).findings == []
        ledger.rebuild(campaign)
        assert stored_rows(ledger, campaign) == grown
        at_once = ledger.create_with(
            [created(), *(p for p, _ in chain)],
            actor="test",
            arrays=[a for _, arrays in chain for a in arrays],
        )
        assert check_integrity(ledger, at_once).findings == []
