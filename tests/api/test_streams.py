"""A real server: streams that are cut, slow clients, and an end that nobody has to wait for."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from orchestrator import events as ev
from orchestrator.api import ApiServer, create_app
from orchestrator.ledger import Ledger
from tests.api.conftest import House
from tests.records import created, proposed


@contextlib.contextmanager
def serving(ledger: Ledger, **more: float) -> Iterator[tuple[House, ApiServer]]:
    """Serve a record on a free port from a thread; every thread and socket is gone afterwards."""
    headers_s = more.pop("headers_s", 10.0)
    house = House(ledger, create_app(ledger, **more))  # type: ignore[arg-type]
    ready = threading.Event()
    server = ApiServer(house.app, port=0, headers_s=headers_s, on_started=lambda url: ready.set())
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(30)
        yield house, server
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def _read_events(
    stream: httpx.Response, most: int
) -> Iterator[tuple[int, str, dict[str, object]]]:
    """Yield (id, type, document) of up to `most` events of a stream."""
    fields: dict[str, str] = {}
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
            continue
        if "data" in fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])
            most -= 1
            if not most:
                return
        fields = {}


def _record(ledger: Ledger, campaign: str, first: int, count: int) -> None:
    for number in range(first, first + count):
        ledger.append(campaign, proposed(number, number), actor="test")


def test_a_thousand_events_and_twenty_cuts_miss_and_repeat_nothing(ledger: Ledger) -> None:
    campaign = ledger.create_campaign(created(), actor="test")
    cuts = random.Random(7)
    with serving(ledger) as (house, server):
        writer = threading.Thread(target=_record, args=(ledger, campaign, 1, 999))
        writer.start()
        token, seen, connections = house.token("campaign:read"), [], 0
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        path = f"{server.url}/v1/campaigns/{campaign}/events"
        with httpx.Client(timeout=30) as client:
            while len(seen) < 1000:
                most = cuts.randint(1, 60) if connections < 20 else 1000 - len(seen)
                with client.stream("GET", path, headers=headers) as stream:
                    assert stream.headers["content-type"].startswith("text/event-stream")
                    seen += _read_events(stream, min(most, 1000 - len(seen)))
                headers["Last-Event-ID"] = str(seen[-1][0])
                connections += 1
        writer.join()
    assert connections > 20
    assert house.app.state.service.streams == 0, "a stream outlived its client"
    assert [number for number, _, _ in seen] == list(range(1, 1001))
    stored = ledger.events(campaign)
    assert [d["hash"] for _, _, d in seen] == [e.hash for e in stored]
    assert [kind for _, kind, _ in seen] == [e.type for e in stored]
    assert ev.canonical(seen[5][2]["payload"]) == stored[5].payload


def test_a_quiet_stream_is_kept_alive_and_ends_with_the_server(ledger: Ledger) -> None:
    campaign = ledger.create_campaign(created(), actor="test")
    with serving(ledger, keepalive_s=0.2) as (house, server):
        token = house.token("campaign:read")
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        path = f"{server.url}/v1/campaigns/{campaign}/events?after=1"
        with httpx.stream("GET", path, headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith(":")) == ": ping"
            server.should_exit = True
            list(lines)  # ends by itself: nobody cut it


def test_waiting_is_answered_by_the_event_and_by_the_end(ledger: Ledger) -> None:
    campaign = ledger.create_campaign(created(), actor="test")
    answers: list[httpx.Response] = []
    with serving(ledger) as (house, server):
        headers = {"Authorization": f"Bearer {house.token('campaign:read')}"}
        path = f"{server.url}/v1/campaigns/{campaign}/events?wait=60&after="

        def wait(after: int) -> None:
            answers.append(httpx.get(f"{path}{after}", headers=headers, timeout=30))

        waiting = threading.Thread(target=wait, args=(1,))
        waiting.start()
        ledger.append(campaign, ev.CampaignStarted(), actor="test")
        waiting.join(20)
        assert [e["type"] for e in answers[0].json()["events"]] == ["campaign.started"]
        waiting = threading.Thread(target=wait, args=(2,))
        waiting.start()
        while not house.app.state.service.feed._waiting:
            assert waiting.is_alive()
    waiting.join(20)
    assert answers[1].json() == {"events": [], "next": 2}


def test_slow_clients_are_hung_up_on_and_keep_nobody_waiting(ledger: Ledger) -> None:
    with serving(ledger, headers_s=0.5, silence_s=0.5) as (house, server):
        host, port = server.url.removeprefix("http://").split(":")
        head = b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        bearer = f"Authorization: Bearer {house.token('admin')}\r\n".encode()
        begun = [
            b"",
            b"GET /v1/camp",
            head + bearer,
            head + bearer + b"Content-Length: 99\r\n\r\n{",
        ]
        clients = [socket.create_connection((host, int(port))) for _ in range(4) for _ in begun]
        try:
            for client, text in zip(clients, begun * 4, strict=True):
                client.sendall(text)
            started = time.monotonic()
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            assert time.monotonic() - started < 5.0
            for client, text in zip(clients, begun * 4, strict=True):
                client.settimeout(20)
                answer = client.recv(4096)
                assert (b" 408 " in answer) == text.endswith(b"{"), answer
        finally:
            for client in clients:
                client.close()


@pytest.mark.parametrize("length", ["2000000", "chunked"])
def test_an_oversized_body_is_refused_however_it_comes(ledger: Ledger, length: str) -> None:
    with serving(ledger) as (house, server):
        body = b" " * 2_000_000
        content = iter([body[:1_000_000], body[1_000_000:]]) if length == "chunked" else body
        answer = httpx.post(
            f"{server.url}/v1/tokens",
            content=content,
            headers={
                "Authorization": f"Bearer {house.token('admin')}",
                "Content-Type": "application/json",
            },
        )
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:dotpilot:content-too-large"
