"""Alarms reach whom they should, and whoever raises one neither waits nor fails."""

import json
import logging
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic

import pytest
from pydantic import ValidationError

from orchestrator.alarms import Alarms, AlarmsFile, Durations, StepWatch, read_alarms_file
from orchestrator.errors import InputRefusedError
from tests.worker.doubles import wait_for


def at():
    return "2026-01-01T00:00:00Z"


def sender(pause=0.01, **said):
    return Alarms(AlarmsFile(**said), at, pause)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Mail(socketserver.StreamRequestHandler):
    """Takes one mail as SMTP has it, without extensions."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.strip().upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.got.append(text.decode())
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802 as the library has it
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), json.loads(body)))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def served():
    """Serves in a thread; gives what starts a server."""
    started = []

    def start(server, *statuses):
        server.got, server.statuses = [], list(statuses)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def test_each_way_delivers_the_alarm(served, tmp_path, monkeypatch):
    mail = served(socketserver.TCPServer(("127.0.0.1", 0), Mail))
    hook = served(HTTPServer(("127.0.0.1", 0), Hook))
    monkeypatch.setenv("HOOK_TOKEN", "secret")
    log, out = tmp_path / "alarms.jsonl", tmp_path / "out"
    said = {
        "log": str(log),
        "command": ["sh", "-c", f"cat > {out}"],
        "email": {"host": "127.0.0.1", "port": mail.server_address[1], "starttls": False,
                  "sender": "a@example.org", "to": ["b@example.org"]},
        "webhook": {"url": f"http://127.0.0.1:{hook.server_address[1]}/x",
                    "headers_env": {"Authorization": "HOOK_TOKEN"}},
    }  # fmt: skip
    with sender(**said) as alarms:
        alarms.tell("in_doubt", "c1 trial 3", "trial 3 is in doubt")
        alarms.tell("in_doubt", "c1 trial 3", "the same again")
    wanted = {"kind": "in_doubt", "about": "c1 trial 3", "text": "trial 3 is in doubt", "at": at()}
    assert lines(log) == [wanted]
    assert json.loads(out.read_text()) == wanted
    headers, body = hook.got[0]
    assert (body, headers["Authorization"], len(hook.got)) == (wanted, "secret", 1)
    (text,) = mail.got
    assert "Subject: dotpilot: in doubt: c1 trial 3" in text and "trial 3 is in doubt" in text


def test_a_way_that_fails_is_tried_again_and_then_logged(served, caplog):
    hook = served(HTTPServer(("127.0.0.1", 0), Hook), 503, 503, 200, 503, 503, 503, 503)
    url = f"http://127.0.0.1:{hook.server_address[1]}/x"
    with caplog.at_level(logging.ERROR), sender(webhook={"url": url}) as alarms:
        alarms.tell("unsafe", "a", "one")
        alarms.tell("unsafe", "b", "two")
    assert [body["text"] for _, body in hook.got] == ["one"] * 3 + ["two"] * 3
    assert sum("did not go by webhook" in r.message for r in caplog.records) == 5


def test_a_dead_way_neither_delays_nor_breaks_and_the_others_go_on(tmp_path, caplog):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes connections, and never says a word
        log = tmp_path / "log"
        email = {"host": "127.0.0.1", "port": silent.getsockname()[1], "starttls": False,
                 "sender": "a@b.org", "to": ["b@b.org"]}  # fmt: skip
        said = {"log": str(log), "email": email, "timeout": 0.2, "attempts": 2}
        with caplog.at_level(logging.ERROR), sender(**said) as alarms:
            began = monotonic()
            for number in range(3):
                alarms.tell("unsafe", str(number), "x")
            assert monotonic() - began < 0.1, "who raises an alarm waits"
        assert len(lines(log)) == 3
        assert sum("did not go by email" in r.message for r in caplog.records) == 6


def test_a_secret_that_is_missing_is_said_by_the_name_of_its_variable(caplog, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    webhook = {"url": "http://127.0.0.1:9/", "headers_env": {"Authorization": "NO_SUCH"}}
    with caplog.at_level(logging.ERROR), sender(webhook=webhook, attempts=1) as alarms:
        alarms.tell("unsafe", "a", "x")
    assert "NO_SUCH" in caplog.text


def test_only_the_kinds_that_are_wanted_go_and_what_is_over_may_come_again(tmp_path):
    log = tmp_path / "log"
    with sender(log=str(log), kinds=["unsafe"]) as alarms:
        alarms.tell("in_doubt", "a", "no")
        alarms.tell("unsafe", "a", "one")
        alarms.forget("unsafe", "a")
        alarms.tell("unsafe", "a", "two")
    assert [line["text"] for line in lines(log)] == ["one", "two"]


@pytest.mark.parametrize(
    "said", ["kinds: [unsafe]", "log: a\nkinds: [explosion]", "webhook: {url: ftp://x}", "x: 1"]
)
def test_a_file_that_is_wrong_or_sends_nowhere_is_refused(tmp_path, said):
    path = tmp_path / "alarms.yaml"
    path.write_text(said)
    with pytest.raises((InputRefusedError, ValidationError)):
        read_alarms_file(path)


def test_a_step_has_its_p99_for_a_limit_once_enough_of_it_are_known():
    file = AlarmsFile(log="x", step_samples=100, step_multiple=4.0, step_planned=900.0)
    durations = Durations(file)
    assert durations.limit("step_flushing") == (900.0, "planned")
    durations.learn({"step_flushing": {"value": 20.0}, "line_volumes_flushed": {"value": 4.0}})
    assert durations.limit("step_flushing") == (80.0, "4 times the longest of 1")
    for number in range(99):
        durations.learn({"step_flushing": {"value": 1.0 + number / 100.0}})
    limit, source = durations.limit("step_flushing")
    assert source == "p99 of 100"
    assert 1.97 < limit < 3.0, "the one of 20 s is the hundredth"


def test_a_step_that_takes_too_long_is_told_while_it_lasts_and_a_quick_one_never(tmp_path):
    log = tmp_path / "log"
    file = AlarmsFile(log=str(log), step_multiple=1.0, step_planned=60.0)
    with Alarms(file, at) as alarms, StepWatch(alarms, Durations(file), "the line") as watch:
        watch.learn([{"step_flushing": {"value": 0.05}, "step_measuring": {"value": 30.0}}])
        watch.step("measuring 3")
        watch.step("flushing")
        wait_for(lambda: lines(log))
        watch.step("measuring 4")
    (told,) = lines(log)
    assert told["kind"] == "step_stalled"
    assert "'flushing' at the line takes longer than 0.05 s" in told["text"]
