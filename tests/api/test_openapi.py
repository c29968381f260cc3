"""The OpenAPI document is the committed one, its version stands for its shape, and it is true."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from orchestrator.api import API_VERSION, ROUTES, openapi
from orchestrator.api._problems import _STATUS, slug_of
from orchestrator.decisions import MovedOnError
from orchestrator.errors import AccessError, DotpilotError
from orchestrator.fleet import LeaseLostError

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "reference" / "openapi.json"
PAGE = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
WORDS = ("description", "summary", "title")


def _shape(document: Any) -> Any:
    """Return a document without the words that only people read."""
    if isinstance(document, dict):
        return {
            k: _shape(v)
            for k, v in document.items()
            if not (k in WORDS and isinstance(v, str)) and k != "info"
        }
    return [_shape(v) for v in document] if isinstance(document, list) else document


def _digest(document: Any) -> str:
    text = json.dumps(_shape(document), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_committed_document_is_the_programs() -> None:
    committed = json.loads(FILE.read_text(encoding="utf-8"))
    assert committed == openapi(), (
        "write it again with `python -m orchestrator.api > docs/reference/openapi.json`"
    )
    assert committed["info"]["version"] == API_VERSION


def test_a_change_of_shape_has_a_version_of_its_own() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| `([0-9a-f]{16})` \|", PAGE, re.M)
    assert len({version for version, _ in rows}) == len(rows)
    assert rows[-1] == (API_VERSION, _digest(openapi())), (
        "the API changed: raise API_VERSION in orchestrator/api/_ops.py, write openapi.json "
        "again, and add a row for the new version to docs/reference/api.md; earlier rows stay"
    )


def test_the_reference_has_a_row_for_every_route() -> None:
    rows = re.findall(r"^\| `([A-Z]+) ([^`?]+)[^`]*` \| (`[^`]+`|-) \|", PAGE, re.M)
    documented = {(method, path): scope.strip("`") for method, path, scope in rows}
    assert documented == {(r.method, r.path): r.scope or "-" for r in ROUTES}


def test_the_reference_names_every_refusal() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \| \d{3}", PAGE, re.M))
    unused = {slug_of(AccessError), slug_of(DotpilotError)}
    kinds = [kind for kind, _ in _STATUS] + [LeaseLostError, MovedOnError]
    ours = {slug_of(k) for k in kinds if k.__module__.startswith("orchestrator")}
    assert ours - unused <= named, sorted(ours - unused - named)


def test_operations_have_names_of_their_own() -> None:
    names = [r.handler.__name__ for r in ROUTES]
    assert len(set(names)) == len(names)


def test_no_page_loads_anything_from_elsewhere() -> None:
    source = "".join(p.read_text() for p in (ROOT / "orchestrator" / "api").glob("*.py"))
    assert not re.search(r"https?://(?!\{|\[)", source)
