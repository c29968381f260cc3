"""The command of a remote lab: worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli._alarms import AlarmsOption, step_watch
from orchestrator.cli._alarms import alarms as sent
from orchestrator.cli._context import TranscriptOption, say, settings, today
from orchestrator.cli._signals import drained

if TYPE_CHECKING:
    from orchestrator.alarms import Alarms
    from orchestrator.worker import Outbox, StationBay, StationFile


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(worker)


def worker(
    station: Annotated[
        Path, typer.Option("--station", metavar="FILE", help="The station that this place owns.")
    ],
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Whom to ask; as --url.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of this worker [default: LAB-STATION].")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="Of the outbox [default: the file's folder]."),
    ] = None,
    dispense_log: Annotated[
        Path | None,
        typer.Option("--dispense-log", metavar="FILE", help="What a simulated station dispensed."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End after one lease.")] = False,
    transcript: TranscriptOption = None,
    alarms: AlarmsOption = None,
) -> None:
    """Own a station: lease its trials from a server, run them, report them; lose nothing."""
    from orchestrator.errors import InputRefusedError
    from orchestrator.worker import Outbox, StationBay, read_station_file, transcript_of

    url = server or settings.url
    if url is None:
        raise InputRefusedError("a worker must know its server; name it with --server URL")
    file = read_station_file(station)
    chosen = name or f"{file.lab}-{file.station}"
    place = (state or station.parent) / f"{chosen.replace('/', '_')}.outbox.db"
    with Outbox(place) as outbox:
        kept = transcript or transcript_of(station)
        bay = StationBay(file, dispense_log, transcripts=kept, today=today)
        with sent(alarms) as found:
            _work(url, file, chosen, outbox, bay, once, found)


def _work(
    url: str,
    file: StationFile,
    name: str,
    outbox: Outbox,
    bay: StationBay,
    once: bool,
    found: Alarms | None,
) -> None:
    from orchestrator.client import Client, Retries, token_from_environment
    from orchestrator.worker import Orders, Worker, refuse_stale

    refuse_stale(file.place, today())
    token = token_from_environment()
    patient = Retries(timeout=min(30.0, file.safe_within))
    hasty = Retries(attempts=1)
    with (
        Client(url, token, retries=patient) as client,
        Client(url, token, retries=hasty, timeout=10.0) as beats,
        Client(url, token, retries=hasty, timeout=30.0) as ear,
    ):
        watch = step_watch(found, f"{file.station} of {file.lab}")
        made = Worker(client, beats, file, name, outbox, bay, say, watch=watch)
        with (
            drained(lambda: made.draining, made.drain, "the run under way is finished"),
            Orders(ear, name, bay, made.stopped, made.idle),
        ):
            made.run(once=once)
    if made.draining:
        raise typer.Exit(130)
