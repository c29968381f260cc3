"""station sila as a laboratory's software meets it: a process, its certificate, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import Run, run  # noqa: F401 fixtures

STATION = Path(__file__).parents[2] / "examples" / "stations" / "topo_batch.yaml"
COMMAND = [sys.executable, "-c", "from orchestrator.cli import main; main()"]


def test_a_certificate_goes_with_its_key_and_not_with_an_open_wire(run: Run) -> None:  # noqa: F811
    for words in (("--certificate", "a.pem"), ("--insecure", "--certificate", "a", "--key", "b")):
        code, _, err = run("station", "sila", STATION, *words)
        assert code == 2 and "--certificate and --key go together" in err


def test_a_missing_certificate_is_told(run: Run, tmp_path: Path) -> None:  # noqa: F811
    lost = tmp_path / "lost.pem"
    code, _, err = run("station", "sila", STATION, "--certificate", lost, "--key", lost)
    assert code == 2 and "must be readable" in err


def test_a_station_is_served_until_it_is_interrupted() -> None:
    client = pytest.importorskip(
        "sila2.client", reason="SiLA 2 needs the library sila2 (extra `sila`)"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["station", "sila", str(STATION), "--port", str(port), "--json"]
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    ) as served:
        try:
            assert served.stdout is not None
            lines: list[str] = []
            while not lines or lines[-1] != "}":
                line = served.stdout.readline().decode("utf-8")
                assert line, served.stderr.read().decode("utf-8") if served.stderr else ""
                lines.append(line.rstrip("\n"))
            document = json.loads("\n".join(lines))
            assert document["address"] == f"127.0.0.1:{port}"
            root = document["certificate"].encode("ascii")
            with client.SilaClient("127.0.0.1", port, root_certs=root) as asked:
                assert asked.StationService.StationName.get() == "topo_batch 1"
                assert asked.SiLAService.ServerUUID.get() == document["server"]
        finally:
            served.send_signal(signal.SIGINT)
            assert served.wait(30) == 130
