"""Tokens let in whom they should, for as long as they should, and leave no secret behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from orchestrator.access import (
    Answer,
    KeyStore,
    audit_page,
    authenticate,
    create_token,
    granted,
    parse_lifetime,
    record_use,
    revoke_token,
    token_rows,
)
from orchestrator.cli import main
from orchestrator.errors import (
    ConflictError,
    InputRefusedError,
    NotFoundError,
    UnauthenticatedError,
)
from orchestrator.ledger import Ledger
from orchestrator.ledger import _tables as t


@dataclass
class Clock:
    """A clock that a test moves."""

    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(database, clock=clock) as opened:
        yield opened


def test_a_token_gives_its_scopes_until_it_expires(ledger: Ledger, clock: Clock) -> None:
    made = create_token(ledger, ["trial:approve"], lab="delft", lifetime=timedelta(days=1))
    who = authenticate(ledger, made.text)
    assert who.scopes == {"trial:approve", "campaign:read"} and who.lab == "delft"
    assert who.actor == f"token:{made.row.id}"
    clock.time += timedelta(days=1) - timedelta(microseconds=1)
    authenticate(ledger, made.text)
    clock.time += timedelta(microseconds=1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        authenticate(ledger, made.text)


def test_the_database_holds_no_secret(ledger: Ledger) -> None:
    made = create_token(ledger, ["admin"], label="for tests")
    secret = made.text.rpartition("_")[2]
    with ledger.engine.connect() as connection:
        row = dict(connection.execute(select(t.token)).mappings().one())
    assert secret not in str(row) and len(row["hash"]) == 64
    assert secret not in json.dumps([r.document() for r in token_rows(ledger)])


def test_every_wrong_token_is_refused(ledger: Ledger) -> None:
    made = create_token(ledger, ["admin"])
    head, _, secret = made.text.rpartition("_")
    other = create_token(ledger, ["admin"]).text
    flipped = f"{head}_{'0' if secret[0] != '0' else '1'}{secret[1:]}"
    crossed = f"{head}_{other.rpartition('_')[2]}"
    unknown = f"dotp_aaaaaaaa_{secret}"
    for text in ("", "dotp_", flipped, crossed, unknown, made.text + "0", made.text.upper()):
        with pytest.raises(UnauthenticatedError):
            authenticate(ledger, text)
    with pytest.raises(UnauthenticatedError, match="form"):
        authenticate(ledger, f"{made.text}\n")


def test_a_revoked_token_stays_revoked(ledger: Ledger, clock: Clock) -> None:
    made = create_token(ledger, ["admin"])
    first = revoke_token(ledger, made.row.id)
    clock.time += timedelta(hours=1)
    assert revoke_token(ledger, made.row.id).revoked_at == first.revoked_at
    with pytest.raises(UnauthenticatedError, match="revoked"):
        authenticate(ledger, made.text)
    with pytest.raises(NotFoundError):
        revoke_token(ledger, "nobody")


def test_use_is_noted_at_most_once_a_minute(ledger: Ledger, clock: Clock) -> None:
    made = create_token(ledger, ["admin"])
    authenticate(ledger, made.text)
    noted = token_rows(ledger)[0].used_at
    clock.time += timedelta(seconds=30)
    authenticate(ledger, made.text)
    assert token_rows(ledger)[0].used_at == noted
    clock.time += timedelta(seconds=30)
    authenticate(ledger, made.text)
    assert token_rows(ledger)[0].used_at != noted


def test_implications_go_one_way() -> None:
    assert granted(["campaign:write"]) == {"campaign:write", "campaign:read"}
    assert granted(["lab:execute"]) == {"lab:execute"}
    assert "admin" not in granted(["campaign:write", "trial:approve", "lab:execute"])
    assert len(granted(["admin"])) == 5


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5d", "4000d", "30 d", "9999999w"])
def test_a_lifetime_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputRefusedError, match="lifetime"):
        parse_lifetime(text)


def test_lifetimes() -> None:
    assert parse_lifetime("90m") == timedelta(hours=1.5)
    assert parse_lifetime("4w") == timedelta(days=28)


def test_a_key_carries_one_request_out_once(ledger: Ledger, clock: Clock) -> None:
    store = KeyStore(ledger)
    assert store.begin("a", "k", "POST /x", "1") is None
    with pytest.raises(ConflictError, match="carried out"):
        store.begin("a", "k", "POST /x", "1")
    assert store.begin("b", "k", "POST /x", "1") is None, "a key belongs to whoever sent it"
    store.finish("a", "k", Answer(201, "{}"))
    assert store.begin("a", "k", "POST /x", "1") == Answer(201, "{}")
    with pytest.raises(InputRefusedError, match="another"):
        store.begin("a", "k", "POST /x", "2")
    store.drop("b", "k")
    assert store.begin("b", "k", "POST /x", "2") is None
    clock.time += timedelta(hours=48)
    assert store.begin("a", "k", "POST /x", "2") is None, "an old key is free again"


def test_a_process_that_died_does_not_keep_its_key(ledger: Ledger, clock: Clock) -> None:
    store = KeyStore(ledger)
    store.begin("a", "k", "POST /x", "1")
    clock.time += timedelta(minutes=2)
    assert store.begin("a", "k", "POST /x", "1") is None


def test_the_trail_is_read_backwards_in_pages(ledger: Ledger) -> None:
    for number in range(5):
        record_use(ledger, "token:x", "POST /x", f"target {number}", 201)
    first = audit_page(ledger, None, 3)
    assert [r.target for r in first] == ["target 4", "target 3", "target 2"]
    assert [r.target for r in audit_page(ledger, first[-1].number, 3)] == ["target 1", "target 0"]


def _run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(words)
    code = stop.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().out


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = f"sqlite:///{tmp_path}/x.db"
    words = ["token", "create", "--scope", "lab:execute", "--scope", "campaign:read", "--json"]
    code, out = _run([*words, "--lab", "delft", "--expires", "30d", "--db", db], capsys)
    made = json.loads(out)
    assert code == 0 and set(made) == {"token", "id", "scopes", "lab", "expires"}
    assert made["scopes"] == ["campaign:read", "lab:execute"] and made["lab"] == "delft"
    with Ledger.open(db) as ledger:
        assert authenticate(ledger, made["token"]).token == made["id"]
        assert [r.action for r in audit_page(ledger, None, 9)] == ["token create"]
    code, out = _run(["token", "list", "--json", "--db", db], capsys)
    assert made["token"] not in out and json.loads(out)["tokens"][0]["id"] == made["id"]
    assert _run(["token", "revoke", made["id"], "--db", db], capsys)[0] == 0
    assert _run(["token", "revoke", "nobody", "--db", db], capsys)[0] == 3
    assert _run(["token", "create", "--scope", "root", "--db", db], capsys)[0] == 2
    words = ["token", "create", "--scope", "admin", "--expires", "soon", "--db", db]
    assert _run(words, capsys)[0] == 2
    assert "nobody" not in _run(["token", "list", "--db", db], capsys)[1]
