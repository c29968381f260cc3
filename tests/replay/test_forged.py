"""Someone who rewrites events, every hash and the read tables is caught by what must follow."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.events import Event, canonical, event_hash
from orchestrator.ledger import Ledger
from tests.replay.test_verify import unprotected, verify

Chain = list[dict[str, Any]]


def rewrite(path: Path, campaign: str, change: Callable[[Chain], None]) -> None:
    """Change a chain (payloads under "p"), number and hash it anew, and rebuild the tables."""
    with Ledger.open(f"sqlite:///{path}") as ledger:
        events = ledger.events(campaign)
    chain: Chain = [
        {"type": e.type, "at": e.at, "actor": e.actor, "p": json.loads(e.payload)} for e in events
    ]
    change(chain)
    prev = events[0].prev_hash
    with closing(unprotected(path)) as connection:
        connection.execute("DELETE FROM event")
        for seq, e in enumerate(chain, start=1):
            text = canonical(e["p"])
            digest = event_hash(campaign, seq, e["type"], 1, e["at"], e["actor"], text, prev)
            row = Event(campaign, seq, e["type"], 1, e["at"], e["actor"], text, prev, digest)
            values = [getattr(row, name) for name in Event.__slots__]
            columns, marks = ", ".join(Event.__slots__), ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO event ({columns}) VALUES ({marks})", values)
            prev = digest
        connection.commit()
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.rebuild()


def at(chain: Chain, kind: str, trial: int) -> int:
    return next(
        i for i, e in enumerate(chain) if (e["type"], e["p"].get("trial")) == (kind, trial)
    )


def _without_intent(chain: Chain) -> None:
    begun = ("trial.dispatched", "trial.running")
    chain[:] = [e for e in chain if e["type"] not in begun or e["p"]["trial"] != 4]


def _intent_twice(chain: Chain) -> None:
    place = at(chain, "trial.dispatched", 4)
    chain.insert(place, copy.deepcopy(chain[place]))


def _edited_afterwards(chain: Chain) -> None:
    proposal = [e for e in chain if e["type"] == "step.proposed"][-1]["p"]["proposals"][-1]
    edit = {"trial": proposal["trial"], "recipe": proposal["recipe"], "note": ""}
    chain.insert(len(chain) - 1, {**chain[-1], "type": "trial.edited", "p": edit})


def _doubt_in_between(chain: Chain) -> None:
    """The measurement makes way for a doubt, out of which the trial is completed."""
    place = at(chain, "trial.measured", 4)
    doubt = {"trial": 4, "attempt": 1, "found": "running", "reason": "x"}
    chain[place] = {**chain[place], "type": "trial.in_doubt", "p": doubt}


def _observable_dropped(chain: Chain) -> None:
    del chain[at(chain, "trial.completed", 4)]["p"]["observables"]["plqy"]


def _observable_added(chain: Chain) -> None:
    known = chain[at(chain, "trial.completed", 4)]["p"]["observables"]
    known["other"] = {**known["plqy"], "method": "adopted@person"}


def _failed_instead(chain: Chain) -> None:
    e = chain[at(chain, "trial.completed", 4)]
    e["type"] = "trial.failed"
    e["p"] = {"trial": 4, "attempt": 1, "reason": "clogged", "message": ""}


def _rejected_instead(chain: Chain) -> None:
    chain[at(chain, "trial.completed", 4)]["type"] = "trial.rejected"


def _adopted_on_nothing(chain: Chain) -> None:
    place = at(chain, "trial.completed", 4)
    known = chain[place]["p"]["observables"]
    doubt = {"trial": 4, "attempt": 1, "found": "measured", "reason": "x"}
    chain[place] |= {"type": "trial.in_doubt", "p": doubt}
    word = {"trial": 4, "attempt": 1, "decision": "adopt", "by": "person", "note": "n"}
    resolved = {"type": "trial.resolved", "p": {**word, "observables": known}}
    chain.insert(place + 1, {**chain[place], **resolved})


def _another_end(chain: Chain) -> None:
    chain[-1]["p"] |= {"stop_reason": "target_reached", "trial": 1}


def _another_best(chain: Chain) -> None:
    chain[-1]["p"]["trial"] = chain[-1]["p"]["trial"] % 4 + 1


def _other_goal(chain: Chain) -> None:
    chain[0]["p"]["resolved"]["objectives"][0]["value"] = 400.0


def _other_file(chain: Chain) -> None:
    chain[0]["p"]["declared"]["objectives"][0]["value"] = 2.0


def _other_name(chain: Chain) -> None:
    chain[0]["p"]["name"] = "other"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without_intent, "trial.measured may not follow: trial 4 is proposed"),
        (_intent_twice, "trial.dispatched may not follow: trial 4 is dispatched"),
        (_edited_afterwards, "trial.edited may not follow"),
        (_doubt_in_between, "holds no measurement of the attempt"),
        (_observable_dropped, "plqy follows from the raw data, but is not recorded"),
        (_observable_added, "other is recorded but cannot be derived"),
        (_failed_instead, "failed after it was measured, but has no verdict"),
        (_rejected_instead, "is rejected, but follows as completed"),
        (_adopted_on_nothing, "is adopted on evidence that gives nothing"),
        (_another_end, "finished as target_reached with trial 1, but follows as budget_spent"),
        (_another_best, "finished as budget_spent with trial"),
        (_other_goal, "objectives is resolved as"),
        (_other_file, "objectives is resolved as"),
        (_other_name, "name is 'other', but is resolved as 'small'"),
    ],
)
def test_what_does_not_follow_is_found(
    record: tuple[Path, str], change: Callable[[Chain], None], said: str
) -> None:
    rewrite(*record, change)
    found = verify(*record)
    assert any(said in f.what for f in found.findings), found.findings
    assert found.diverged_at is not None


def test_a_chain_rewritten_without_a_change_is_clean(record: tuple[Path, str]) -> None:
    """Otherwise the findings above would be of the rewriting, not of the change."""
    rewrite(*record, lambda chain: None)
    assert verify(*record).findings == []


def test_a_difference_is_named_by_its_field_with_both_values(record: tuple[Path, str]) -> None:
    path, campaign = record
    with closing(unprotected(path)) as connection:
        connection.execute(
            "UPDATE trial SET recipe=json_set(recipe, '$.flow_velocity', 1.5, '$.water', 'x') "
            "WHERE number=3"
        )
        connection.execute(
            "UPDATE observable SET value=0.5 WHERE trial=3 AND name='peak_emission'"
        )
        connection.commit()
    found = {f.where: f for f in verify(path, campaign).findings}
    assert found["trial 3"].what.startswith("recipe['flow_velocity'] is 1.5, the events say ")
    seen = found["trial 3 attempt 1 peak_emission"]
    assert seen.what.startswith("value is 0.5, the events say ")
    with Ledger.open(f"sqlite:///{path}") as ledger:
        concluded = ledger.events_of(campaign, ("trial.completed",), 3)
        proposed = ledger.events_of(campaign, ("step.proposed",))
    assert seen.seq == concluded[0].seq
    assert found["trial 3"].seq == proposed[-1].seq


def _adopted_late(chain: Chain) -> None:
    """Trial 4 as it stands where its result came late and a person adopted it."""
    measured = chain[at(chain, "trial.measured", 4)]
    concluded = chain[at(chain, "trial.completed", 4)]
    raw, c = measured["p"], concluded["p"]
    doubt = {"trial": 4, "attempt": 1, "found": "running", "reason": "the lease ran out"}
    word = {"trial": 4, "attempt": 1, "decision": "adopt", "by": "person", "note": "n"}
    found = {"achieved": raw["achieved"], "observables": c["observables"]}
    evidence = {"late_result": "e1", "measurement": raw, "verdict": c["verdict"]}
    measured |= {"type": "trial.in_doubt", "p": doubt}
    concluded |= {"type": "trial.resolved", "p": {**word, **found, "evidence": evidence}}


def _adopted_otherwise(chain: Chain) -> None:
    _adopted_late(chain)
    chain[at(chain, "trial.resolved", 4)]["p"]["observables"]["plqy"]["value"] = 0.999


def test_a_late_result_that_was_adopted_is_derived_again(record: tuple[Path, str]) -> None:
    rewrite(*record, _adopted_late)
    found = verify(*record)
    assert found.findings == []
    assert found.observables_checked == found.observables_ok >= 20


def test_an_observable_of_a_late_result_that_was_changed_is_found(
    record: tuple[Path, str],
) -> None:
    rewrite(*record, _adopted_otherwise)
    assert any("plqy is recorded as" in f.what for f in verify(*record).findings)


@pytest.mark.parametrize(
    "damage", ["UPDATE array SET data=x'00' WHERE sha256=?", "DELETE FROM array WHERE sha256=?"]
)
def test_a_spectrum_of_a_late_result_that_was_changed_is_found(
    record: tuple[Path, str], damage: str
) -> None:
    path, campaign = record
    rewrite(path, campaign, _adopted_late)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        (resolved,) = ledger.events_of(campaign, ("trial.resolved",))
    spectrum = json.loads(resolved.payload)["evidence"]["measurement"]["spectra"][0]
    with closing(unprotected(path)) as connection:
        connection.execute(damage, (spectrum["values_sha256"],))
        connection.commit()
    place = f"trial 4 attempt 1 spectrum {spectrum['name']} values"
    assert any(f.where == place and f.seq == resolved.seq for f in verify(path, campaign).findings)
