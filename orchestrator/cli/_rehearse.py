"""Commands that try a station, or care for it by hand: station dry-run, station procedure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit, say, today
from orchestrator.cli._show import station_app

SHOWN = 4
"""Values of a list that a line for people shows."""


def register(_: typer.Typer) -> None:
    """Add the commands to the group of stations."""
    station_app.command("dry-run")(station_dry_run)
    station_app.command("procedure")(station_procedure)


def station_dry_run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A station file.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option("--recipe", metavar="KEY=VALUE|FILE", help="Repeatable; or one file."),
    ] = None,
    recipes: Annotated[
        Path | None,
        typer.Option("--recipes", metavar="FILE", help="`recipes: [...]`, for a plate."),
    ] = None,
) -> None:
    """Print every command of a recipe with its volumes and times; nothing moves."""
    from instruments import create_station
    from orchestrator.worker import read_recipes, read_station_file, rehearse

    said = read_station_file(file)
    description = create_station(said.station, said.surroundings or None).description
    document = rehearse(said, read_recipes(description, recipe or [], recipes), today())
    emit(document, lambda: typer.echo(_text(document)))


def station_procedure(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A station file.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="prime, wash, dark, blank or reference.")
    ],
    stock: Annotated[
        list[str] | None, typer.Option("--stock", help="What to prime; repeatable.")
    ] = None,
) -> None:
    """Carry one of a station's procedures out by hand, on its own devices."""
    from orchestrator.worker import care_for, read_station_file

    document = care_for(read_station_file(file), name, stock or [], say)

    def human() -> None:
        for key, value in document["values"].items():
            typer.echo(f"{key}: {value['value']:.6g} {value['unit']}".rstrip())
        for warning in document["warnings"]:
            typer.echo(f"warning: {warning}")

    emit(document, human)


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['station']} at {document['lab']}: a rehearsal, nothing moves"]
    idle, safe = 0, []
    for command in document["commands"]:
        if command["command"] == "set_flow" and command["arguments"] == [0.0]:
            idle += 1
            continue
        if command["command"] == "to_safe_state":
            safe.append(command)
            continue
        lines.append(_line(command))
    if safe:
        count = len({command["instrument"] for command in safe})
        lines.append(f"{safe[0]['time']:10.1f} s  {count} instruments to their safe states")
    lines += [f"  and {idle} times a pump told to stand still"] if idle else []
    lines += [f"duration {document['duration']['value']:.1f} s"]
    for name, volume in document["volumes"].items():
        lot = f" of lot {volume['lot']}" if volume["lot"] else ""
        lines.append(f"{name}: {volume['value']:.1f} µL{lot}")
    lines += [f"waste: at most {document['waste']['value']:.1f} µL"]
    lines += [f"tube {n}: {v['value']:.1f} µL" for n, v in document["tubing"].items()]
    lines += [f"warning: {w}" for w in document["warnings"]]
    lines += (
        [f"the nominal laboratory fails: {document['failure']}"] if document["failure"] else []
    )
    return "\n".join(lines)


def _line(command: dict[str, Any]) -> str:
    given = ", ".join(_short(v) for v in command["arguments"])
    drawn = ", ".join(f"{v:.1f} µL {n}" for n, v in command["volumes"].items())
    lasts = f" for {command['duration']:.1f} s" if command["duration"] else ""
    what = f"{command['instrument']} {command['command']} {given}".rstrip()
    return f"{command['time']:10.1f} s  {what}{lasts}" + (f": {drawn}" if drawn else "")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) > SHOWN:
        return f"[{len(value)} values]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_short(v)}" for k, v in value.items()) + "}"
    return str(value)
