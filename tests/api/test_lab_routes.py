"""A lab's life over HTTP: register, lease, beat, report; and what becomes of what comes late."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator import events as ev
from orchestrator.campaign import from_resolved
from orchestrator.fleet import Fleet, ServedLoop
from orchestrator.fleet._offers import Offers
from orchestrator.ledger import check_integrity
from orchestrator.replay import verify_campaign
from tests.api.conftest import House, bench, bench_file


@pytest.fixture
def lab(house: House) -> House:
    """A campaign with two offered recipes, and a worker `hand` in lab delft."""
    house.ask("PUT", "/v1/stations/bench", bench())
    house.ask("POST", "/v1/campaigns", {"file": bench_file(), "id": "cbench"})
    for x in (3.0, 4.0):
        house.ask("POST", "/v1/campaigns/cbench/trials", {"recipe": {"x": x}})
    body = {"lab": "delft", "station": "bench", "safe_within": 5}
    made = house.ask("PUT", "/v1/workers/hand", body).json()
    assert (made["lease_s"], made["heartbeat_s"]) == (60.0, 20.0)
    offer(house)
    return house


def offer(house: House, name: str = "cbench") -> None:
    """Offer what is open, as the campaign's loop would."""
    row = house.ledger.campaign(name)
    with house.ledger.acquire(name) as owner:
        campaign = from_resolved(row.declared, row.resolved)
        offers = Offers(house.ledger, name, campaign, owner.token)
        known = offers.offered()
        for trial in house.ledger.trials(name):
            if trial.state in ("proposed", "approved") and trial.number not in known:
                offers.offer([trial])


def take(house: House, **more: Any) -> dict[str, Any]:
    answer = house.ask("POST", "/v1/leases", {"worker": "hand", **more}, token="lab:execute")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def result(lease: dict[str, Any], value: float = 512.0) -> dict[str, Any]:
    member = lease["members"][0]
    conditions = {"peak": {"value": value, "unit": "nm", "se": 0.5}}
    reported = {
        "trial": member["trial"],
        "attempt": member["attempt"],
        "achieved": {"x": 3.1},
        "conditions": conditions,
    }
    return {"fence": lease["fence"], "results": [reported]}


def lapse(house: House) -> None:
    with house.ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("UPDATE lease SET expires = 1 WHERE state = 'leased'"))
    assert Fleet(house.ledger).sweep() == 1


def test_a_trial_goes_from_offer_to_result(lab: House) -> None:
    lease = take(lab)
    assert lease["members"] == [{"trial": 1, "attempt": 1, "recipe": {"x": 3.0}}]
    path = f"/v1/leases/{lease['lease']}"
    held = lab.ask("GET", "/v1/leases?worker=hand", token="lab:execute").json()["leases"]
    assert [x["lease"] for x in held] == [lease["lease"]]
    beat = {"fence": lease["fence"], "progress": "stirring", "lease_s": 3600}
    answer = lab.ask("POST", f"{path}/heartbeat", beat).json()
    assert answer["expires_in"] == pytest.approx(3600.0, abs=5.0)
    assert (answer["cancel"], answer["pause"]) == (False, False)
    lab.ask("POST", "/v1/campaigns/cbench/pause")
    assert lab.ask("POST", f"{path}/heartbeat", beat).json()["pause"] is True
    shown = lab.get("/v1/campaigns/cbench/trials/1")
    assert (shown["state"], shown["lab"], shown["worker"]) == ("running", "delft", "hand")
    assert shown["leases"][0]["progress"] == "stirring"
    done = lab.ask("PUT", f"{path}/result", result(lease))
    again = lab.ask("PUT", f"{path}/result", result(lease))
    assert done.status_code == again.status_code == 200 and done.json() == again.json()
    assert lab.ask("PUT", f"{path}/result", result(lease, 600.0)).status_code == 409
    assert lab.ledger.trial("cbench", 1).state == "measured"
    assert lab.ask("GET", "/v1/leases?worker=hand").json() == {"leases": []}
    assert lab.ask("POST", "/v1/leases", {"worker": "hand"}).status_code == 204, "it is paused"


def test_a_stale_fence_is_told_so_in_one_word(lab: House) -> None:
    lease = take(lab)
    path = f"/v1/leases/{lease['lease']}"
    lapse(lab)
    for what, method in (("heartbeat", "POST"), ("return", "POST"), ("result", "PUT")):
        body = result(lease) if what == "result" else {"fence": lease["fence"]}
        answer = lab.ask(method, f"{path}/{what}", body)
        assert answer.status_code == 409, what
        assert answer.json()["type"] == "urn:dotpilot:lease-lost"


def test_a_late_result_is_adopted_by_a_person(lab: House) -> None:
    lease = take(lab)
    lapse(lab)
    lab.ask("PUT", f"/v1/leases/{lease['lease']}/result", result(lease))
    (late,) = lab.get("/v1/campaigns/cbench/trials/1")["late_results"]
    path = "/v1/campaigns/cbench/trials/1/resolve"
    base = {"decision": "adopt", "note": "the log of the lab shows it"}
    for wrong in ({}, {"late_result": late["id"], "evidence": {"observables": {}}}):
        assert lab.ask("POST", path, base | wrong).status_code == 422
    assert lab.ask("POST", path, base | {"late_result": "e0"}).status_code == 404
    done = lab.ask("POST", path, base | {"late_result": late["id"]}, token="trial:approve")
    assert done.json()["state"] == "completed"
    peak = done.json()["observables"]["peak"]
    assert (peak["value"], peak["unit"], peak["se"]) == (512.0, "nm", 0.5)
    assert done.json()["achieved"]["x"]["value"] == 3.1
    event = lab.ledger.events("cbench")[-1].read()
    assert isinstance(event, ev.TrialResolved) and event.evidence is not None
    assert event.evidence["late_result"] == late["id"]
    assert event.evidence["measurement"]["conditions"]["peak"]["value"] == 512.0
    assert check_integrity(lab.ledger, "cbench").findings == []
    assert verify_campaign(lab.ledger, "cbench").findings == []


def test_a_late_result_that_says_nothing_is_not_adopted(lab: House) -> None:
    lease = take(lab)
    lapse(lab)
    empty = result(lease)
    empty["results"][0]["conditions"] = {}
    lab.ask("PUT", f"/v1/leases/{lease['lease']}/result", empty)
    (late,) = lab.get("/v1/campaigns/cbench/trials/1")["late_results"]
    body = {"decision": "adopt", "note": "n", "late_result": late["id"]}
    answer = lab.ask("POST", "/v1/campaigns/cbench/trials/1/resolve", body)
    assert answer.status_code == 422 and "no observables" in answer.json()["detail"]
    assert lab.ledger.trial("cbench", 1).state == "in_doubt"


def test_evidence_of_an_attempt_that_never_was_is_not_adopted(lab: House) -> None:
    """Databases hold such evidence from before it was refused."""
    lease = take(lab)
    lapse(lab)
    lab.ask("PUT", f"/v1/leases/{lease['lease']}/result", result(lease))
    with lab.ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("UPDATE late_result SET attempt = 7"))
    (late,) = Fleet(lab.ledger).late_results("cbench", 1)
    decision = {"decision": "adopt", "note": "x", "late_result": late.id}
    answer = lab.ask("POST", "/v1/campaigns/cbench/trials/1/resolve", decision)
    assert answer.status_code == 422 and "attempt 7" in answer.json()["detail"]


def test_what_is_leased_cannot_be_decided_on(lab: House) -> None:
    """Only the end of the lease makes a doubt of it; a decision before would race the result."""
    take(lab)
    path = "/v1/campaigns/cbench/trials/1"
    body = {"decision": "repeat", "note": "impatient"}
    assert lab.ask("POST", f"{path}/resolve", body).status_code == 422
    assert lab.ask("POST", f"{path}/veto").status_code == 409


def test_failures_and_returns(lab: House) -> None:
    first, second = take(lab), take(lab, campaign="cbench")
    fail = {"fence": first["fence"], "kind": "failed", "reason": "clogged", "message": "m"}
    assert lab.ask("POST", f"/v1/leases/{first['lease']}/fail", fail).status_code == 200
    back = {"fence": second["fence"], "reason": "lunch"}
    answer = lab.ask("POST", f"/v1/leases/{second['lease']}/return", back)
    assert answer.json() == {"state": "offered", "digest": None}
    assert [t.state for t in lab.ledger.trials("cbench")] == ["failed", "approved"]
    assert take(lab)["fence"] > second["fence"]


def test_a_waiting_worker_gets_the_offer_that_comes(lab: House) -> None:
    take(lab), take(lab)
    got: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: got.append(take(lab, wait_s=30)))
    waiting.start()
    lab.ask("POST", "/v1/campaigns/cbench/trials", {"recipe": {"x": 5.0}})
    offer(lab)
    waiting.join(20)
    assert got and got[0]["members"][0]["recipe"] == {"x": 5.0}


def test_a_bound_token_works_for_its_own_lab(lab: House) -> None:
    delft = lab.token("lab:execute", lab="delft")
    ghent = lab.token("lab:execute", lab="ghent")
    body = {"lab": "ghent", "station": "bench"}
    assert lab.ask("PUT", "/v1/workers/hers", body, token=delft).status_code == 403
    assert lab.ask("PUT", "/v1/workers/hand", body, token=ghent).status_code == 409
    assert lab.ask("PUT", "/v1/workers/hers", body, token=ghent).status_code == 200
    assert lab.ask("POST", "/v1/leases", {"worker": "hand"}, token=ghent).status_code == 403
    lease = lab.ask("POST", "/v1/leases", {"worker": "hand"}, token=delft).json()
    path = f"/v1/leases/{lease['lease']}"
    assert lab.ask("GET", path, token=ghent).status_code == 404
    assert lab.ask("PUT", f"{path}/result", result(lease), token=ghent).status_code == 404
    assert lab.ask("PUT", f"{path}/result", result(lease), token=delft).status_code == 200
    labs = lab.get("/v1/labs")["labs"]
    assert [(x["lab"], x["workers"], x["stations"]) for x in labs] == [
        ("delft", ["hand"], ["bench"]), ("ghent", ["hers"], ["bench"]),
    ]  # fmt: skip
    assert [w["worker"] for w in lab.get("/v1/workers")["workers"]] == ["hand", "hers"]


def test_another_lab_s_lease_cannot_be_told_from_one_that_never_was(lab: House) -> None:
    lease = take(lab)["lease"]
    ghent = lab.token("lab:execute", lab="ghent")

    def told(name: str) -> str:
        answer = lab.ask("POST", f"/v1/leases/{name}/heartbeat", {"fence": 1}, token=ghent)
        assert answer.status_code == 404
        return answer.text.replace(name, "LEASE")

    assert told(lease) == told("l0000")


def _trail(lab: House) -> list[str]:
    rows = reversed(lab.get("/v1/audit?limit=500")["audit"])
    return [f"{r['action']} {r['target']} {r['status']}" for r in rows if "leases" in r["target"]]


def test_every_change_of_a_lease_leaves_one_row_in_the_trail(lab: House) -> None:
    first, second = take(lab), take(lab)
    assert lab.ask("POST", "/v1/leases", {"worker": "hand"}).status_code == 204
    one, two = (f"/v1/leases/{x['lease']}" for x in (first, second))
    for _ in range(2):  # carried out, then answered alike
        assert lab.ask("PUT", f"{one}/result", result(first)).status_code == 200
    assert lab.ask("POST", f"{two}/return", {"fence": second["fence"]}).status_code == 200
    third = take(lab)
    failed = {"fence": third["fence"], "kind": "failed", "reason": "clogged"}
    assert lab.ask("POST", f"{two}/fail", failed).status_code == 200
    grant = "POST /v1/leases 200"
    assert _trail(lab) == [
        grant, grant, f"PUT {one}/result 200", f"PUT {one}/result 200", f"POST {two}/return 200",
        grant, f"POST {two}/fail 200",
    ]  # fmt: skip


def test_a_lease_changes_only_with_its_row_in_the_trail(
    lab: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    lease = take(lab)
    lab.token("admin")
    with lab.ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO away"))
    path = f"/v1/leases/{lease['lease']}"
    failed = {"fence": lease["fence"], "kind": "failed", "reason": "clogged"}
    for method, target, body in (
        ("POST", "/v1/leases", {"worker": "hand"}),
        ("POST", f"{path}/fail", failed),
        ("POST", f"{path}/return", {"fence": lease["fence"]}),
        ("PUT", f"{path}/result", result(lease)),
    ):
        assert lab.ask(method, target, body).status_code == 503, target
    assert [t.state for t in lab.ledger.trials("cbench")] == ["dispatched", "proposed"]


def test_a_malformed_result_changes_nothing(lab: House) -> None:
    lease = take(lab)
    path = f"/v1/leases/{lease['lease']}/result"
    good = result(lease)["results"][0]
    spectrum = {"name": "pl", "axis": [1, 2], "values": [1, 2, 3], "axis_unit": "nm", "unit": "AU"}
    packed = {"dtype": "<f8", "shape": [2], "base64": "AAAA"}
    bad: list[Any] = [
        [],
        [good, good],
        [{**good, "trial": 2}],
        [{**good, "spectra": [spectrum]}],
        [{**good, "spectra": [{**spectrum, "values": packed}]}],
        [{**good, "spectra": [{**spectrum, "values": {**packed, "dtype": "|O"}}]}],
        [{**good, "spectra": [{**spectrum, "values": [[1, 2], [3]]}]}],
        [{**good, "unknown": 1}],
        {"0": good},
    ]
    for results in bad:
        answer = lab.ask("PUT", path, {"fence": lease["fence"], "results": results})
        assert answer.status_code == 422, (results, answer.text)
    assert lab.ledger.trial("cbench", 1).state == "dispatched"
    assert lab.ask("POST", "/v1/leases", {"worker": "nobody"}).status_code == 404


@pytest.mark.parametrize(
    "odd",
    [
        {"achieved": {"x": "hot"}},
        {"achieved": {"x": 1e308}},
        {"achieved": {"x": 10**400}},
        {"achieved": {"y": 3.0}},
        {"conditions": {"peak": {"value": 1e308, "unit": "nm"}}},
        {"conditions": {"peak": {"value": "512", "unit": "nm"}}},
        {"conditions": {"peak": {"value": 512.0, "unit": "s"}}},
        {"conditions": {"peak": {"value": 512.0, "unit": "nm", "se": -1.0}}},
        {"attempt": 7},
        {"attempt": 2**63},
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_nothing_is_kept_that_an_agent_could_not_learn_from(
    lab: House, odd: dict[str, Any], late: bool
) -> None:
    """One such value once ended its campaign for ever, for the record cannot be taken back."""
    lease = take(lab)
    if late:
        lapse(lab)
    body = result(lease)
    body["results"][0] |= odd
    count = lab.ledger.event_count("cbench")
    answer = lab.ask("PUT", f"/v1/leases/{lease['lease']}/result", body)
    assert answer.status_code == 422, answer.text
    assert lab.ledger.event_count("cbench") == count
    assert Fleet(lab.ledger).late_results("cbench", 1) == []


@pytest.mark.parametrize(
    ("value", "unit"), [(1239.841984 / 512.0, "eV"), (0.512, "um"), (512.0, "")]
)
def test_a_measurement_in_another_unit_is_the_measurement(
    lab: House, value: float, unit: str
) -> None:
    """A good value in eV must not become a failed recipe."""
    lease = take(lab)
    body = result(lease)
    body["results"][0]["conditions"] = {"peak": {"value": value, "unit": unit}}
    assert lab.ask("PUT", f"/v1/leases/{lease['lease']}/result", body).status_code == 200
    with lab.ledger.acquire("cbench") as owner:
        ServedLoop(lab.ledger, "cbench", owner.token).tick()
    trial = lab.ledger.trial("cbench", 1)
    assert trial.state == "completed"
    assert trial.observables["peak"].value == pytest.approx(512.0)
    assert verify_campaign(lab.ledger, "cbench").findings == []
