"""Commands that only read: list, show, trials, station, agent."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit
from orchestrator.cli._run import CampaignArgument, show_campaign
from orchestrator.cli._service import declarations, service

station_app = typer.Typer(help="What stations declare.", no_args_is_help=True)
agent_app = typer.Typer(help="What agents take.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("list")(list_campaigns)
    app.command()(show)
    app.command()(trials)
    station_app.command("list")(station_list)
    station_app.command("show")(station_show)
    agent_app.command("list")(agent_list)
    agent_app.command("show")(agent_show)
    app.add_typer(station_app, name="station")
    app.add_typer(agent_app, name="agent")


def list_campaigns() -> None:
    """List the campaigns of the database."""
    with service() as at:
        document = at.campaigns()
    emit(document, lambda: _print_list(document["campaigns"]))


def _print_list(campaigns: list[dict[str, Any]]) -> None:
    from orchestrator.cli._tables import table

    cells = [
        [
            c["campaign"],
            c["created_at"][:16].replace("T", " "),
            c["state"],
            c["stop_reason"] or "-",
            str(c["trials"]),
            c["name"],
        ]
        for c in campaigns
    ]
    typer.echo(table(["campaign", "created", "state", "stopped by", "trials", "name"], cells))


def show(campaign: CampaignArgument) -> None:
    """Show a campaign: state, best trial, Pareto set."""
    with service() as at:
        document = at.campaign(campaign)
    emit(document, lambda: show_campaign(document))


def trials(
    campaign: CampaignArgument,
    as_csv: Annotated[bool, typer.Option("--csv", help="One CSV table on stdout.")] = False,
) -> None:
    """Show the trials of a campaign."""
    from orchestrator.cli._tables import trials_csv, trials_text

    with service() as at:
        document = at.trials(campaign)
    if as_csv:
        sys.stdout.write(trials_csv(document))
    else:
        emit(document, lambda: typer.echo(trials_text(document)))


def station_list() -> None:
    """List the installed stations."""
    with declarations() as at:
        document = at.stations()

    def human() -> None:
        found = document["stations"]
        typer.echo("\n".join(f"{d['name']}  {d['description']}" for d in found))

    emit(document, human)


def station_show(name: Annotated[str, typer.Argument(metavar="STATION")]) -> None:
    """Show a station's parameters, limits, choices and observables."""
    with declarations() as at:
        document = at.station(name)
    emit(document, lambda: _station_text(document))


def _station_text(document: dict[str, Any]) -> None:
    from orchestrator.cli._tables import table

    def limits(p: dict[str, Any]) -> str:
        if p["choices"]:
            return ", ".join(p["choices"])
        return f"{p['low']:g} to {p['high']:g} {p['unit']}".rstrip()

    def when(p: dict[str, Any]) -> str:
        return "; ".join(f"{k}: {', '.join(v)}" for k, v in (p["when"] or {}).items())

    typer.echo(f"{document['name']} {document['version']}: {document['description']}\n")
    rows = [
        [p["name"], limits(p), str(p["default"]), when(p), p["description"]]
        for p in document["parameters"]
    ]
    typer.echo(table(["parameter", "limits", "default", "only when", "meaning"], rows))
    typer.echo("")
    seen = [[o["name"], o["unit"] or "-", o["description"]] for o in document["observables"]]
    typer.echo(table(["observable", "unit", "meaning"], seen))


def agent_list() -> None:
    """List the installed agents."""
    with declarations() as at:
        document = at.agents()

    def human() -> None:
        typer.echo("\n".join(f"{a['name']} {a['version']}" for a in document["agents"]))

    emit(document, human)


def agent_show(name: Annotated[str, typer.Argument(metavar="AGENT")]) -> None:
    """Show an agent's options with their defaults."""
    with declarations() as at:
        document = at.agent(name)

    def human() -> None:
        typer.echo(f"{document['name']} {document['version']}: {document['description']}")
        for key, value in document["options"].items():
            typer.echo(f"  {key} = {value}")

    emit(document, human)
