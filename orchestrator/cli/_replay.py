"""Commands on the past: replay view, verify, pool; fork."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import JobsOption, RayOption, emit, say, settings
from orchestrator.cli._run import CampaignArgument, show_campaign
from orchestrator.cli._service import service

replay_app = typer.Typer(help="View, verify and question the record.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    replay_app.command()(view)
    replay_app.command()(verify)
    replay_app.command()(pool)
    app.add_typer(replay_app, name="replay")
    app.command()(fork)


def view(
    campaign: CampaignArgument,
    at: Annotated[int, typer.Option("--at", min=1, metavar="SEQ", help="Event number.")],
) -> None:
    """Show a campaign as it was known after event SEQ."""
    with service() as record:
        document = record.view(campaign, at)
    emit(document, lambda: show_campaign(document))


def verify(
    campaign: CampaignArgument,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Relative, for proposals made again.")
    ] = 1e-6,
    proposals: Annotated[
        bool, typer.Option("--proposals/--no-proposals", help="Ask the agent again, or not.")
    ] = True,
    expect_head: Annotated[
        str | None,
        typer.Option("--expect-head", metavar="SEQ:HASH", help="A head that was kept elsewhere."),
    ] = None,
) -> None:
    """Check the chain, the read tables, every observable and every proposal."""
    with service(check=False) as record:
        document = record.verify(campaign, tolerance, proposals, expect_head)
    emit(document, lambda: _verify_text(document))
    if document["findings"]:
        raise typer.Exit(20)


def _verify_text(document: dict[str, Any]) -> None:
    typer.echo(
        f"{document['events']} events: chain {'ok' if document['chain_ok'] else 'BROKEN'}, "
        f"read tables {'ok' if document['tables_ok'] else 'DIFFER'}\n"
        f"observables derived again: {document['observables_ok']} of "
        f"{document['observables_checked']} equal\n"
        f"proposals made again: {document['proposals_ok']} of {document['proposals_checked']} "
        f"equal, largest difference {document['max_difference']:.2g}\n"
        f"head {document['head']}"
    )
    for finding in document["findings"]:
        typer.echo(f"  {finding['where']}: {finding['what']}")


def pool(
    campaign: CampaignArgument,
    agent: Annotated[str, typer.Option("--agent", help="The agent that chooses.")],
    goal: Annotated[Path, typer.Option("--goal", help="Which recipes are to be found (YAML).")],
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many runs.")] = 20,
    jobs: JobsOption = None,
    ray: RayOption = None,
) -> None:
    """Let an agent choose among measured recipes, beside random choice."""
    from orchestrator.campaign import read_document
    from orchestrator.replay import replay_pool

    document = read_document(goal)
    with settings.ledger() as ledger:
        row = ledger.campaign(campaign)
        found = replay_pool(ledger, row.id, agent, document, seeds, jobs=jobs, ray=ray)
    emit(found, lambda: _pool_text(found))


def _pool_text(found: dict[str, Any]) -> None:
    typer.echo(
        f"{found['rows']} rows, {found['recipes']} distinct recipes, "
        f"{found['goal_size']} of them to be found"
    )
    for name, entry in found["agents"].items():
        low, high = entry["interval"]
        typer.echo(f"  {name:12} median {entry['median']:g} picks (95 %: {low:g} to {high:g})")
    typer.echo(f"  ratio {found['ratio']:.3f}")


def fork(
    campaign: CampaignArgument,
    at: Annotated[int, typer.Option("--at", min=1, metavar="SEQ", help="Event number.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Another agent.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another seed.")] = None,
) -> None:
    """Begin a new campaign with what another had ended by event SEQ; `resume` runs it."""
    with service() as record:
        document = record.fork(campaign, at, agent, seed)
    say(f"run it with: dotpilot resume {document['campaign']}")
    emit(document, lambda: show_campaign(document))
