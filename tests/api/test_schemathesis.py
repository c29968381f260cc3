"""Generated requests, single and in sequences: no server error, no undocumented answer."""

from __future__ import annotations

import os
import re
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
from orchestrator.decisions import add_trial
from orchestrator.ledger import Ledger
from tests.api.conftest import House, bench, bench_file
from tests.api.test_lab_routes import offer
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


def _furnish(case: schemathesis.Case, house: House) -> None:
    """Give a generated request what chance does not find: a campaign file, a recipe, an offer."""
    if not isinstance(case.body, dict):
        return
    path = case.operation.path
    given: dict[str, Any] = {
        "/v1/campaigns": {"file": bench_file()},
        "/v1/campaigns/{c}/trials": {"recipe": {"x": 3.0}},
        "/v1/campaigns/{c}/trials/{n}": {"recipe": {"x": 4.0}},
        "/v1/campaigns/{c}/fork": {"at": 1, "agent": None},
        "/v1/workers/{w}": {"lab": "delft", "station": "bench", "simulated": None},
        "/v1/leases": {"worker": "hand", "campaign": None, "lease_s": 60},
        "/v1/tokens": {"expires": "1d"},
    }.get(path, {})
    case.body |= given
    if path == "/v1/campaigns":
        case.body.pop("id", None)
    if path == "/v1/leases/{l}/result":
        held = house.app.state.service.fleet.leases(worker="hand")
        own = [m for x in held if x.lease == case.path_parameters["l"] for m in x.members]
        case.body["results"] = [{"trial": m.trial, "attempt": m.attempt} for m in own]
    if path == "/v1/leases":
        for row in house.ledger.campaigns():
            if row.dispatch == "fleet" and row.state == "running":
                add_trial(house.ledger, row.id, {"x": 3.0}, "for a lease")
                offer(house, row.id)


def _file(house: House) -> str:
    """Return the path of the record, which nobody has open by now."""
    house.ledger.engine.dispose()
    return str(house.ledger.engine.url.database)


def _sequences(service: Any, house: House, examples: int, steps: int) -> None:
    machine = service.as_state_machine()
    house.token("admin")
    begun = f"{_file(house)}.begun"
    shutil.copy(_file(house), begun)

    class Sequences(machine):  # type: ignore[misc,valid-type]
        def setup(self) -> None:
            shutil.copy(begun, _file(house))  # what hypothesis tries again must come out again
            super().setup()

        def before_call(self, case: schemathesis.Case) -> None:
            _furnish(case, house)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {house.token('admin')}"}}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Sequences.run(settings=settings(max_examples=examples, stateful_step_count=steps, **QUICK))


def _answered(house: House) -> set[str]:
    """Return the routes that answered with success, as the service itself counted them."""
    found = re.findall(
        r'requests_total\{method="(\w+)",route="([^"]+)",status="20[01]"\} (\d+)',
        house.ask("GET", "/metrics").text,
    )
    return {f"{method} {route}" for method, route, _ in found}


def test_sequences(service: Any, furnished: House) -> None:
    _sequences(service, furnished, examples=8, steps=6)
    assert len(_answered(furnished)) >= 8, "sequences that only fail show nothing"


@pytest.mark.slow
def test_sequences_at_length(service: Any, furnished: House) -> None:
    _sequences(service, furnished, examples=int(os.environ.get("SEQUENCES", "100")), steps=12)
    changes = {f"{r.method} {r.path}" for r in ROUTES if r.audited}
    assert len(_answered(furnished) & changes) >= 12, "sequences that only fail show nothing"
