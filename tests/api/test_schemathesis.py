"""Generated requests, single and in sequences: no server error, no undocumented answer."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from orchestrator.api import ROUTES, create_app
from orchestrator.ledger import Ledger
from tests.api.conftest import House, bench, bench_file
from tests.records import finished_campaign

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    missing_required_header,
    ignored_auth,
    unsupported_method,
    allow_header_conformance,
]
QUICK = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
}


@pytest.fixture(scope="module")
def furnished(empty: Path) -> Iterator[House]:
    """A service with something behind most identifiers, which never waits."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, f"{folder}/x.db")
        with Ledger.open(f"sqlite:///{folder}/x.db?synchronous=normal") as ledger:
            house = House(ledger, create_app(ledger))
            house.app.state.service.feed.close()
            house.ask("PUT", "/v1/stations/bench", bench())
            for name in ("campaign", "another"):
                house.ask("POST", "/v1/campaigns", {"file": bench_file(), "id": name})
                house.ask("POST", f"/v1/campaigns/{name}/trials", {"recipe": {"x": 3.0}})
            house.ask("PUT", "/v1/workers/hand", {"lab": "delft", "station": "bench"})
            finished_campaign(ledger)
            yield house


@pytest.fixture
def service(furnished: House) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", furnished.app)


OPERATIONS = [pytest.param(r.method, r.path, id=f"{r.method} {r.path}") for r in ROUTES]


def _try(service: Any, house: House, method: str, path: str, how: settings) -> None:
    headers = {"Authorization": f"Bearer {house.token('admin')}"}

    @how
    @given(case=service[path][method].as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation(service: Any, furnished: House, method: str, path: str) -> None:
    _try(service, furnished, method, path, settings(max_examples=3, **QUICK))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_at_length(service: Any, furnished: House, method: str, path: str) -> None:
    how = settings(max_examples=40, **{**QUICK, "derandomize": False})
    _try(service, furnished, method, path, how)


def _sequences(service: Any, house: House, examples: int, steps: int) -> None:
    machine = service.as_state_machine()

    class Sequences(machine):  # type: ignore[misc,valid-type]
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {house.token('admin')}"}}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    run = settings(max_examples=examples, stateful_step_count=steps, **QUICK)
    Sequences.run(settings=run)


def test_sequences(service: Any, furnished: House) -> None:
    _sequences(service, furnished, examples=5, steps=5)


@pytest.mark.slow
def test_sequences_at_length(service: Any, furnished: House) -> None:
    _sequences(service, furnished, examples=int(os.environ.get("SEQUENCES", "100")), steps=12)
