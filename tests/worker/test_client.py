"""The client: what it retries, how refusals come out, where its token comes from."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.cli import main
from orchestrator.client import (
    Client,
    LostLeaseError,
    Retries,
    ServerFailedError,
    read_array,
    token_from_environment,
)
from orchestrator.client._http import read_events
from orchestrator.errors import (
    ConflictError,
    DotpilotError,
    ForbiddenError,
    InputRefusedError,
    NotFoundError,
    RemoteError,
    TransitionError,
    UnauthenticatedError,
)
from orchestrator.fleet import packed

QUICK = Retries(attempts=4, timeout=5.0, first_wait=0.001, longest_wait=0.01)


@dataclass
class Script:
    """Answers in order (the last for ever): (status, document), or a cut of the connection."""

    answers: list[tuple[int, Any] | None]
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 the library's name
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            headers = {k.lower(): v for k, v in self.headers.items()}
            script.seen.append((self.command, self.path, headers))
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            if answer is None:
                self.close_connection = True
                return
            status, document = answer
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *words: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_idempotent_call_outlasts_cuts_and_overload() -> None:
    script = Script([None, (503, {"title": "busy"}), (200, {"campaign": "c1"})])
    with scripted(script) as url, Client(url, "dotp_x", retries=QUICK) as client:
        assert client.campaign("c1") == {"campaign": "c1"}
    assert len(script.seen) == 3
    assert script.seen[0][2]["authorization"] == "Bearer dotp_x"


def test_a_create_is_retried_as_the_same_create() -> None:
    script = Script([None, (201, {"campaign": "c1"})])
    with scripted(script) as url, Client(url, retries=QUICK) as client:
        client.create_campaign({"name": "x"})
    keys = {headers["idempotency-key"] for _, _, headers in script.seen}
    assert len(script.seen) == 2 and len(keys) == 1


def test_a_grant_is_not_asked_for_twice() -> None:
    """The first answer may hold a lease; a second request would hide it."""
    script = Script([None, (200, {"lease": "l1"})])
    with scripted(script) as url, Client(url, retries=QUICK) as client:
        with pytest.raises(RemoteError):
            client.lease("w")
    assert len(script.seen) == 1


@pytest.mark.parametrize(
    ("status", "slug", "kind", "code"),
    [
        (400, "bad-request", InputRefusedError, 2),
        (401, "unauthenticated", UnauthenticatedError, 2),
        (403, "forbidden", ForbiddenError, 2),
        (404, "not-found", NotFoundError, 3),
        (409, "conflict", ConflictError, 4),
        (409, "lease-lost", LostLeaseError, 4),
        (409, "transition", TransitionError, 2),
        (412, "moved-on", ConflictError, 4),
        (422, "input-refused", InputRefusedError, 2),
        (428, "precondition-required", InputRefusedError, 2),
        (500, "dotpilot", ServerFailedError, 1),
        (503, "database", RemoteError, 5),
    ],
)
def test_a_refusal_is_the_exception_that_it_is_locally(
    status: int, slug: str, kind: type[DotpilotError], code: int
) -> None:
    problem = {"type": f"urn:dotpilot:{slug}", "status": status, "detail": "one\ntwo"}
    with scripted(Script([(status, problem)])) as url, Client(url, retries=QUICK) as client:
        with pytest.raises(DotpilotError) as refused:
            client.campaign("x")
    assert type(refused.value) is kind and refused.value.exit_code == code
    assert str(refused.value).endswith("one\ntwo")


def test_another_server_is_told_apart_from_a_missing_campaign() -> None:
    with scripted(Script([(404, b"<html>not here</html>")])) as url, Client(url) as client:
        with pytest.raises(NotFoundError, match="is there a dotpilot server"):
            client.campaign("x")
    with scripted(Script([(200, b"<html>welcome</html>")])) as url, Client(url) as client:
        with pytest.raises(RemoteError, match="is there a dotpilot server"):
            client.campaign("x")


def test_pages_are_followed_to_the_end() -> None:
    script = Script(
        [(200, {"trials": [1, 2], "next": "n1"}), (200, {"trials": [3], "next": None})]
    )
    with scripted(script) as url, Client(url) as client:
        assert client.trials("a/b c") == {"trials": [1, 2, 3]}
    assert script.seen[0][1].startswith("/v1/campaigns/a%2Fb%20c/trials?")
    assert "next=n1" in script.seen[1][1]


def test_a_cut_stream_is_taken_up_where_it_ended() -> None:
    def stream(*numbers: int, whole: bool = True) -> bytes:
        text = "".join(f'id: {n}\ndata: {{"seq": {n}}}\n\n' for n in numbers)
        return (text if whole else text[:-1]).encode()  # an event without its end is none

    script = Script([
        (200, stream(1, 2, whole=False)), (200, {"events": [], "next": 1}),
        None, (200, {"campaign": "c"}), (200, {"events": [{"seq": 2}], "next": 2}),
        (200, stream(2, 3, 4)),
    ])  # fmt: skip
    with scripted(script) as url, Client(url, retries=QUICK) as client:
        events = client.events("c")
        assert [next(events)["seq"] for _ in range(4)] == [1, 2, 3, 4]
        events.close()
    resumed = [h["last-event-id"] for _, _, h in script.seen if "last-event-id" in h]
    assert resumed == ["0", "1", "2"]


def test_events_are_read_as_the_standard_says() -> None:
    lines = [
        ": hello",
        "event: a",
        "data: one",
        "data:two",
        "id: 7",
        "",
        "data: last",
        "",
        "data: x",
    ]
    found = [(e.id, e.type, e.data) for e in read_events(iter(lines))]
    assert found == [("7", "a", "one\ntwo"), ("7", "message", "last")]


def test_arrays_come_back_bit_for_bit() -> None:
    values = np.random.default_rng(1).random((3, 5)).astype(np.float32)
    assert np.array_equal(read_array(packed(values)), values)
    assert read_array([1.0, 2.5]).dtype == np.float64


def test_a_token_file_must_be_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("dotp_file\n")
    path.chmod(0o644)
    with pytest.raises(InputRefusedError, match="chmod 600"):
        token_from_environment({"DOTPILOT_TOKEN_FILE": str(path)})
    path.chmod(0o600)
    assert token_from_environment({"DOTPILOT_TOKEN_FILE": str(path)}) == "dotp_file"
    both = {"DOTPILOT_TOKEN_FILE": str(path), "DOTPILOT_TOKEN": "dotp_env"}
    assert token_from_environment(both) == "dotp_env"
    with pytest.raises(NotFoundError):
        token_from_environment({"DOTPILOT_TOKEN_FILE": str(tmp_path / "none")})
    assert token_from_environment({}) is None


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://lab", "http://", "http://x/?a=b"])
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(InputRefusedError, match="http://HOST"):
        Client(url)


def test_an_unreachable_server_is_exit_5_and_a_database_beside_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("orchestrator.cli._service.ATTEMPTS", 2)
    codes = []
    for words in (
        ["list", "--url", "http://127.0.0.1:9"],
        ["list", "--url", "http://127.0.0.1:9", "--db", "sqlite:///x.db"],
        ["db", "rebuild", "--url", "http://127.0.0.1:9"],
    ):
        with pytest.raises(SystemExit) as stop:
            main(words)
        codes.append(stop.value.code)
    err = capsys.readouterr().err
    assert codes == [5, 2, 2]
    assert "cannot be reached" in err and "not both" in err and "leave --url" in err
