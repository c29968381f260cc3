"""Whatever is sent, the answer is a problem document and never a bug."""

from __future__ import annotations

import logging
import threading

import pytest
from sqlalchemy import text

from orchestrator.api import create_app
from orchestrator.api._turns import Turns
from orchestrator.errors import SchemaError
from orchestrator.ledger import Ledger
from orchestrator.ledger._schema import migrate
from tests.api.conftest import House, bench_file
from tests.records import created
from tests.worker.doubles import wait_for

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b'{"scopes": "admin"}', 422),
        (b'{"scopes": []}', 422),
        (b'{"scopes": ["admin"], "more": 1}', 422),
        (b'{"scopes": ["admin"], "label": NaN}', 400),
        (b'{"scopes": ["admin"], "label": 1e999}', 400),
        (b'{"scopes": ["admin"], "label": "\\u0000"}', 400),
        (b'{"scopes": ["admin"], "label": "\\ud800"}', 400),
        (b'{"scopes": ["admin"], "label": "\xff"}', 400),
        (b'{"scopes": ["admin"], "label": "\\n"}', 422),
        (b"[" * 100_000, 400),
        (b'{"scopes": ' + b"1" * 5000 + b"}", 400),
        (b'{"scopes": [' + b"1e999," * 20_000 + b"1]}", 400),
    ],
)
def test_bodies_that_mean_nothing(house: House, content: bytes, status: int) -> None:
    answer = house.ask("POST", "/v1/tokens", headers=JSON, content=content)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "instance", "errors"}
    assert problem["status"] == status and problem["instance"] == "/v1/tokens"
    assert len(house.get("/v1/tokens")["tokens"]) == 1


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
)
def test_only_json_is_taken(house: House, kind: str) -> None:
    """A form of another site's page could send these without being asked first."""
    content = b'{"scopes": ["admin"]}'
    headers = {"Content-Type": kind} if kind else {}
    answer = house.ask("POST", "/v1/tokens", headers=headers, content=content)
    assert answer.status_code == 415
    with_charset = {"Content-Type": "application/json; charset=utf-8"}
    answer = house.ask("POST", "/v1/tokens", headers=with_charset, content=content)
    assert answer.status_code == 201


def test_nothing_is_read_of_a_body_before_its_sender_is_known(house: House) -> None:
    answer = house.ask("POST", "/v1/tokens", token=None, headers=JSON, content=b"{")
    assert answer.status_code == 401


def test_methods_that_a_path_has_not(house: House) -> None:
    answer = house.ask("PATCH", "/v1/campaigns")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, POST"
    assert answer.json()["type"] == "urn:dotpilot:method-not-allowed"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "limit=1e3", f"limit={'9' * 5000}", "next=" + "a" * 999],
)
def test_queries_out_of_bounds(house: House, query: str) -> None:
    answer = house.ask("GET", f"/v1/campaigns?{query}")
    assert answer.status_code == 422 and answer.json()["errors"][0]["message"].startswith("query ")


@pytest.mark.parametrize("number", ["0", "-1", "x", "2147483648", "9" * 400, "1.5"])
def test_numbers_of_trials_out_of_bounds(house: House, number: str) -> None:
    house.ask("PUT", "/v1/stations/bench", {})
    assert house.ask("GET", f"/v1/campaigns/c/trials/{number}").status_code == 422


@pytest.mark.parametrize("name", ["%0a", "a%1b", "%7f", "x" * 201])
def test_names_that_cannot_be_shown(house: House, name: str) -> None:
    body = {"lab": "delft", "station": "bench"}
    assert house.ask("PUT", f"/v1/workers/{name}", body).status_code == 422


@pytest.mark.parametrize("key", ["", "x" * 201, "\x7f", "\xe9\xe8"])
def test_keys_out_of_bounds(house: House, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = house.ask("POST", "/v1/campaigns", {"file": bench_file()}, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code in (400, 422)


def test_a_bug_is_answered_without_its_particulars(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret path /etc/shadow")

    monkeypatch.setattr("orchestrator.api._campaigns.campaign_page", broken)
    answer = house.ask("GET", "/v1/campaigns")
    assert answer.status_code == 500 and "secret" not in answer.text
    assert answer.json()["type"] == "urn:dotpilot:internal"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret path" in caplog.text


def test_nothing_succeeds_that_the_trail_could_not_take(
    house: House, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    house.token("admin")
    with ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("DROP TABLE audit"))
    answer = house.ask("POST", "/v1/tokens", {"scopes": ["admin"]})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert answer.json()["type"] == "urn:dotpilot:database" and "token" not in answer.json()


def test_what_watches_the_service(house: House, ledger: Ledger) -> None:
    assert house.ask("GET", "/healthz", token=None).json() == {"status": "ok"}
    assert house.ask("GET", "/readyz", token=None).json() == {"status": "ok"}
    version = house.ask("GET", "/version", token=None).json()
    assert set(version) == {"dotpilot", "api", "schema"}
    house.ask("GET", "/v1/campaigns")
    house.ask("GET", "/v1/nothing/here")
    page = house.ask("GET", "/metrics").text
    assert 'dotpilot_requests_total{method="GET",route="/v1/campaigns",status="200"} 1.0' in page
    assert "nothing" not in page, "labels must not grow with what strangers ask for"
    assert "dotpilot_events 0.0" in page and "dotpilot_event_streams 0.0" in page
    with ledger.engine.execution_options(write=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v0_1_0'"))
    answer = house.ask("GET", "/readyz", token=None)
    assert answer.status_code == 503 and "dotpilot db upgrade" in answer.json()["detail"]


def test_verifications_leave_the_threads_to_everybody_else(house: House, ledger: Ledger) -> None:
    """Sixty at once held every thread, and heartbeats came too late to keep their leases."""
    path = f"/v1/campaigns/{ledger.create_campaign(created('n'), actor='test')}/verify"
    turns = house.app.state.service.verifications = Turns(most=2)
    waiting: list[int] = []
    thread = threading.Thread(target=lambda: waiting.append(house.ask("POST", path).status_code))
    with turns.turn("verification"):
        thread.start()
        wait_for(lambda: not turns.room)
        answer = house.ask("POST", path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["type"] == "urn:dotpilot:busy" and waiting == []
    thread.join(20)
    assert waiting == [200] and house.ask("POST", path).status_code == 200


def test_an_old_database_is_not_served(ledger: Ledger) -> None:
    migrate(ledger.engine, "v0_1_0")
    with pytest.raises(SchemaError, match="dotpilot db upgrade --db"):
        create_app(ledger)
