"""The service for remote labs: REST on the ledger. Nothing here is imported by `--help`."""

from orchestrator.api._app import create_app, openapi
from orchestrator.api._ops import API_VERSION
from orchestrator.api._server import ApiServer, single_user
from orchestrator.api._session import SingleUser
from orchestrator.api._table import ROUTES, Route

__all__ = [
    "API_VERSION",
    "ROUTES",
    "ApiServer",
    "Route",
    "SingleUser",
    "create_app",
    "openapi",
    "single_user",
]
