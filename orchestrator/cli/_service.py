"""What commands ask for, of the database in this process or of a server: one seam."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.cli._context import settings

if TYPE_CHECKING:
    from orchestrator.decisions import Attachment

Document = dict[str, Any]
ATTEMPTS, PATIENCE = 5, 10.0  # of a command that a person waits for [s]


@dataclass(frozen=True)
class Rest:
    """Where a campaign came to rest.

    Attributes:
        document: The campaign's.
        states: Those of its trials.
        interrupted: A person let go of it before.
        asks: It asks for the approval of every trial.
    """

    document: Document
    states: Sequence[str]
    interrupted: bool = False
    asks: bool = True

    def exit_code(self, require_target: bool) -> int:
        """Return the documented exit code of `launch` and `resume`."""
        if self.document["state"] == "finished":
            missed = require_target and self.document["stop_reason"] != "target_reached"
            return 10 if missed else 0
        if self.interrupted:
            return 130
        if self.document["state"] == "running":  # a person, or a lab, does the next thing
            return 0
        waits = "proposed" in self.states and "in_doubt" not in self.states
        return 0 if self.document["state"] == "paused" and waits and self.asks else 1


class Declarations(Protocol):
    """What stations and agents declare."""

    def stations(self) -> Document:
        """The stations."""

    def station(self, name: str) -> Document:
        """What a station declares."""

    def agents(self) -> Document:
        """The agents."""

    def agent(self, name: str) -> Document:
        """What an agent takes."""


class Service(Declarations, Protocol):
    """Campaigns and what is done with them. Documents are those of the reference."""

    def launch(self, file: Document, station: Path | None) -> Rest:
        """Record a campaign and see it to its rest."""

    def resume(self, campaign: str, station: Path | None) -> Rest:
        """Let a campaign go on, with the bottles of a station file, and see it to its rest."""

    def steer(self, campaign: str, what: str, reason: str) -> Document:
        """Pause, drain or abort a campaign."""

    def campaigns(self) -> Document:
        """All campaigns."""

    def campaign(self, campaign: str) -> Document:
        """One campaign."""

    def trials(self, campaign: str) -> Document:
        """Its trials."""

    def approve(self, campaign: str, numbers: Sequence[int], note: str) -> Document:
        """Approve these trials (all that wait, where none is named); returns them."""

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

    def attach(self, campaign: str, number: int, given: Attachment) -> Document:
        """Attach a later measurement to a trial; returns it."""

    def view(self, campaign: str, at: int) -> Document:
        """The campaign as of an event."""

    def verify(
        self, campaign: str, tolerance: float, proposals: bool, expect_head: str | None
    ) -> Document:
        """Check the record."""

    def fork(self, campaign: str, at: int, agent: str | None, seed: int | None) -> Document:
        """Begin another campaign with what one had ended."""

    def ask(self, campaign: str, lab: str, days: float, another: bool) -> Document:
        """Lease a trial for a person."""

    def tell(
        self,
        campaign: str,
        number: int,
        lab: str,
        results: Mapping[str, Any],
        achieved: Mapping[str, Any],
        partial: bool,
    ) -> Document:
        """Report what a person found; returns the trial."""


@contextmanager
def service(*, check: bool = True) -> Iterator[Service]:
    """Give the server of --url, or else the database of --db.

    Args:
        check: Refuse a database of another schema.
    """
    if settings.url is not None:
        from orchestrator.cli._remote import RemoteService
        from orchestrator.client import Client, Retries, token_from_environment

        patience = Retries(attempts=ATTEMPTS, timeout=PATIENCE)

        with Client(settings.url, token_from_environment(), retries=patience) as client:
            yield RemoteService(client)
        return
    from orchestrator.cli._local import LocalService

    with settings.ledger(check=check) as ledger:
        yield LocalService(ledger)


@contextmanager
def declarations() -> Iterator[Declarations]:
    """Give what declares stations and agents: the server, or what is installed here."""
    if settings.url is not None:
        with service() as found:
            yield found
        return
    from orchestrator.cli._local import Installed

    yield Installed()
