"""Every route is closed to whoever lacks its scope, and no trick opens it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.access import SCOPES, authenticate, create_token, granted, revoke_token
from orchestrator.api import ROUTES, Route
from orchestrator.ledger import Ledger
from tests.api.conftest import House, bench, bench_file
from tests.api.test_lab_routes import offer

GUARDED = [r for r in ROUTES if r.scope is not None]


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
def ids() -> dict[str, str]:
    return {"c": "cbench", "n": "1", "a": "sobol", "s": "bench", "w": "hand", "t": "nobody"}


@pytest.fixture
def furnished(house: House, ids: dict[str, str]) -> tuple[House, dict[str, str]]:
    """A campaign with a leased trial in lab delft, so that every path leads to something."""
    house.ask("PUT", "/v1/stations/bench", bench())
    house.ask("POST", "/v1/campaigns", {"file": bench_file(), "id": "cbench"})
    house.ask("POST", "/v1/campaigns/cbench/trials", {"recipe": {"x": 3.0}})
    house.ask("PUT", "/v1/workers/hand", {"lab": "delft", "station": "bench"})
    offer(house)
    lease = house.ask("POST", "/v1/leases", {"worker": "hand"}).json()
    return house, {**ids, "l": lease["lease"]}


def _path(route: Route, ids: dict[str, str]) -> str:
    path = re.sub(r"\{(\w+)\}", lambda m: ids[m[1]], route.path)
    return {"/v1/leases": f"{path}?worker=hand"}.get(path, path) + (
        "?at=1" if path.endswith("/view") else ""
    )


BODIES = {
    "/v1/leases": {"worker": "hand"},
    "/v1/leases/{l}/heartbeat": {"fence": 1},
    "/v1/leases/{l}/result": {"fence": 1, "results": []},
    "/v1/leases/{l}/fail": {"fence": 1, "kind": "unknown", "reason": "x"},
    "/v1/leases/{l}/return": {"fence": 1},
    "/v1/workers/{w}": {"lab": "delft", "station": "bench"},
}


def test_every_route_is_closed_without_its_scope(furnished: tuple[House, dict[str, str]]) -> None:
    house, ids = furnished
    before = len(house.ledger.events("cbench"))
    for route in GUARDED:
        path, body = _path(route, ids), BODIES.get(route.path, {})
        if (route.method, route.path) == ("PUT", "/v1/workers/{w}/stop"):
            body = {"stop": 1, "safe": [], "unconfirmed": [], "seconds": 0.1}
        sent = body if route.method in ("POST", "PUT", "PATCH") else None

        def ask(token: str | None) -> int:
            return house.ask(route.method, path, sent, token=token).status_code  # noqa: B023

        assert ask(None) == 401, _name(route)
        others = [s for s in SCOPES if route.scope not in granted([s])]
        assert others or route.scope == "campaign:read" or route.scope == "admin"
        for scope in others:
            assert ask(house.token(scope)) == 403, f"{_name(route)} with {scope}"
        everything = house.token(*SCOPES, lab="elsewhere")
        assert ask(everything) in (403, 404), f"{_name(route)} with another lab's token"
        own = house.token(*SCOPES, lab="delft")
        assert route.lab or ask(own) == 403, f"{_name(route)} with a bound token"
    assert len(house.ledger.events("cbench")) == before


def test_every_route_lets_its_own_scope_in(furnished: tuple[House, dict[str, str]]) -> None:
    house, ids = furnished
    for route in GUARDED:
        body = BODIES.get(route.path, {}) if route.method in ("POST", "PUT", "PATCH") else None
        answer = house.ask(route.method, _path(route, ids), body, token=str(route.scope))
        assert answer.status_code not in (401, 403, 405, 500), f"{_name(route)}: {answer.text}"


def test_only_operations_are_open() -> None:
    open_ = {r.path for r in ROUTES if r.scope is None}
    assert open_ == {"/healthz", "/readyz", "/version"}
    assert {r.scope for r in ROUTES if r.method != "GET"} <= set(SCOPES)


def test_ways_of_sending_a_token_that_do_not_count(house: House) -> None:
    token, path = house.token("admin"), "/v1/campaigns"
    bad = [
        {"Authorization": token},
        {"Authorization": f"Basic {token}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {token} {token}"},
        {"Authorization": f"Bearer {token}x"},
        {"Authorization": f"Bearer {token[:-1]}"},
        {"Authorization": f"Bearer {token.upper()}"},
        {"Authorization": f"Bearer {token}, Bearer {token}"},
        {"X-Authorization": f"Bearer {token}"},
        {"Proxy-Authorization": f"Bearer {token}"},
        {"Cookie": f"dotpilot_session={token}"},
        {"Cookie": f"Authorization=Bearer {token}"},
    ]
    for headers in bad:
        answer = house.ask("GET", path, token=None, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert house.ask("GET", f"{path}?access_token={token}", token=None).status_code == 401
    assert house.ask("GET", path, headers={"X-HTTP-Method-Override": "DELETE"}).status_code == 200
    good = {"Authorization": f"bearer {token}"}
    assert house.ask("GET", path, token=None, headers=good).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1//campaigns",
        "/V1/campaigns",
        "/v1/campaigns/",
        "/v1/campaigns/..%2f..%2fhealthz",
        "/healthz/../v1/campaigns",
        "/healthz/%2e%2e/v1/campaigns",
        "/v1/campaigns;/healthz",
        "/v1/campaigns%00",
        "/v1/campaigns/cbench%0d%0aX: y",
        "//v1/campaigns",
        "/session",
        "/docs",
        "/redoc",
    ],
)
def test_no_other_spelling_of_a_path_gets_past_the_guard(house: House, path: str) -> None:
    answer = house.ask("GET", path, token=None)
    assert answer.status_code in (400, 401, 404), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_ended_token_is_refused_at_once(ledger: Ledger, house: House) -> None:
    made = create_token(ledger, ["admin"], lifetime=timedelta(days=1))
    assert house.ask("GET", "/v1/audit", token=made.text).status_code == 200
    assert house.ask("DELETE", f"/v1/tokens/{made.row.id}").json()["revoked"] is not None
    assert house.ask("GET", "/v1/audit", token=made.text).status_code == 401
    late = Ledger(ledger.url, clock=lambda: datetime(2100, 1, 1, tzinfo=UTC))
    short = create_token(ledger, ["admin"], lifetime=timedelta(minutes=1))
    revoke_token(ledger, made.row.id)
    with late, pytest.raises(Exception, match="expired"):
        authenticate(late, short.text)


def test_the_trail_says_who_changed_what(furnished: tuple[House, dict[str, str]]) -> None:
    house, ids = furnished
    reader = house.token("campaign:read")
    house.ask("POST", "/v1/campaigns/cbench/abort", {}, token=reader)
    house.ask("GET", "/v1/campaigns", token=reader)
    house.ask("POST", f"/v1/leases/{ids['l']}/heartbeat", {"fence": 1})
    rows = house.get("/v1/audit?limit=3")
    said = [(r["action"], r["target"], r["status"]) for r in rows["audit"]]
    assert said[0] == ("POST", "/v1/campaigns/cbench/abort", 403)
    assert said[1] == ("POST", "/v1/leases", 200)
    assert rows["audit"][0]["actor"] == f"token:{reader.split('_')[1]}"
    older = house.get(f"/v1/audit?limit=9&next={rows['next']}")
    assert [r["target"] for r in older["audit"]][-1] == "/v1/stations/bench"
    assert older["next"] is None
    actors = {e.actor for e in house.ledger.events("cbench")}
    assert actors == {f"token:{house.token('admin').split('_')[1]}", "worker hand"}
