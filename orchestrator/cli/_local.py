"""The service in this process: the ledger, the loop, the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli._context import say, settings, today
from orchestrator.cli._service import Document, Rest
from orchestrator.cli._signals import drained
from orchestrator.documents import (
    agent_document,
    agents_document,
    attachments,
    campaign_document,
    list_document,
    named_station_document,
    parameter_units,
    stations_document,
    trial_document,
    trials_document,
)
from orchestrator.errors import ConflictError, InputRefusedError

if TYPE_CHECKING:
    from instruments import StationDescription
    from orchestrator.campaign import Campaign
    from orchestrator.decisions import Attachment
    from orchestrator.events import StoresDeclared
    from orchestrator.ledger import CampaignRow, Ledger


@dataclass(frozen=True)
class Checked:
    """A campaign that can be launched.

    Attributes:
        campaign: As it was resolved.
        declared: What a declared station declares; None for a station with code.
        stores: The bottles that its station file names; None where there is no such file.
    """

    campaign: Campaign
    declared: StationDescription | None = None
    stores: StoresDeclared | None = None


def checked(file: Document, station: Path | None) -> Checked:
    """Check a campaign file, as it runs on the station of a file where one is given.

    Raises:
        InputRefusedError: every mistake; nothing was written.
    """
    from orchestrator.campaign import check_campaign, read_document, read_station
    from orchestrator.loop import check_feasible, station_document, station_of
    from orchestrator.worker import (
        is_declared,
        read_station_file,
        stores_event,
        with_station_file,
    )

    if station is None or not is_declared(document := read_document(station)):
        stores = None
        if station is not None:
            said = read_station_file(station)
            file, stores = with_station_file(file, said), stores_event(said)
        campaign = check_campaign(file)
        _refuse_stale(campaign)
        check_feasible(campaign, station_of(campaign))
        return Checked(campaign, stores=stores)
    described = read_station(document)
    campaign = check_campaign(file, {described.name: described})
    if campaign.station != described.name:
        raise InputRefusedError(
            f"--station: the campaign is for {campaign.station!r}, but the file declares "
            f"{described.name!r}"
        )
    check_feasible(campaign, station_of(campaign, station_document(described)))
    return Checked(campaign, described)


def _refuse_stale(campaign: Campaign) -> None:
    """Refuse a campaign whose place has calibrations or lots that are too old today."""
    from instruments.place import read_place
    from orchestrator.worker import refuse_stale

    refuse_stale(read_place((campaign.lab or {}).get("place") or {}), today())


class Installed:
    """The stations and agents that are installed here."""

    def stations(self) -> Document:
        """The stations."""
        return stations_document()

    def station(self, name: str) -> Document:
        """What a station declares."""
        return named_station_document(name)

    def agents(self) -> Document:
        """The agents."""
        return agents_document()

    def agent(self, name: str) -> Document:
        """What an agent takes."""
        return agent_document(name)


class LocalService(Installed):
    """Works on a ledger.

    Args:
        ledger: Opened by whoever made this.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def _shown(self, campaign: str) -> Document:
        row = self._ledger.campaign(campaign)
        return campaign_document(row, self._ledger.trials(row.id))

    def launch(self, file: Document, station: Path | None) -> Rest:
        """Record a campaign and run it until it rests, or until people do the next thing."""
        from orchestrator.inventory import check_prices, check_stores
        from orchestrator.loop import create_campaign

        found = checked(file, station)
        declared = found.declared
        check_prices(found.campaign, found.stores)
        if found.stores is not None:
            check_stores(self._ledger, found.stores)
        made = create_campaign(
            self._ledger,
            found.campaign,
            dispatch="fleet" if declared else "local",
            start=declared is not None,
            station=declared,
            stores=found.stores,
        )
        say(f"campaign {made} ({found.campaign.name}) in {settings.shown}")
        return self._serve(made) if declared else self._drive(made)

    def resume(self, campaign: str, station: Path | None = None) -> Rest:
        """Let a campaign go on, here or, for a served one, wherever its loop runs."""
        from orchestrator.decisions import resume_campaign

        row = self._ledger.campaign(campaign)
        if row.dispatch != "fleet":
            if station is not None:
                self._open_bottles(row, station)
            return self._drive(row.id)
        if station is not None:
            raise InputRefusedError(
                f"--station: campaign {row.id} is served to labs, whose workers know their "
                "bottles; leave the option out"
            )
        if row.state != "finished":
            resume_campaign(self._ledger, row.id)
        return self._serve(row.id)

    def _open_bottles(self, row: CampaignRow, station: Path) -> None:
        """Record what the station file names by now.

        Raises:
            InputRefusedError: a file of another station, or lots that the record knows otherwise.
            ConflictError: a process runs the campaign.
        """
        from orchestrator.inventory import check_stores
        from orchestrator.ledger import stores_of
        from orchestrator.worker import read_station_file, stores_event, with_station_file

        said = read_station_file(station)
        with_station_file({"station": row.station, "lab": row.resolved.get("lab")}, said)
        stores = stores_event(said)
        if stores == stores_of(self._ledger, row.id):
            return
        check_stores(self._ledger, stores)
        with self._ledger.acquire(row.id) as ownership:
            self._ledger.append(row.id, stores, actor="person", token=ownership.token)

    def _drive(self, campaign_id: str) -> Rest:
        from orchestrator.cli._alarms import (
            WatchedObserver,
            alarms,
            watched_record,
            watched_steps,
        )
        from orchestrator.cli._progress import ProgressObserver
        from orchestrator.loop import StopRequest, drive, recorded_campaign

        stop = StopRequest()
        campaign = recorded_campaign(self._ledger.campaign(campaign_id))
        if self._ledger.campaign(campaign_id).state != "finished":
            _refuse_stale(campaign)
        with (
            drained(lambda: bool(stop.reason), stop.ask, "the trial under way is finished first"),
            ProgressObserver(self._ledger, campaign_id, campaign) as observer,
            alarms(settings.alarms) as found,
            watched_record(found, self._ledger, campaign_id),
            watched_steps(found, self._ledger, campaign.station) as watch,
        ):
            seen = observer if watch is None else WatchedObserver(observer, watch)
            drive(self._ledger, campaign_id, seen, stop, transcripts=settings.transcript)
        return self._rest(campaign_id, bool(stop.reason))

    def _rest(self, campaign_id: str, interrupted: bool = False) -> Rest:
        states = [t.state for t in self._ledger.trials(campaign_id)]
        asks = bool(self._ledger.campaign(campaign_id).resolved.get("approval"))
        return Rest(self._shown(campaign_id), states, interrupted, asks)

    def _serve(self, campaign_id: str) -> Rest:
        """Do what the loop of a served campaign has to do now, where no other process does."""
        self._tick(self._ledger.campaign(campaign_id))
        rest = self._rest(campaign_id)
        if rest.document["state"] == "running":
            say(f"the next trial waits: dotpilot ask {campaign_id}")
        return rest

    def _tick(self, row: CampaignRow) -> None:
        from orchestrator.fleet import Fleet, ServedLoop

        if row.dispatch != "fleet":
            raise InputRefusedError(
                f"campaign {row.id} runs its trials itself; `ask` and `tell` belong to campaigns "
                "of declared stations, or to a server's"
            )
        Fleet(self._ledger).sweep()
        try:
            with self._ledger.acquire(row.id) as ownership:
                loop = ServedLoop(self._ledger, row.id, ownership.token)
                while loop.tick():
                    pass
        except ConflictError:
            return  # another process runs the loop, and does what is due

    def steer(self, campaign: str, what: str, reason: str) -> Document:
        """Pause, drain or abort a campaign."""
        from orchestrator import decisions

        row = self._ledger.campaign(campaign)
        if row.dispatch == "fleet":
            steer = {
                "pause": decisions.pause_campaign,
                "drain": decisions.drain_campaign,
                "abort": decisions.abort_campaign,
            }
            steer[what](self._ledger, row.id, reason)
            self._tick(row)
        else:
            self._rest_of_local(row, what, reason)
        return self._shown(row.id)

    def _rest_of_local(self, row: CampaignRow, what: str, reason: str) -> None:
        """Let a campaign rest that no process runs.

        Raises:
            ConflictError: one does; it names the process, whose Ctrl-C drains it.
        """
        from orchestrator.events import CampaignPaused, CampaignStopped, Payload

        event: Payload = CampaignPaused(reason=reason)
        if what == "abort":
            event = CampaignStopped(stop_reason="stopped", detail=reason)
        with self._ledger.acquire(row.id) as ownership:
            if row.state != "paused" or what == "abort":
                self._ledger.append(row.id, event, actor="person", token=ownership.token)

    def campaigns(self) -> Document:
        """All campaigns."""
        from orchestrator.ledger import trial_counts

        return list_document(self._ledger.campaigns(), trial_counts(self._ledger))

    def campaign(self, campaign: str) -> Document:
        """One campaign."""
        return self._shown(campaign)

    def trials(self, campaign: str) -> Document:
        """Its trials."""
        row = self._ledger.campaign(campaign)
        attached = attachments(self._ledger, row.id)
        return trials_document(row, self._ledger.trials(row.id), attached)

    def approve(self, campaign: str, numbers: Sequence[int], note: str) -> Document:
        """Approve these trials (all that wait, where none is named); returns them."""
        from orchestrator.decisions import approve_trials

        row = self._ledger.campaign(campaign)
        done = approve_trials(self._ledger, row.id, numbers, note)
        return {"trials": [self._trial(row, n) for n in done]}

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
        from orchestrator.decisions import resolve_doubt

        row = self._ledger.campaign(campaign)
        resolve_doubt(
            self._ledger, row.id, number, decision, note, evidence, late_result=late_result
        )
        return self._trial(row, number)

    def attach(self, campaign: str, number: int, given: Attachment) -> Document:
        """Attach a later measurement to a trial; returns it."""
        from orchestrator.decisions import attach_measurement

        row = self._ledger.campaign(campaign)
        attach_measurement(self._ledger, row.id, number, given)
        return self._trial(row, number)

    def _trial(self, row: CampaignRow, number: int) -> Document:
        attached = attachments(self._ledger, row.id, number)
        return trial_document(self._ledger.trial(row.id, number), parameter_units(row), attached)

    def view(self, campaign: str, at: int) -> Document:
        """The campaign as of an event."""
        from orchestrator.replay import view_campaign

        return view_campaign(self._ledger, self._ledger.campaign(campaign).id, at)

    def verify(
        self, campaign: str, tolerance: float, proposals: bool, expect_head: str | None
    ) -> Document:
        """Check the record."""
        from orchestrator.replay import verify_campaign

        found = verify_campaign(
            self._ledger,
            campaign,
            tolerance=tolerance,
            proposals=proposals,
            expect_head=expect_head,
        )
        return found.document()

    def fork(self, campaign: str, at: int, agent: str | None, seed: int | None) -> Document:
        """Begin another campaign with what one had ended."""
        from orchestrator.replay import fork_campaign

        parent = self._ledger.campaign(campaign).id
        return self._shown(fork_campaign(self._ledger, parent, at, agent, seed))

    def ask(self, campaign: str, lab: str, days: float, another: bool) -> Document:
        """Lease a trial for a person."""
        from orchestrator.worker import ask

        row = self._ledger.campaign(campaign)
        self._tick(row)
        sheet = ask(self._desk(), row.id, row.station_description, lab, days, another)
        return sheet or nothing_to_do(self._shown(row.id))

    def _desk(self) -> Any:
        from orchestrator.cli._desk import FleetDesk
        from orchestrator.fleet import Fleet

        return FleetDesk(Fleet(self._ledger))

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
        from orchestrator.worker import tell

        row = self._ledger.campaign(campaign)
        described = row.station_description
        tell(self._desk(), row.id, number, described, lab, results, achieved, partial)
        self._tick(row)
        return self._trial(row, number)


def nothing_to_do(campaign: Document) -> Document:
    """Return the document of `ask` where no trial waits."""
    return {"campaign": campaign["campaign"], "state": campaign["state"], "trial": None}
