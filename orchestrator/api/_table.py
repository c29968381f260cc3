"""The table of all routes: what each is, who may use it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from orchestrator.api import (
    _campaigns,
    _declared,
    _events,
    _labs,
    _ops,
    _stops,
    _tokens,
    _trials,
)
from orchestrator.api import _schemas as s
from orchestrator.api._shield import MIB

READ, WRITE, APPROVE = "campaign:read", "campaign:write", "trial:approve"
EXECUTE, ADMIN = "lab:execute", "admin"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    Attributes:
        method: HTTP method.
        path: Template, such as `/v1/campaigns/{c}`.
        scope: Who may; None is anybody.
        handler: What answers.
        document: Shape of the answer, or None where it has another media type or none.
        status: Of the answer.
        also: Further statuses beside those that every route has.
        lab: Whether a token that is bound to a lab may use it, for that lab.
        keyed: Whether an Idempotency-Key is heeded.
        audited: Whether a success is put into the trail.
        most: Greatest body [bytes].
        media: Other media types that it answers with.
    """

    method: str
    path: str
    scope: str | None
    handler: Callable[..., Any]
    document: type[BaseModel] | None
    status: int = 200
    also: tuple[int, ...] = ()
    lab: bool = False
    keyed: bool = False
    audited: bool = False
    most: int = MIB
    media: tuple[str, ...] = ()


def _get(
    path: str,
    handler: Callable[..., Any],
    document: type[BaseModel] | None,
    scope: str | None = READ,
    **more: Any,
) -> Route:
    return Route("GET", path, scope, handler, document, **more)


def _change(
    method: str,
    path: str,
    scope: str,
    handler: Callable[..., Any],
    document: type[BaseModel] | None,
    **more: Any,
) -> Route:
    return Route(method, path, scope, handler, document, audited=True, **more)


def _lab(
    method: str,
    path: str,
    handler: Callable[..., Any],
    document: type[BaseModel] | None,
    **more: Any,
) -> Route:
    audited = more.pop("audited", method != "GET")
    return Route(method, path, EXECUTE, handler, document, lab=True, audited=audited, **more)


_C = "/v1/campaigns/{c}"
_T = _C + "/trials/{n}"
_L = "/v1/leases/{l}"
_W = "/v1/workers/{w}"
# Spectra of a plate that was filmed; and of everything else [bytes].
_RESULT = 128 * MIB
_WORD = {"also": (404, 409), "keyed": True}
_CAMPAIGNS = (
    _get("/v1/campaigns", _campaigns.list_campaigns, s.CampaignList),
    _change(
        "POST",
        "/v1/campaigns",
        WRITE,
        _campaigns.create_campaign,
        s.CampaignDocument,
        status=201,
        also=(409,),
        keyed=True,
    ),
    _get(_C, _campaigns.show_campaign, s.CampaignDocument, also=(304, 404)),
    _get(_C + "/file", _campaigns.show_file, s.CampaignFile, also=(404,)),
    *(
        _change("POST", f"{_C}/{name}", WRITE, handler, s.CampaignDocument, **_WORD)
        for name, handler in (
            ("start", _campaigns.start_campaign),
            ("pause", _campaigns.pause),
            ("resume", _campaigns.resume),
            ("drain", _campaigns.drain),
            ("abort", _campaigns.abort),
        )
    ),
    _change("POST", _C + "/fork", WRITE, _campaigns.fork, s.CampaignDocument, status=201, **_WORD),
    _get(_C + "/view", _campaigns.view, s.CampaignDocument, also=(404,)),
    Route("POST", _C + "/verify", READ, _campaigns.verify, s.Verification, also=(404,)),
    _get(_C + "/events", _events.list_events, s.EventList, also=(404,), media=(_events.STREAM,)),
)
_TRIALS = (
    _get(_C + "/trials", _trials.list_trials, s.TrialList, also=(404,)),
    _change("POST", _C + "/trials", WRITE, _trials.add, s.FullTrialDocument, status=201, **_WORD),
    _get(_T, _trials.show_trial, s.FullTrialDocument, also=(304, 404)),
    _change(
        "PATCH",
        _T,
        APPROVE,
        _trials.edit,
        s.FullTrialDocument,
        also=(404, 409, 412, 428),
    ),
    *(
        _change("POST", f"{_T}/{name}", APPROVE, handler, s.FullTrialDocument, **_WORD)
        for name, handler in (
            ("approve", _trials.approve),
            ("veto", _trials.veto),
            ("resolve", _trials.resolve),
        )
    ),
    _change(
        "POST",
        _T + "/attachments",
        APPROVE,
        _trials.attach,
        s.FullTrialDocument,
        status=201,
        most=_RESULT,
        **_WORD,
    ),
    _get(_T + "/proposal", _trials.show_proposal, s.ProposalDocument, also=(404,)),
    _get(_T + "/spectra", _trials.show_spectra, s.SpectrumList, also=(404,)),
)
_STATIONS = (
    _get("/v1/agents", _declared.list_agents, s.AgentList),
    _get("/v1/agents/{a}", _declared.show_agent, s.AgentDocument, also=(404,)),
    _get("/v1/stations", _declared.list_stations, s.StationList),
    _get("/v1/stations/{s}", _declared.show_station, s.StationDocument, also=(404,)),
    _change("PUT", "/v1/stations/{s}", WRITE, _declared.put_station, s.StationDocument),
)
_LABS = (
    _get("/v1/labs", _labs.list_labs, s.LabList),
    _get("/v1/workers", _labs.list_workers, s.WorkerList),
    _lab("PUT", "/v1/workers/{w}", _labs.put_worker, s.RegisteredWorker, also=(409,)),
    _lab(
        "POST", _W + "/stop", _stops.stop_worker, _stops.StopDocument, also=(404,), audited=False
    ),
    _lab("GET", _W + "/stop", _stops.show_stop, _stops.StopDocument, also=(404,)),
    _lab("PUT", _W + "/stop", _stops.put_report, _stops.StopDocument, also=(404,), audited=False),
    _lab("GET", _W + "/orders", _stops.wait_for_orders, _stops.Orders, also=(404,)),
    _lab("POST", "/v1/leases", _labs.take_lease, s.LeaseDocument, also=(204, 404, 409)),
    _lab("GET", "/v1/leases", _labs.list_leases, s.LeaseList, also=(404,)),
    _lab("GET", _L, _labs.show_lease, s.LeaseDocument, also=(404,)),
    # liveness is no change of the record: it would drown the trail
    _lab(
        "POST",
        _L + "/heartbeat",
        _labs.heartbeat,
        s.HeartbeatAnswer,
        also=(404, 409),
        audited=False,
    ),
    _lab("PUT", _L + "/result", _labs.put_result, s.LeaseEnd, also=(404, 409), most=_RESULT),
    _lab("POST", _L + "/fail", _labs.fail_lease, s.LeaseEnd, also=(404, 409)),
    _lab("POST", _L + "/return", _labs.return_lease, s.LeaseEnd, also=(404, 409)),
)
_ACCESS = (
    _get("/v1/tokens", _tokens.list_tokens, s.TokenList, ADMIN),
    _change("POST", "/v1/tokens", ADMIN, _tokens.make_token, s.NewTokenDocument, status=201),
    _change("DELETE", "/v1/tokens/{t}", ADMIN, _tokens.end_token, s.TokenDocument, also=(404,)),
    _get("/v1/audit", _tokens.list_audit, s.AuditList, ADMIN),
)
_OPERATIONS = (
    _get("/healthz", _ops.health, s.Health, None),
    _get("/readyz", _ops.ready, s.Health, None, also=(503,)),
    _get("/version", _ops.show_version, s.Version, None),
    _get("/metrics", _ops.show_metrics, None, media=("text/plain",)),
)
ROUTES: tuple[Route, ...] = (
    *_CAMPAIGNS,
    *_TRIALS,
    *_STATIONS,
    *_LABS,
    *_ACCESS,
    *_OPERATIONS,
)
