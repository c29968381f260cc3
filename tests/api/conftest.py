"""A service on a fresh record, with a token of every kind."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from orchestrator.access import create_token
from orchestrator.api import create_app
from orchestrator.ledger import Ledger

FLOW = {
    "name": "served",
    "station": "flow_synthesis",
    "space": [
        {"name": "flow_velocity", "low": 20, "high": 60, "unit": "mm/s"},
        {"name": "cs_pb_ratio", "low": 0.4, "high": 1.6},
    ],
    "objectives": [
        {"observable": "peak_emission", "goal": "target", "value": 515, "tolerance": 3,
         "unit": "nm"}
    ],
    "agent": {"name": "sobol"},
    "budget": {"trials": 4},
}  # fmt: skip


@dataclass
class House:
    """An application and a way to ask it things."""

    ledger: Ledger
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, *scopes: str, lab: str | None = None) -> str:
        """Return a token of these scopes."""
        key = f"{scopes} {lab}"
        if key not in self.tokens:
            self.tokens[key] = create_token(self.ledger, scopes, lab=lab).text
        return self.tokens[key]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "admin",
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send one request; a token that is not a scope's name is sent as it is."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token if '_' in token else self.token(token)}"
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
                return await client.request(method, path, content=content, headers=sent)

        return asyncio.run(send())

    def get(self, path: str) -> dict[str, Any]:
        """Return the document at a path."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at head; making one takes longer than most of the tests."""
    made = tmp_path_factory.mktemp("empty") / "api.db"
    Ledger.open(f"sqlite:///{made}").close()
    return made


@pytest.fixture
def ledger(empty: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copy(empty, tmp_path / "api.db")
    with Ledger.open(f"sqlite:///{tmp_path}/api.db?synchronous=normal") as opened:
        yield opened


def bench(name: str = "bench") -> dict[str, Any]:
    """Return the document of a declared station, whose campaigns cost no computing."""
    return {
        "name": name,
        "declared": True,
        "parameters": [{"name": "x", "unit": "mm", "low": 0, "high": 10, "default": 1}],
        "observables": [{"name": "peak", "unit": "nm", "spectral": True}],
    }


def bench_file(**more: Any) -> dict[str, Any]:
    """Return a campaign file for it."""
    return {
        "name": "by hand",
        "station": "bench",
        "space": [{"name": "x", "low": 0, "high": 10, "unit": "mm"}],
        "objectives": [{"observable": "peak", "goal": "minimise", "unit": "nm"}],
        "agent": {"name": "random"},
        "budget": {"trials": 9},
        **more,
    }


@pytest.fixture
def house(ledger: Ledger) -> House:
    return House(ledger, create_app(ledger))
