"""Commands that move things: launch, resume, approve, resolve."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli._context import emit, say, settings

if TYPE_CHECKING:
    from orchestrator.ledger import Ledger
    from orchestrator.loop import StopRequest

RequireTarget = Annotated[
    bool, typer.Option("--require-target", help="Exit 10 unless the target was reached.")
]
CampaignArgument = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="Identifier, its beginning, or a unique name.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(launch)
    app.command()(resume)
    app.command()(approve)
    app.command()(resolve)


def launch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Campaign file, YAML or JSON.")],
    require_target: RequireTarget = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Use this seed instead of the file's.")
    ] = None,
) -> None:
    """Check a campaign file, record the campaign and run it until it rests."""
    from orchestrator.campaign import check_campaign, read_document
    from orchestrator.loop import check_feasible, create_campaign, station_of

    document = read_document(file)
    if seed is not None:
        document["seed"] = seed
    campaign = check_campaign(document)
    check_feasible(campaign, station_of(campaign))
    with settings.ledger() as ledger:
        campaign_id = create_campaign(ledger, campaign)
        say(f"campaign {campaign_id} ({campaign.name}) in {settings.shown}")
        _drive(ledger, campaign_id, require_target)


def resume(campaign: CampaignArgument, require_target: RequireTarget = False) -> None:
    """Take up a campaign that was interrupted, paused, stopped or killed."""
    with settings.ledger() as ledger:
        _drive(ledger, ledger.campaign(campaign).id, require_target)


def _drive(ledger: Ledger, campaign_id: str, require_target: bool) -> None:
    from orchestrator.cli._progress import ProgressObserver
    from orchestrator.documents import campaign_document
    from orchestrator.loop import StopRequest, drive, recorded_campaign

    stop = StopRequest()
    campaign = recorded_campaign(ledger.campaign(campaign_id))
    with _signals(stop), ProgressObserver(ledger, campaign_id, campaign) as observer:
        drive(ledger, campaign_id, observer, stop)
    row = ledger.campaign(campaign_id)
    trials = ledger.trials(campaign_id)
    document = campaign_document(row, trials)
    emit(document, lambda: show_campaign(document))
    code = _exit_code(row.state, row.stop_reason, [t.state for t in trials], stop, require_target)
    if code:
        raise typer.Exit(code)


def _exit_code(
    state: str,
    reason: str | None,
    trials: list[str],
    stop: StopRequest,
    require_target: bool,
) -> int:
    if state == "finished":
        return 10 if require_target and reason != "target_reached" else 0
    if stop.reason:
        return 130
    waits_for_approval = state == "paused" and "proposed" in trials and "in_doubt" not in trials
    return 0 if waits_for_approval else 1


@contextmanager
def _signals(stop: StopRequest) -> Iterator[None]:
    """First Ctrl-C (or SIGTERM) drains, the second aborts safely."""

    def handle(number: int, _: FrameType | None) -> None:
        if stop.reason:
            raise KeyboardInterrupt
        stop.ask(f"interrupted by {signal.Signals(number).name}")
        say("draining: the trial under way is finished first; once more to abort it safely")

    previous = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def approve(
    campaign: CampaignArgument,
    trials: Annotated[
        list[int] | None, typer.Argument(metavar="[TRIAL]...", help="All that wait, if left out.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Kept in the record.")] = "",
) -> None:
    """Approve proposed trials of a campaign whose file says `approval: true`."""
    from orchestrator.decisions import approve_trials
    from orchestrator.documents import trials_document

    with settings.ledger() as ledger:
        row = ledger.campaign(campaign)
        done = approve_trials(ledger, row.id, trials or [], note)
        document = trials_document(row, [ledger.trial(row.id, n) for n in done])
    emit(document, lambda: say(f"approved: {', '.join(map(str, done)) or 'none waits'}"))


def resolve(
    campaign: CampaignArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1)],
    decision: Annotated[str, typer.Option("--decision", help="adopt, repeat or abandon.")],
    note: Annotated[str, typer.Option("--note", help="Why; kept in the record.")],
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", help="YAML or JSON with the observables to adopt."),
    ] = None,
) -> None:
    """Record the decision that ends the doubt about a trial."""
    from orchestrator.campaign import read_document
    from orchestrator.decisions import resolve_doubt
    from orchestrator.documents import parameter_units, trial_document

    given = read_document(evidence) if evidence is not None else None
    with settings.ledger() as ledger:
        row = ledger.campaign(campaign)
        resolve_doubt(ledger, row.id, trial, decision, note, given)
        document = trial_document(ledger.trial(row.id, trial), parameter_units(row))
    emit(document, lambda: say(f"trial {trial} is {document['state']}"))


def show_campaign(document: dict[str, Any]) -> None:
    """Print a campaign for a person."""
    from orchestrator.cli._tables import campaign_text

    typer.echo(campaign_text(document))
