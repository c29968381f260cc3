"""The client: one method a route; documents as the reference has them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from orchestrator.client._http import Connection, Retries
from orchestrator.client._stops import StopCalls
from orchestrator.errors import RemoteError

Document = dict[str, Any]
RESTING = frozenset({"paused", "finished", "stopped", "failed"})
"""States in which nothing happens to a campaign until a person does something."""
PAGE = 500
UPLOAD = 120.0  # s that a large file may take on its way and to be read
POLL = 5.0  # s that a request for events may wait, where a stream ended
_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


class Client(StopCalls):
    """Talks to a dotpilot server.

    Every method returns the document that the reference shows and raises the same refusals as the
    command line: NotFoundError, ConflictError (LostLeaseError among them), InputRefusedError,
    AccessError, and RemoteError where the server cannot be reached. Calls that may be made twice
    are retried. Threads may share a client.

    Args:
        url: `http://host:port` or `https://host`.
        token: `dotp_...`; see `token_from_environment`.
        retries: How long an idempotent call is tried again.
        timeout: Longest silence of a call [s].
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        retries: Retries | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._connection = Connection(url, token, retries or Retries(), timeout)
        self._retries = retries or Retries()
        self._timeout = timeout

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._connection.url

    def close(self) -> None:
        """Let go of the server."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _get(self, *parts: str, **query: Any) -> Document:
        return self._connection.call("GET", _path(*parts), query=query).document()

    def _post(
        self,
        *parts: str,
        body: Mapping[str, Any] | None = None,
        key: bool = False,
        again: bool = True,
        timeout: float | None = None,
    ) -> Document:
        headers = {"Idempotency-Key": secrets.token_hex(16)} if key else {}
        return self._connection.call(
            "POST", _path(*parts), body=body or {}, headers=headers, again=again, timeout=timeout
        ).document()

    def _put(self, *parts: str, body: Mapping[str, Any]) -> Document:
        return self._connection.call("PUT", _path(*parts), body=body).document()

    def _all(self, name: str, *parts: str) -> Document:
        """Follow the pages of a list to its end."""
        found: list[Any] = []
        place: str | None = None
        while True:
            page = self._get(*parts, limit=PAGE, next=place)
            found += page[name]
            place = page.get("next")
            if not place:
                return {name: found}

    # Campaigns

    def campaigns(self) -> Document:
        """Return all campaigns: `{"campaigns": [...]}`."""
        return self._all("campaigns", "campaigns")

    def create_campaign(
        self, file: Mapping[str, Any], *, start: bool = True, id: str | None = None
    ) -> Document:
        """Create a campaign from a campaign file, and start it.

        Args:
            file: The campaign file as a document.
            start: Let the server's loop take it up at once.
            id: Its identifier; made here if left out, so that a call made twice creates one.
        """
        name = id or "c" + "".join(secrets.choice(_ALPHABET) for _ in range(9))
        body = {"file": dict(file), "start": start, "id": name}
        return self._post("campaigns", body=body, key=True)

    def campaign(self, campaign: str) -> Document:
        """Return a campaign's document, as `show` prints it."""
        return self._get("campaigns", campaign)

    def campaign_file(self, campaign: str) -> Document:
        """Return the campaign file as it was declared."""
        return self._get("campaigns", campaign, "file")

    def start(self, campaign: str, reason: str = "") -> Document:
        """Let the server's loop take up a draft."""
        return self._post("campaigns", campaign, "start", body={"reason": reason})

    def pause(self, campaign: str, reason: str = "") -> Document:
        """Offer no further trial; those under way go on."""
        return self._post("campaigns", campaign, "pause", body={"reason": reason})

    def resume(self, campaign: str, reason: str = "") -> Document:
        """Let a resting campaign go on."""
        return self._post("campaigns", campaign, "resume", body={"reason": reason})

    def drain(self, campaign: str, reason: str = "") -> Document:
        """Finish the trials under way, then pause."""
        return self._post("campaigns", campaign, "drain", body={"reason": reason})

    def abort(self, campaign: str, reason: str = "") -> Document:
        """Stop a campaign and ask its workers to break off."""
        return self._post("campaigns", campaign, "abort", body={"reason": reason})

    def fork(
        self,
        campaign: str,
        at: int,
        *,
        agent: str | None = None,
        seed: int | None = None,
        start: bool = False,
    ) -> Document:
        """Begin a new campaign with what another had ended by event `at`."""
        body = {"at": at, "agent": agent, "seed": seed, "start": start}
        given = {k: v for k, v in body.items() if v is not None}
        return self._post("campaigns", campaign, "fork", body=given, key=True)

    def view(self, campaign: str, at: int) -> Document:
        """Return the campaign's document as of event `at`."""
        return self._get("campaigns", campaign, "view", at=at)

    def verify(
        self,
        campaign: str,
        *,
        tolerance: float | None = None,
        proposals: bool = True,
        expect_head: str | None = None,
    ) -> Document:
        """Check the record, as `replay verify`; may take minutes."""
        body = {
            "tolerance": tolerance,
            "proposals": None if proposals else False,
            "expect_head": expect_head,
        }
        given = {k: v for k, v in body.items() if v is not None}
        return self._post("campaigns", campaign, "verify", body=given, timeout=600.0)

    # Trials

    def trials(self, campaign: str) -> Document:
        """Return all trials of a campaign: `{"trials": [...]}`."""
        return self._all("trials", "campaigns", campaign, "trials")

    def add_trial(self, campaign: str, recipe: Mapping[str, Any], note: str = "") -> Document:
        """Add a recipe of one's own."""
        body = {"recipe": dict(recipe), "note": note}
        return self._post("campaigns", campaign, "trials", body=body, key=True)

    def trial(self, campaign: str, number: int) -> Document:
        """Return one trial with its leases and late results."""
        return self._get("campaigns", campaign, "trials", str(number))

    def edit_trial(
        self, campaign: str, number: int, recipe: Mapping[str, Any], note: str = ""
    ) -> Document:
        """Change a proposed recipe before it is approved.

        Raises:
            ConflictError: the trial changed since it was read here.
        """
        path = _path("campaigns", campaign, "trials", str(number))
        seen = self._connection.call("GET", path).headers.get("etag", "*")
        body = {"recipe": dict(recipe), "note": note}
        headers = {"If-Match": seen}
        return self._connection.call(
            "PATCH", path, body=body, headers=headers, again=False
        ).document()

    def approve(self, campaign: str, number: int, note: str = "") -> Document:
        """Approve a proposed trial."""
        return self._decide(campaign, number, "approve", {"note": note})

    def veto(self, campaign: str, number: int, note: str = "") -> Document:
        """Refuse a proposed trial: it is abandoned."""
        return self._decide(campaign, number, "veto", {"note": note})

    def resolve(
        self,
        campaign: str,
        number: int,
        decision: str,
        note: str,
        *,
        evidence: Mapping[str, Any] | None = None,
        late_result: str | None = None,
    ) -> Document:
        """Record the decision that ends the doubt about a trial."""
        body: Document = {"decision": decision, "note": note}
        if evidence is not None:
            body["evidence"] = dict(evidence)
        if late_result is not None:
            body["late_result"] = late_result
        return self._decide(campaign, number, "resolve", body)

    def attach(
        self,
        campaign: str,
        number: int,
        observables: Sequence[str],
        *,
        file: str,
        data: bytes,
        note: str,
        stated: Mapping[str, Any] | None = None,
        technique: str = "",
        measured_at: str | None = None,
        sample: str = "",
        correct: bool = False,
    ) -> Document:
        """Attach a later measurement to a trial; returns the trial.

        Args:
            campaign: Which campaign.
            number: Which trial.
            observables: Names; several where one file gives several values.
            file: Name of the file of evidence.
            data: Its bytes.
            note: Why, or what is to be known of it.
            stated: `{value, unit, se}` of the one observable; None where the file is read.
            technique: How it was measured; the campaign file's own word where it is empty.
            measured_at: When, ISO 8601 with its offset from UTC.
            sample: Which sample, as the label on it says.
            correct: Values of the station itself are replaced.
        """
        body: Document = {
            "observables": list(observables),
            "file": {"name": file, "base64": base64.b64encode(data).decode()},
            "note": note,
            "technique": technique,
            "sample": sample,
            "correct": correct,
        }
        body |= {} if stated is None else {"stated": dict(stated)}
        body |= {} if measured_at is None else {"measured_at": measured_at}
        place = ("campaigns", campaign, "trials", str(number), "attachments")
        return self._post(*place, body=body, key=True, timeout=max(self._timeout, UPLOAD))

    def _decide(self, campaign: str, number: int, what: str, body: Document) -> Document:
        place = ("campaigns", campaign, "trials", str(number), what)
        return self._post(*place, body=body, key=True)

    def proposal(self, campaign: str, number: int) -> Document:
        """Return the proposal of a trial with its reasons."""
        return self._get("campaigns", campaign, "trials", str(number), "proposal")

    def spectra(self, campaign: str, number: int, attempt: int | None = None) -> Document:
        """Return a trial's raw spectra; `read_array` makes arrays of their axis and values."""
        place = ("campaigns", campaign, "trials", str(number), "spectra")
        return self._get(*place, attempt=attempt)

    # Events

    def events(self, campaign: str, after: int = 0) -> Iterator[Document]:
        """Yield a campaign's events in order, each once, from `after` on; never ends by itself.

        A stream that is cut is taken up where it ended. Leave the loop to close it.

        Raises:
            RemoteError: the server stays unreachable.
        """
        seen = after
        while True:
            try:
                with self._stream(campaign, seen) as stream:
                    for item in stream:
                        event = json.loads(item.data)
                        if int(event["seq"]) > seen:
                            seen = int(event["seq"])
                            yield event
            except RemoteError:
                self.campaign(campaign)  # waits, with retries, until the server is back
            for event in self.event_page(campaign, seen, wait=POLL)["events"]:
                seen = int(event["seq"])
                yield event

    def _stream(self, campaign: str, seen: int) -> Any:
        path = _path("campaigns", campaign, "events")
        return self._connection.stream(path, {"after": seen}, {"Last-Event-ID": str(seen)})

    def event_page(
        self, campaign: str, after: int = 0, *, limit: int = PAGE, wait: float = 0.0
    ) -> Document:
        """Return the events after `after`, waiting up to `wait` [s] for the first."""
        return self._get("campaigns", campaign, "events", after=after, limit=limit, wait=wait)

    def wait(self, campaign: str, after: int | None = None) -> Document:
        """Return the campaign's document once it rests (paused, finished, stopped or failed).

        Args:
            campaign: Which one.
            after: Number of an event that is known; its present last one if left out.
        """
        found = self.campaign(campaign)
        if found["state"] in RESTING:
            return found
        for event in self.events(campaign, found["events"] if after is None else after):
            if event["type"].startswith("campaign."):
                found = self.campaign(campaign)
                if found["state"] in RESTING:
                    return found
        raise AssertionError("unreachable")

    # What there is

    def agents(self) -> Document:
        """Return the agents that the server has."""
        return self._get("agents")

    def agent(self, name: str) -> Document:
        """Return an agent's options."""
        return self._get("agents", name)

    def stations(self) -> Document:
        """Return the stations that the server knows, declared ones among them."""
        return self._get("stations")

    def station(self, name: str) -> Document:
        """Return what a station declares."""
        return self._get("stations", name)

    def put_station(self, document: Mapping[str, Any]) -> Document:
        """Register the document of a declared station."""
        return self._put("stations", str(document["name"]), body=document)

    def labs(self) -> Document:
        """Return the labs that have workers."""
        return self._get("labs")

    def workers(self) -> Document:
        """Return the workers."""
        return self._get("workers")

    # Work

    def register_worker(self, worker: str, registration: Mapping[str, Any]) -> Document:
        """Say who works; returns `lease_s` and `heartbeat_s` [s] among the rest."""
        return self._put("workers", worker, body=registration)

    def lease(
        self,
        worker: str,
        *,
        wait: float = 0.0,
        lease_s: float | None = None,
        campaign: str | None = None,
        instance: str | None = None,
    ) -> Document | None:
        """Ask for work; None where there is none within `wait` [s].

        A worker that registered an instance has to name it here too.

        The answer may be lost on its way: `leases` shows what a worker holds.
        """
        body: Document = {"worker": worker, "wait_s": wait}
        if lease_s is not None:
            body["lease_s"] = lease_s
        if campaign is not None:
            body["campaign"] = campaign
        if instance is not None:
            body["instance"] = instance
        silence = self._timeout + wait
        return self._post("leases", body=body, again=False, timeout=silence) or None

    def leases(self, worker: str) -> Sequence[Document]:
        """Return the leases that a worker holds."""
        return list(self._get("leases", worker=worker)["leases"])

    def get_lease(self, lease: str) -> Document:
        """Return a lease."""
        return self._get("leases", lease)

    def heartbeat(
        self,
        lease: str,
        fence: int,
        progress: str = "",
        *,
        lease_s: float | None = None,
        planned: Mapping[int, Any] | None = None,
    ) -> Document:
        """Keep a lease; returns `{"expires_in", "cancel", "pause"}`.

        Args:
            lease: Which.
            fence: Its fencing number.
            progress: What the station does.
            lease_s: How long it is to last from now on [s].
            planned: What each trial may draw at most, by stock; said before anything moves.

        Raises:
            LostLeaseError: somebody else holds it, or nobody.
        """
        body: Document = {"fence": fence, "progress": progress}
        if lease_s is not None:
            body["lease_s"] = lease_s
        if planned:
            body["planned"] = {str(trial): doses for trial, doses in planned.items()}
        return self._post("leases", lease, "heartbeat", body=body)

    def send_result(self, lease: str, body: Mapping[str, Any]) -> Document:
        """Report measurements, `{"fence", "results": [...]}`; the same again is taken once."""
        return self._put("leases", lease, "result", body=body)

    def send_failure(self, lease: str, body: Mapping[str, Any]) -> Document:
        """Report a failure, `{"fence", "kind", "reason", "message", ...}`."""
        return self._post("leases", lease, "fail", body=body)

    def give_back(self, lease: str, fence: int, reason: str) -> Document:
        """Return a lease for which nothing was moved."""
        return self._post("leases", lease, "return", body={"fence": fence, "reason": reason})

    # Who may do what

    def tokens(self) -> Document:
        """Return the tokens, without their secrets."""
        return self._get("tokens")

    def create_token(
        self, scopes: Sequence[str], *, lab: str | None = None, expires: str | None = None
    ) -> Document:
        """Make a token; its secret is in this answer only."""
        body: Document = {"scopes": list(scopes)}
        body |= {k: v for k, v in (("lab", lab), ("expires", expires)) if v is not None}
        return self._post("tokens", body=body, again=False)

    def revoke_token(self, token: str) -> None:
        """End a token's life."""
        self._connection.call("DELETE", _path("tokens", token))

    def audit(self) -> Document:
        """Return who changed what."""
        return self._all("audit", "audit")


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(p, safe="") for p in parts)
