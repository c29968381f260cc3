"""What handlers work with, and how they answer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Path, Query, Request, Response

from orchestrator.access import KeyStore, Principal, record_within
from orchestrator.api._feed import Feed
from orchestrator.api._problems import RequestError
from orchestrator.api._session import SingleUser
from orchestrator.api._turns import Turns
from orchestrator.fleet import LEASE_S, Fleet, worker_states
from orchestrator.ledger import Ledger, event_counts, offer_mark

OFFERS, WORKERS = "\noffers", "\nworkers"  # no campaign has these identifiers
KEEPALIVE_S = 15.0  # proxies commonly close what is silent for 30 to 60 s
# Threads for what takes milliseconds and comes from everybody: as many as the database has
# connections to give. Beyond them threads fight over the interpreter, and nobody is sooner done.
BRIEF = 8
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
Json = dict[str, Any]
T = TypeVar("T")


@dataclass
class Use:
    """A request's row in the audit trail, for whoever can write it with what it tells.

    Attributes:
        actor: Who asks.
        action: HTTP method.
        target: Path.
        written: Whether the row is there.
    """

    ledger: Ledger
    actor: str
    action: str
    target: str
    written: bool = False

    def within(self, cursor: Any) -> None:
        """Write the row of a success in a transaction of the ledger's."""
        record_within(cursor, self.ledger, self.actor, self.action, self.target, 200)
        self.written = True


@dataclass
class Service:
    """The record and what goes with it, for one application."""

    ledger: Ledger
    single_user: SingleUser | None = None
    keepalive_s: float = KEEPALIVE_S
    lease_s: float = LEASE_S
    streams: int = 0
    verifications: Turns = field(default_factory=Turns)
    fleet: Fleet = field(init=False)
    keys: KeyStore = field(init=False)
    feed: Feed = field(init=False)
    brief: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(BRIEF))

    def __post_init__(self) -> None:
        self.keys = KeyStore(self.ledger)
        self.feed = Feed(self._news)
        self.fleet = Fleet(self.ledger, self.lease_s)

    async def briefly(self, work: Callable[..., T], *given: Any) -> T:
        """Do in a thread what takes a transaction or two, beside whatever takes long."""
        return await run_sync(work, *given, limiter=self.brief)

    def _news(self, keys: frozenset[str]) -> dict[str, Any]:
        found: dict[str, Any] = dict(event_counts(self.ledger, keys - {OFFERS, WORKERS}))
        if OFFERS in keys:
            found[OFFERS] = offer_mark(self.ledger)
        if WORKERS in keys:
            found[WORKERS] = worker_states(self.ledger)
        return found


# Coroutines, since the framework would send a plain function to a thread of its own.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _principal(request: Request) -> Principal:
    who: Principal = request.state.principal
    return who


async def _use(request: Request) -> Use:
    use: Use = request.state.use
    return use


def parties(request: Request) -> tuple[Service, Principal, Use]:
    """Return what dependencies give, for handlers asked so often that resolving them shows."""
    return request.app.state.service, request.state.principal, request.state.use


At = Annotated[Service, Depends(_service)]
Who = Annotated[Principal, Depends(_principal)]
Trail = Annotated[Use, Depends(_use)]
# A reference to a campaign: identifier, its beginning, or a unique name.
Campaign = Annotated[
    str, Path(alias="c", max_length=200, description="Identifier or unique name.")
]
Number = Annotated[int, Path(alias="n", ge=1, lt=2**31, description="Number of the trial.")]
Name = Annotated[str, Path(max_length=200, pattern="^[^\\x00-\\x1f\\x7f]+$")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Next = Annotated[
    str | None, Query(max_length=400, description="The `next` of the page before this one.")
]


def answer(
    document: Any, status: int = 200, etag: str | None = None, location: str | None = None
) -> Response:
    """Return a JSON answer; a document holds no NaN."""
    headers = {}
    if etag is not None:
        headers["ETag"] = f'"{etag}"'
    if location is not None:
        headers["Location"] = location
    return Response(_ENCODER.encode(document).encode(), status, headers, "application/json")


def cursor(*key: str | int) -> str:
    """Return where a page ended, as text that only we read."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(text: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Return the key that a `next` holds.

    Raises:
        RequestError: not a `next` of ours.
    """
    if text is None:
        return None
    try:
        key = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        known = isinstance(key, list) and [type(k) for k in key] == list(kinds)
    except (binascii.Error, ValueError):
        known = False
    if not known or any(isinstance(k, int) and not 0 <= k < 2**31 for k in key):
        raise RequestError(400, f"next must be what the page before gave, but got {text!r}")
    return tuple(key)


def not_modified(request: Request, etag: str) -> Response | None:
    """Return 304 where the caller already has this version."""
    given = request.headers.get("if-none-match", "")
    tags = {t.strip().removeprefix("W/") for t in given.split(",")}
    return (
        Response(status_code=304, headers={"ETag": f'"{etag}"'}) if f'"{etag}"' in tags else None
    )


def hash_of_key(request: Request, actor: str) -> str | None:
    """Return what an Idempotency-Key stands for in the record, so that no crash does it twice."""
    key = getattr(request.state, "key", None)
    if key is None:
        return None
    return hashlib.sha256(f"{actor}\n{request.url.path}\n{key}".encode()).hexdigest()[:16]


def wanted_version(request: Request) -> str:
    """Return the version that an edit speaks of.

    Raises:
        RequestError: no If-Match (428), or not one strong tag (400).
    """
    given = request.headers.get("if-match")
    if given is None:
        raise RequestError(
            428, "an edit needs If-Match with the ETag of what was read; read it and send that"
        )
    if len(given) < 3 or given[0] != '"' or given[-1] != '"' or '"' in given[1:-1]:
        raise RequestError(400, f"If-Match must be one ETag in quotes, but got {given!r}")
    return given[1:-1]
