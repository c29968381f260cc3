"""Campaigns and trials over HTTP: what is read, steered and decided."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from orchestrator import events as ev
from orchestrator.access import KeyStore
from orchestrator.ledger import Ledger
from tests.api.conftest import FLOW, House, bench, bench_file
from tests.records import created, finished_campaign, proposed


@pytest.fixture
def by_hand(house: House) -> House:
    """A running campaign `cbench` of a declared station."""
    assert house.ask("PUT", "/v1/stations/bench", bench()).status_code == 200
    made = house.ask("POST", "/v1/campaigns", {"file": bench_file(), "id": "cbench"})
    assert made.status_code == 201 and made.headers["location"] == "/v1/campaigns/cbench"
    return house


def _add(house: House, x: float, **more: Any) -> Any:
    body = {"recipe": {"x": x}, "note": "a hunch"}
    return house.ask("POST", "/v1/campaigns/cbench/trials", body, **more)


def test_lists_are_read_in_pages_that_meet(house: House, ledger: Ledger) -> None:
    made = [ledger.create_campaign(created(f"n{i}"), actor="test") for i in range(5)]
    ledger.append(made[0], ev.CampaignStarted(), actor="test")
    ledger.append(made[0], proposed(1, 1, 2, 3), actor="test")
    seen, following = [], ""
    while True:
        page = house.get(f"/v1/campaigns?limit=2{following}")
        seen += [(c["campaign"], c["trials"]) for c in page["campaigns"]]
        if page["next"] is None:
            break
        following = f"&next={page['next']}"
    assert seen == [(c, 3 if c == made[0] else 0) for c in made]
    first = house.get(f"/v1/campaigns/{made[0]}/trials?limit=2")
    rest = house.get(f"/v1/campaigns/{made[0]}/trials?limit=2&next={first['next']}")
    assert [t["trial"] for t in first["trials"] + rest["trials"]] == [1, 2, 3]
    assert rest["next"] is None


@pytest.mark.parametrize("text", ["x", "", "WzFd", "W10", "bnVsbA", "WyJhIiwgImIiLCAiYyJd", "%00"])
def test_a_place_that_no_page_gave_is_refused(house: House, text: str) -> None:
    answer = house.ask("GET", f"/v1/campaigns?next={text}")
    assert answer.status_code == 400 and answer.json()["type"] == "urn:dotpilot:bad-request"


def test_a_finished_record_reads_as_the_command_line_shows_it(
    house: House, ledger: Ledger
) -> None:
    name = finished_campaign(ledger)
    shown = house.ask("GET", f"/v1/campaigns/{name}")
    assert shown.json()["best"]["trial"] == 2 and shown.headers["etag"] == '"18"'
    known = house.ask("GET", f"/v1/campaigns/{name}", headers={"If-None-Match": 'W/"1", "18"'})
    assert known.status_code == 304 and known.content == b""
    assert house.get(f"/v1/campaigns/{name}/view?at=7")["trials"] == 1
    assert house.ask("GET", f"/v1/campaigns/{name}/view?at=99").status_code == 404
    assert house.get(f"/v1/campaigns/{name}/file") == {"name": "record"}
    spectra = house.get(f"/v1/campaigns/{name}/trials/2/spectra")
    stored = ledger.spectra(name, 2)[0]
    assert spectra["spectra"][0]["axis"] == stored.axis.tolist()
    assert spectra["spectra"][0]["values"] == stored.values.tolist()
    assert house.get(f"/v1/campaigns/{name}/trials/2/spectra?attempt=9")["spectra"] == []
    proposal = house.get(f"/v1/campaigns/{name}/trials/2/proposal")
    assert proposal["by"] == "agent" and proposal["policy"] == "sobol"
    assert proposal["predicted"]["peak"] == {"mean": 519.5, "sd": 1.5}
    page = house.get(f"/v1/campaigns/{name}/events?after=16&limit=1")
    assert page["next"] == 17 and page["events"][0]["type"] == "trial.completed"
    assert house.get(f"/v1/campaigns/{name}/events?after=18") == {"events": [], "next": 18}
    checked = house.ask("POST", f"/v1/campaigns/{name}/verify", {"proposals": False}).json()
    assert checked["chain_ok"] and checked["tables_ok"]


def test_a_campaign_is_opened_once_however_often_it_is_sent(house: House, ledger: Ledger) -> None:
    key = {"Idempotency-Key": "k1"}
    first = house.ask("POST", "/v1/campaigns", {"file": FLOW}, headers=key)
    again = house.ask("POST", "/v1/campaigns", {"file": FLOW}, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content and first.headers["etag"] == again.headers["etag"]
    other = {"file": {**FLOW, "seed": 5}}
    assert house.ask("POST", "/v1/campaigns", other, headers=key).status_code == 422
    service = house.app.state.service
    service.keys.drop(f"token:{house.token('admin').split('_')[1]}", "k1")
    crashed = house.ask("POST", "/v1/campaigns", {"file": FLOW}, headers=key)
    assert crashed.json()["campaign"] == first.json()["campaign"], (
        "the process died before it told"
    )
    named = {"file": FLOW, "id": "my-own-name"}
    assert house.ask("POST", "/v1/campaigns", named).status_code == 201
    assert house.ask("POST", "/v1/campaigns", named).status_code == 201
    assert house.ask("POST", "/v1/campaigns", other | {"id": "my-own-name"}).status_code == 409
    assert len(ledger.campaigns()) == 2
    assert {c.dispatch for c in ledger.campaigns()} == {"fleet"}


def test_an_identifier_does_not_take_another_campaign_s_name(by_hand: House) -> None:
    """Whoever speaks of a campaign by its name must not reach another one from then on."""
    one = by_hand.ask("POST", "/v1/campaigns", {"file": bench_file(name="victim")}).json()
    again = {"file": bench_file(name="other"), "id": "victim"}
    assert by_hand.ask("POST", "/v1/campaigns", again).status_code == 409
    assert by_hand.get("/v1/campaigns/victim")["campaign"] == one["campaign"]
    own = {"file": bench_file(name="itself"), "id": "itself"}
    made = [by_hand.ask("POST", "/v1/campaigns", own).status_code for _ in range(2)]
    assert made == [201, 201]


def test_mistakes_of_a_file_have_their_places(house: House, ledger: Ledger) -> None:
    bad = {**FLOW, "budget": {}, "agent": {"name": "oracle"}}
    bad["space"] = [{"name": "flow_velocity", "low": 1, "high": 60, "unit": "mm/s"}]
    answer = house.ask("POST", "/v1/campaigns", {"file": bad})
    assert answer.status_code == 422 and answer.headers["content-type"].endswith("problem+json")
    found = {e["pointer"]: e["message"] for e in answer.json()["errors"]}
    assert set(found) == {"/file/budget", "/file/agent", "/file/space/0"}
    assert "limits are 12 to 100" in found["/file/space/0"]
    assert ledger.campaigns() == []


def test_a_campaign_is_steered_by_people(by_hand: House) -> None:
    def steer(what: str, code: int = 200) -> str:
        answer = by_hand.ask("POST", f"/v1/campaigns/cbench/{what}", {"reason": "lunch"})
        assert answer.status_code == code, answer.text
        return str(answer.json().get("state", answer.json().get("type")))

    assert [steer(w) for w in ("start", "pause", "pause", "drain", "resume", "drain")] == [
        "running", "paused", "paused", "draining", "running", "draining",
    ]  # fmt: skip
    assert [steer("abort"), steer("abort"), steer("resume")] == ["stopped", "stopped", "running"]
    kinds = [e.type for e in by_hand.ledger.events("cbench")]
    assert kinds.count("campaign.paused") == 1 and kinds.count("campaign.stopped") == 1
    by_hand.ledger.append("cbench", ev.CampaignFinished(stop_reason=None), actor="test")
    assert steer("resume", 409) == "urn:dotpilot:transition"


def test_a_local_campaign_is_not_steered_from_here(house: House, ledger: Ledger) -> None:
    name = ledger.create_campaign(created(), actor="test")
    answer = house.ask("POST", f"/v1/campaigns/{name}/start")
    assert answer.status_code == 409 and "run by the process" in answer.json()["detail"]


def test_a_fork_is_served_and_knows_its_parent(by_hand: House, ledger: Ledger) -> None:
    parent = finished_campaign(ledger)
    body = {"at": 12, "seed": 5, "agent": "random", "start": True}
    for _ in range(2):
        made = by_hand.ask(
            "POST", f"/v1/campaigns/{parent}/fork", body, headers={"Idempotency-Key": "f"}
        )
    document = made.json()
    assert made.status_code == 201 and document["parent"] == parent
    assert (document["state"], document["trials"], document["seed"]) == ("running", 2, 5)
    assert ledger.campaign(document["campaign"]).dispatch == "fleet"
    assert len(ledger.campaigns()) == 3, "the same key is the same fork"
    assert by_hand.ask("POST", f"/v1/campaigns/{parent}/fork", {"at": 99}).status_code == 404


def test_a_persons_recipe_is_checked_and_completed(house: House) -> None:
    name = house.ask("POST", "/v1/campaigns", {"file": FLOW, "start": False}).json()["campaign"]
    path = f"/v1/campaigns/{name}/trials"
    good = {"flow_velocity": {"value": 3, "unit": "cm/s"}, "cs_pb_ratio": 1}
    made = house.ask("POST", path, {"recipe": good, "note": "slow"})
    assert made.status_code == 201 and made.headers["location"] == f"{path}/1"
    recipe = made.json()["recipe"]
    assert recipe["flow_velocity"] == {"value": 30.0, "unit": "mm/s"}
    assert recipe["solvent"] == "octadecene" or recipe["solvent"] == "toluene"
    proposal = house.get(f"{path}/1/proposal")
    assert proposal["by"] == "person" and proposal["origin"]["note"] == "slow"
    bad = [
        {"flow_velocity": 19.0, "cs_pb_ratio": 1},
        {"flow_velocity": 30},
        {"flow_velocity": {"value": 30, "unit": "kg"}, "cs_pb_ratio": 1},
        {"flow_velocity": "fast", "cs_pb_ratio": 1},
        {**good, "solvent": "water"},
        {**good, "salt_concentration": 5},
        {**good, "colour": 5},
        {},
    ]
    for given in bad:
        answer = house.ask("POST", path, {"recipe": given})
        assert answer.status_code == 422, given
    assert len(house.get(path)["trials"]) == 1


def test_two_people_cannot_edit_over_each_other(by_hand: House) -> None:
    path = "/v1/campaigns/cbench/trials/1"
    tag = _add(by_hand, 3.0).headers["etag"]

    def edit(x: float, **headers: str) -> int:
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        return by_hand.ask("PATCH", path, {"recipe": {"x": x}}, headers=sent).status_code

    assert edit(4.0) == 428
    assert edit(4.0, If_Match='"0"') == edit(4.0, If_Match='"x"') == 412
    assert edit(4.0, If_Match="*") == edit(4.0, If_Match='W/"3"') == 400
    assert edit(11.0, If_Match=tag) == 422
    assert edit(4.0, If_Match=tag) == 200
    assert edit(5.0, If_Match=tag) == 412, "the first edit made the second one's view an old one"
    assert by_hand.get(path)["recipe"]["x"]["value"] == 4.0
    assert by_hand.ask("POST", f"{path}/approve").json()["state"] == "approved"
    tag = by_hand.ask("GET", path).headers["etag"]
    assert edit(6.0, If_Match=tag) == 409, "an approved recipe is not changed"


def test_a_veto_is_final_and_comes_before_work(by_hand: House) -> None:
    _add(by_hand, 3.0)
    path = "/v1/campaigns/cbench/trials/1"
    assert by_hand.ask("POST", f"{path}/veto", {"note": "too hot"}).json()["state"] == "abandoned"
    assert by_hand.ask("POST", f"{path}/veto").status_code == 409
    assert by_hand.ask("POST", f"{path}/approve").status_code == 409
    last = by_hand.ledger.events("cbench")[-1].read()
    assert isinstance(last, ev.TrialAbandoned) and last.reason == "too hot"


def test_a_decision_sent_twice_is_made_once(by_hand: House) -> None:
    _add(by_hand, 3.0)
    path = "/v1/campaigns/cbench/trials/1/approve"
    answers = [by_hand.ask("POST", path, {}, headers={"Idempotency-Key": "a"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    same = [_add(by_hand, 4.0, headers={"Idempotency-Key": "b"}) for _ in range(2)]
    assert same[0].json()["trial"] == same[1].json()["trial"] == 2


def test_a_key_outlives_a_kill_between_the_trial_and_its_answer(
    by_hand: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that retries after a crash must not have its recipe made twice."""
    key = {"Idempotency-Key": "k"}
    with monkeypatch.context() as killed:
        killed.setattr(KeyStore, "finish", _killed)
        assert _add(by_hand, 3.0, headers=key).status_code == 500
    with by_hand.ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("DELETE FROM idempotency"))  # as its claim runs out
    again = _add(by_hand, 3.0, headers=key)
    assert (again.status_code, again.json()["trial"]) == (201, 1)
    assert len(by_hand.ledger.trials("cbench")) == 1
    assert _add(by_hand, 3.0, headers={"Idempotency-Key": "l"}).json()["trial"] == 2
    with by_hand.ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("DELETE FROM idempotency"))
    assert _add(by_hand, 4.0, headers=key).status_code == 422


def _killed(*of: object) -> None:
    raise RuntimeError("killed")


def test_declared_stations_stand_beside_installed_ones(by_hand: House) -> None:
    names = [s["name"] for s in by_hand.get("/v1/stations")["stations"]]
    assert names[-1] == "bench" and "flow_synthesis" in names
    assert by_hand.get("/v1/stations/bench")["declared"] is True
    assert by_hand.get("/v1/stations/flow_synthesis")["simulated"] is True
    put = by_hand.ask("PUT", "/v1/stations/other", bench())
    assert put.status_code == 422 and put.json()["errors"][0]["pointer"] == "/name"
    taken = by_hand.ask("PUT", "/v1/stations/flow_synthesis", bench("flow_synthesis"))
    assert taken.status_code == 422
    assert by_hand.ask("PUT", "/v1/stations/bench", {"name": "bench"}).status_code == 422
    assert by_hand.ask("GET", "/v1/stations/nothing").status_code == 404
    assert by_hand.get("/v1/agents/sobol")["name"] == "sobol"
    assert by_hand.ask("GET", "/v1/agents/nobody").status_code == 404
