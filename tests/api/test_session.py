"""One person at their own machine: a link that works once, a cookie that no other page can use."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from orchestrator.api import create_app, single_user
from orchestrator.errors import InputRefusedError
from orchestrator.ledger import Ledger
from tests.api.conftest import House

HOME = {"Host": "127.0.0.1:8000"}
OWN = {**HOME, "Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def single(ledger: Ledger) -> tuple[House, str]:
    """The application in single-user mode, and the code of its link."""
    person = single_user("127.0.0.1")
    house = House(ledger, create_app(ledger, single_user=person))
    link = person.link("http://127.0.0.1:8000", ledger.time())
    assert link.startswith("http://127.0.0.1:8000/session?code=")
    return house, link.partition("code=")[2]


def _exchange(house: House, code: str, headers: dict[str, str] = OWN) -> httpx.Response:
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    content = f"code={code}".encode()
    return house.ask("POST", "/session", token=None, headers=form, content=content)


def _cookie(answer: httpx.Response) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_the_link_becomes_one_session(single: tuple[House, str]) -> None:
    house, code = single
    form = house.ask("GET", f"/session?code={code}", token=None, headers=HOME)
    assert form.status_code == 200 and "set-cookie" not in form.headers
    assert re.search(r'value="([^"]+)"', form.text)[1] == code  # type: ignore[index]
    done = _exchange(house, code)
    assert done.status_code == 303 and done.headers["location"] == "/v1/campaigns"
    flags = done.headers["set-cookie"].lower()
    assert "httponly" in flags and "samesite=strict" in flags
    assert _exchange(house, code).status_code == 401, "the link works once"
    cookie = _cookie(done)
    assert house.ask("GET", "/v1/campaigns", token=None, headers=HOME | cookie).status_code == 200
    made = house.ask("POST", "/v1/tokens", {"scopes": ["admin"]}, token=None, headers=OWN | cookie)
    assert made.status_code == 201
    assert house.get("/v1/audit")["audit"][0]["actor"] == "session"


def test_other_pages_cannot_use_the_session(single: tuple[House, str]) -> None:
    house, code = single
    evil = {"Origin": "http://evil.example"}
    assert _exchange(house, code, HOME | evil).status_code == 403
    cookie = _cookie(_exchange(house, code))
    body = {"scopes": ["admin"]}
    tries = [
        HOME,
        HOME | evil,
        HOME | {"Origin": "null"},
        HOME | {"Origin": "http://127.0.0.1:9"},
        HOME | {"Sec-Fetch-Site": "same-site"},
        HOME | {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"},
        HOME | {"Sec-Fetch-Site": "none"},
    ]
    for headers in tries:
        answer = house.ask("POST", "/v1/tokens", body, token=None, headers=headers | cookie)
        assert answer.status_code == 403, headers
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    answer = house.ask("POST", "/v1/tokens", body, token=None, headers=rebound | cookie)
    assert answer.status_code == 401, "a name that was made to point here is not this server's"


def test_a_wrong_or_old_code_opens_nothing(single: tuple[House, str]) -> None:
    house, code = single
    for wrong in ("", code[:-1], code + "x", "<script>"):
        assert _exchange(house, wrong).status_code == 401
        form = house.ask("GET", f"/session?code={wrong}", token=None, headers=HOME)
        assert "<script>" not in form.text
    person = house.app.state.service.single_user
    person.link("http://127.0.0.1:8000", house.ledger.time() - timedelta(minutes=15))
    assert _exchange(house, code).status_code == 401, "a new link voids the one before"
    guess = {"Cookie": "dotpilot_session=guess"}
    assert house.ask("GET", "/v1/campaigns", token=None, headers=HOME | guess).status_code == 401


def test_only_loopback_has_a_single_user(house: House) -> None:
    with pytest.raises(InputRefusedError, match="loopback"):
        single_user("0.0.0.0")
    assert house.ask("GET", "/session", token=None).status_code == 404
