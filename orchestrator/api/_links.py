"""Which answer leads where: OpenAPI links, by which tools walk from operation to operation."""

from __future__ import annotations

from typing import Any

_CAMPAIGN = {"c": "$response.body#/campaign"}
_TRIAL = {"c": "$request.path.c", "n": "$response.body#/trial"}
_LEASE = {"l": "$response.body#/lease"}
_FENCED = {"fence": "$response.body#/fence"}
_CAMPAIGN_OPERATIONS = (
    "show_campaign", "show_file", "start_campaign", "pause", "resume", "drain", "abort", "fork",
    "view", "verify", "list_events", "list_trials", "add",
)  # fmt: skip
_TRIAL_OPERATIONS = ("show_trial", "approve", "veto", "resolve", "show_proposal", "show_spectra")
_LEASE_OPERATIONS = ("heartbeat", "put_result", "fail_lease", "return_lease")


def links_of(operation: str) -> dict[str, Any]:
    """Return the links of an operation's successful answer, by the operation that they lead to."""
    if operation in ("create_campaign", "fork"):
        return {o: _link(o, _CAMPAIGN) for o in _CAMPAIGN_OPERATIONS}
    if operation in ("add", "show_trial"):
        version = {**_TRIAL, "header.If-Match": "$response.header.ETag"}
        return {"edit": _link("edit", version)} | {o: _link(o, _TRIAL) for o in _TRIAL_OPERATIONS}
    if operation == "put_worker":
        worker = "$response.body#/worker"
        return {
            "take_lease": _link("take_lease", {}, {"worker": worker}),
            "list_leases": _link("list_leases", {"worker": worker}),
        }
    if operation == "take_lease":
        found = {o: _link(o, _LEASE, _FENCED) for o in _LEASE_OPERATIONS}
        return {"show_lease": _link("show_lease", _LEASE), **found}
    if operation == "make_token":
        return {"end_token": _link("end_token", {"t": "$response.body#/id"})}
    if operation == "put_station":
        return {"show_station": _link("show_station", {"s": "$response.body#/name"})}
    return {}


def _link(
    operation: str, parameters: dict[str, str], body: dict[str, str] | None = None
) -> dict[str, Any]:
    link: dict[str, Any] = {"operationId": operation, "parameters": parameters}
    return link if body is None else {**link, "requestBody": body}
