"""The service over HTTP: a server does the work, this process asks and watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli._context import say
from orchestrator.cli._local import nothing_to_do
from orchestrator.cli._service import Document, Rest
from orchestrator.cli._signals import on_signals
from orchestrator.client import RESTING, Client
from orchestrator.errors import InputRefusedError, RemoteError
from orchestrator.trial import IN_FLIGHT

if TYPE_CHECKING:
    from orchestrator.decisions import Attachment

DERIVED_WITHIN = 10.0  # s that `tell` waits for the server's loop to derive observables
OUTAGES = 20  # a watch ends after so many outages in a row, each of the client's own retries


class RemoteService:
    """Works on a server.

    Args:
        client: Opened by whoever made this.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def launch(self, file: Document, station: Path | None) -> Rest:
        """Create a campaign at the server and watch it until it rests."""
        if station is not None:
            self._declare(station)
        try:
            made = self._client.create_campaign(file)
        except InputRefusedError as error:  # the same words as for a file that is checked here
            raise InputRefusedError([p.removeprefix("file.") for p in error.problems]) from error
        say(f"campaign {made['campaign']} ({made['name']}) at {self._client.url}")
        return self._watch(made["campaign"], 0, file)

    def _declare(self, path: Path) -> None:
        """Register a declared station; any other belongs to the workers of its lab."""
        from orchestrator.campaign import read_document
        from orchestrator.worker import is_declared

        document = read_document(path)
        if not is_declared(document):
            raise InputRefusedError(
                "--station: with --url the stations belong to the labs' workers (`dotpilot "
                "worker --station`); only a declared station is taken here"
            )
        self._client.put_station(document)

    def resume(self, campaign: str, station: Path | None) -> Rest:
        """Let a campaign go on and watch it until it rests."""
        if station is not None:
            raise InputRefusedError(
                "--station: with --url the bottles are those of the labs' workers; leave it out"
            )
        found = self._client.campaign(campaign)
        after = int(found["events"])
        if found["state"] == "draft":
            self._client.start(campaign)
        elif found["state"] not in ("running", "finished"):
            self._client.resume(campaign)
        file = self._client.campaign_file(campaign)
        return self._watch(found["campaign"], after, file)

    def _watch(self, campaign: str, after: int, file: Mapping[str, Any]) -> Rest:
        from orchestrator.cli._watch import Watch

        watch = Watch(file)
        interrupted = False
        try:
            with on_signals(_detach):
                found = self._until_rest(campaign, after, watch)
        except KeyboardInterrupt:
            interrupted, found = True, self._client.campaign(campaign)
            say(
                f"detached: campaign {campaign} goes on at {self._client.url}; finish what is "
                f"under way and stop with `dotpilot --url {self._client.url} drain {campaign}`, "
                "or break off with `abort`"
            )
        states = [t["state"] for t in self._client.trials(campaign)["trials"]]
        return Rest(found, states, interrupted)

    def _until_rest(self, campaign: str, after: int, watch: Any) -> Document:
        """Follow a campaign through outages of the server until it rests."""
        seen, outages = after, 0
        while True:
            try:
                found = self._client.campaign(campaign)
                for event in self._present(campaign, seen):
                    seen = int(event["seq"])
                    watch.event(event)
                if found["state"] in RESTING and seen >= found["events"]:
                    return found
                for event in self._client.events(campaign, seen):
                    seen, outages = int(event["seq"]), 0
                    watch.event(event)
                    if event["type"].startswith("campaign."):
                        break
            except RemoteError as error:
                outages += 1
                if outages > OUTAGES:
                    raise
                say(f"{error}; the campaign does not depend on this process; trying again")

    def _present(self, campaign: str, seen: int) -> Iterator[Document]:
        while page := self._client.event_page(campaign, seen)["events"]:
            yield from page
            seen = int(page[-1]["seq"])

    def steer(self, campaign: str, what: str, reason: str) -> Document:
        """Pause, drain or abort a campaign."""
        acts = {
            "pause": self._client.pause,
            "drain": self._client.drain,
            "abort": self._client.abort,
        }
        return acts[what](campaign, reason)

    def campaigns(self) -> Document:
        """All campaigns."""
        return self._client.campaigns()

    def campaign(self, campaign: str) -> Document:
        """One campaign."""
        return self._client.campaign(campaign)

    def trials(self, campaign: str) -> Document:
        """Its trials."""
        return self._client.trials(campaign)

    def approve(self, campaign: str, numbers: Sequence[int], note: str) -> Document:
        """Approve these trials (all that wait, where none is named); returns them."""
        chosen = list(numbers)
        if not chosen:
            found = self._client.trials(campaign)["trials"]
            chosen = [t["trial"] for t in found if t["state"] == "proposed"]
        return {"trials": [self._client.approve(campaign, n, note) for n in chosen]}

    def resolve(
        self,
        campaign: str,
        number: int,
        decision: str,
        note: str,
        evidence: Document | None,
        late_result: str | None,
    ) -> Document:
        """End the doubt about a trial; returns it."""
        return self._client.resolve(
            campaign, number, decision, note, evidence=evidence, late_result=late_result
        )

    def attach(self, campaign: str, number: int, given: Attachment) -> Document:
        """Attach a later measurement to a trial; returns it."""
        return self._client.attach(
            campaign,
            number,
            given.observables,
            file=given.file,
            data=given.data,
            note=given.note,
            stated=given.stated,
            technique=given.technique,
            measured_at=given.measured_at,
            sample=given.sample,
            correct=given.correct,
        )

    def view(self, campaign: str, at: int) -> Document:
        """The campaign as of an event."""
        return self._client.view(campaign, at)

    def verify(
        self, campaign: str, tolerance: float, proposals: bool, expect_head: str | None
    ) -> Document:
        """Check the record."""
        return self._client.verify(
            campaign, tolerance=tolerance, proposals=proposals, expect_head=expect_head
        )

    def fork(self, campaign: str, at: int, agent: str | None, seed: int | None) -> Document:
        """Begin another campaign with what one had ended."""
        return self._client.fork(campaign, at, agent=agent, seed=seed)

    def stations(self) -> Document:
        """The stations."""
        return self._client.stations()

    def station(self, name: str) -> Document:
        """What a station declares."""
        return self._client.station(name)

    def agents(self) -> Document:
        """The agents."""
        return self._client.agents()

    def agent(self, name: str) -> Document:
        """What an agent takes."""
        return self._client.agent(name)

    def ask(self, campaign: str, lab: str, days: float, another: bool) -> Document:
        """Lease a trial for a person."""
        from orchestrator.worker import ask

        found = self._client.campaign(campaign)
        station = self._client.station(found["station"])
        sheet = ask(self._client, found["campaign"], station, lab, days, another)
        return sheet or nothing_to_do(found)

    def tell(
        self,
        campaign: str,
        number: int,
        lab: str,
        results: Mapping[str, Any],
        achieved: Mapping[str, Any],
        partial: bool,
    ) -> Document:
        """Report what a person found; returns the trial, derived if the loop is quick."""
        from orchestrator.worker import tell

        found = self._client.campaign(campaign)
        name = found["campaign"]
        station = self._client.station(found["station"])
        tell(self._client, name, number, station, lab, results, achieved, partial)
        trial = self._client.trial(name, number)
        if not partial and trial["state"] in IN_FLIGHT:
            seen = int(self._client.campaign(name)["events"])
            if self._client.trial(name, number)["state"] in IN_FLIGHT:
                self._client.event_page(name, seen, wait=DERIVED_WITHIN)
            trial = self._client.trial(name, number)
        return trial


def _detach(name: str) -> None:
    """Let SIGTERM detach as Ctrl-C does."""
    raise KeyboardInterrupt(name)
