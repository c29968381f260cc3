"""The command on detectors' files: file show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit

file_app = typer.Typer(help="Files that detectors wrote.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    file_app.command("show")(file_show)
    app.add_typer(file_app, name="file")


def file_show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .ptu, .edf, .csv or .txt.")],
    dark: Annotated[
        Path | None, typer.Option("--dark", metavar="FILE", help="The dark one of an emission.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the detector; repeatable."),
    ] = None,
    ligand: Annotated[
        str, typer.Option("--ligand", help="dopa or oleate, for sizes of a pattern.")
    ] = "dopa",
) -> None:
    """Read a detector's file and show what it says: lifetime, sizes, or emission."""
    from instruments.errors import DetectorFileError
    from instruments.files import read_file
    from instruments.files.derive import LIGANDS, derive
    from orchestrator.errors import InputRefusedError, NotFoundError

    if ligand not in LIGANDS:
        raise InputRefusedError(
            f"--ligand must be one of {', '.join(LIGANDS)}, but got {ligand!r}"
        )
    for path in (file, dark):
        if path is not None and not path.is_file():
            raise NotFoundError(f"{path} must be a file, but is none; check the name")
    settings = _settings(assignments or [])
    try:
        spectrum = read_file(file, settings)
        other = None if dark is None else read_file(dark, settings)
    except DetectorFileError as error:
        raise InputRefusedError(str(error)) from error
    document: dict[str, Any] = {
        "file": str(file),
        "name": spectrum.name,
        "axis": {
            "unit": spectrum.axis_unit,
            "low": float(spectrum.axis[0]),
            "high": float(spectrum.axis[-1]),
            "points": len(spectrum.axis),
        },
        "unit": spectrum.unit,
        "frames": len(spectrum.values) if spectrum.values.ndim > 1 else 1,
        "settings": dict(spectrum.settings),
    }
    try:
        found = derive(spectrum, other, ligand)
        said = {
            n: {"value": o.value, "unit": o.unit, "se": o.se if math.isfinite(o.se) else None}
            for n, o in sorted(found.items())
        }
        document |= {"observables": said, "problem": None}
    except DetectorFileError as error:
        document |= {"observables": {}, "problem": str(error)}
    emit(document, lambda: typer.echo(_text(document)))


def _settings(words: list[str]) -> dict[str, Any]:
    from orchestrator.errors import InputRefusedError

    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key.strip():
            raise InputRefusedError(f"--set takes key=value, but got {word!r}")
        try:
            number = float(text)
        except ValueError:
            found[key.strip()] = text.strip()
            continue
        found[key.strip()] = int(number) if text.strip().isdigit() else number
    return found


def _text(document: dict[str, Any]) -> str:
    from orchestrator.cli._tables import value_text

    axis = document["axis"]
    lines = [
        f"{document['name']}: {document['frames']} x {axis['points']} {document['unit']} from "
        f"{axis['low']:g} to {axis['high']:g} {axis['unit']}"
    ]
    lines += [f"  {key:24} {value}" for key, value in document["settings"].items()]
    lines += [f"{key:26} {value_text(v)}" for key, v in document["observables"].items()]
    if document["problem"]:
        lines.append(f"nothing is derived: {document['problem']}")
    return "\n".join(lines)
