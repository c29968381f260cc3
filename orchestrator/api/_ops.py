"""Routes for whoever runs the service: is it alive, is it ready, what is it, how busy is it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.api._problems import problem
from orchestrator.api._service import At, answer
from orchestrator.errors import SchemaError
from orchestrator.ledger import HEAD
from orchestrator.ledger._schema import revision_of

if TYPE_CHECKING:
    from orchestrator.api._metrics import Metrics

API_VERSION = "1.1.0"


def health() -> Response:
    """Tell that the process answers."""
    return answer({"status": "ok"})


def ready(request: Request, at: At) -> Response:
    """Tell whether the database answers and is at head."""
    try:
        found = revision_of(at.ledger.engine)
    except (SQLAlchemyError, SchemaError) as error:
        detail = f"the database does not answer: {type(error).__name__}"
        return problem(request.url.path, 503, "not-ready", detail)
    if found != HEAD:
        detail = (
            f"the database must be at schema {HEAD}, but is at {found}; run `dotpilot db upgrade`"
        )
        return problem(request.url.path, 503, "not-ready", detail)
    return answer({"status": "ok"})


def show_version() -> Response:
    """Tell what runs here."""
    return answer({"dotpilot": version("dotpilot"), "api": API_VERSION, "schema": HEAD})


def show_metrics(request: Request, at: At) -> Response:
    """Give counts in the text format of Prometheus."""
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
