"""Later measurements over the API: once per key, within limits, by whoever may, and typed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api import create_app
from orchestrator.cli import main
from orchestrator.client import Client
from orchestrator.ledger import Ledger, check_integrity
from tests.api.conftest import House
from tests.attached.campaigns import created_with_later, seen, sizes
from tests.records import proposed, run_trial
from tests.worker.server import running_server

PATH = "/v1/campaigns/record/trials/1/attachments"


def body(**more: Any) -> dict[str, Any]:
    content = base64.b64encode(sizes()).decode()
    return {
        "observables": ["tem_size"],
        "file": {"name": "tem.csv", "base64": content},
        "note": "grid 3",
        **more,
    }


def fill(ledger: Ledger) -> str:
    """Record a campaign with trial 1 completed and trial 2 proposed."""
    campaign = ledger.create_campaign(created_with_later(), actor="test")
    ledger.append(campaign, proposed(1, 1, 2), actor="test")
    run_trial(ledger, campaign, 1)
    return campaign


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_the_same_request_is_carried_out_once(database: str) -> None:
    with Ledger.open(database) as ledger:
        campaign = fill(ledger)
        house = House(ledger, create_app(ledger))
        before = house.ask("GET", "/v1/campaigns/record/trials/1").headers["etag"]
        key = {"Idempotency-Key": "k"}
        for _ in range(2):
            answer = house.ask("POST", PATH, body(sample="T1"), headers=key)
            assert answer.status_code == 201, answer.text
            trial = answer.json()
            assert trial["observables"]["tem_size"]["method"] == "TEM: mean@1"
            assert [a["sample"] for a in trial["attachments"]] == ["T1"]
        assert answer.headers["etag"] != before, "who holds the trial of before must see it change"
        assert len(ledger.events_of(campaign, ("trial.observed",))) == 1
        other = house.ask("POST", PATH, body(sample="T2"), headers=key)
        assert other.status_code == 422, "a key stands for one request"
        listed = house.get("/v1/campaigns/record/trials")["trials"]
        assert [len(t["attachments"]) for t in listed] == [1, 0]
        assert check_integrity(ledger, campaign).findings == []


@pytest.mark.parametrize(
    ("more", "path", "status", "said"),
    [
        ({"observables": ["colour"]}, PATH, 422, "has no 'colour'"),
        ({"observables": []}, PATH, 422, "at least 1"),
        ({"observables": ["peak"]}, PATH, 422, "--correct"),
        ({"note": ""}, PATH, 422, "note: must say why"),
        ({"file": {"name": "x", "base64": "%%%"}}, PATH, 422, "must be base64"),
        ({"file": {"name": "x", "base64": ""}}, PATH, 422, "at least 1"),
        ({"stated": {"value": 1, "unit": "kg"}}, PATH, 422, "same dimension"),
        ({"stated": {"value": "many"}}, PATH, 422, "number"),
        ({"colour": 1}, PATH, 422, "colour"),
        ({}, PATH.replace("/1/", "/2/"), 409, "trial 2 is proposed"),
        ({}, PATH.replace("/1/", "/9/"), 404, "no trial 9"),
    ],
)
def test_a_refusal_is_a_problem_document(
    house: House, more: dict[str, Any], path: str, status: int, said: str
) -> None:
    campaign = fill(house.ledger)
    count = house.ledger.event_count(campaign)
    answer = house.ask("POST", path, body(**more))
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert house.ledger.event_count(campaign) == count


def test_who_may_not_decide_may_not_attach(house: House) -> None:
    fill(house.ledger)
    for scope in ("campaign:read", "campaign:write", "lab:execute"):
        answer = house.ask("POST", PATH, body(), token=house.token(scope))
        assert answer.status_code == 403, scope
    assert house.ask("POST", PATH, body(), token=house.token("trial:approve")).status_code == 201


def test_the_client_and_the_command_line_reach_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    with Ledger.open(url) as ledger:
        fill(ledger)
    (tmp_path / "tem.csv").write_bytes(sizes(8.0))
    with running_server(url) as (server, token):
        with Client(server, token) as client:
            given = seen(measured_at="2026-11-25T10:00:00+01:00")
            trial = client.attach(
                "record", 1, given.observables, file=given.file, data=given.data, note="grid 3",
                measured_at=given.measured_at,
            )  # fmt: skip
            assert trial["observables"]["tem_size"]["value"] == pytest.approx(9.0, abs=0.5)
        monkeypatch.setenv("DOTPILOT_TOKEN", token)
        words = ["attach", "record", "1", str(tmp_path / "tem.csv"), "--observable", "tem_size"]
        with pytest.raises(SystemExit) as stop:
            main([*words, "--note", "again", "--json", "--url", server])
        assert stop.value.code == 0
    trial = json.loads(capsys.readouterr().out)
    assert [a["holds"] for a in trial["attachments"]] == [[], ["tem_size"]]
    assert trial["observables"]["tem_size"]["value"] == pytest.approx(8.0, abs=0.5)
