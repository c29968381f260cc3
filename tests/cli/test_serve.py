"""A server that is told to stop lets go of the campaigns whose loops it ran."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.access import create_token
from orchestrator.client import Client
from orchestrator.ledger import Ledger
from tests.loop.campaigns import SMALL

COMMAND = "import sys; from orchestrator.cli import main; main(sys.argv[1:])"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_lets_go_of_its_campaigns(tmp_path: Path, number: signal.Signals) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        token = create_token(ledger, ["campaign:write"]).text
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", "--db", url, "--port", "0", "--jobs", "1"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        try:
            assert process.stderr is not None
            said = re.search(r"on (http://\S+);", process.stderr.readline())
            assert said is not None
            with Client(said[1], token) as client:
                made = client.create_campaign(SMALL)["campaign"]
                next(e for e in client.events(made) if e["type"] == "step.proposed")
            assert _holders(ledger) != [None], "nobody runs the campaign"
            process.send_signal(number)
            process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130
        assert _holders(ledger) == [None], "another server would wait for the owner's lease"


def _holders(ledger: Ledger) -> list[str | None]:
    with ledger.engine.connect() as connection:
        return list(connection.execute(text("SELECT holder FROM owner")).scalars())
