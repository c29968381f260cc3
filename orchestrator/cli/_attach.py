"""The command that adds what was measured after a trial: attach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli._context import emit, say
from orchestrator.cli._run import CampaignArgument
from orchestrator.cli._service import Document, service


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(attach)


def attach(
    campaign: CampaignArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1, max=2**31 - 1)],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The evidence: an image, a table, raw data.")
    ],
    observable: Annotated[
        list[str],
        typer.Option("--observable", metavar="NAME", help="What it gives; may be repeated."),
    ],
    note: Annotated[str, typer.Option("--note", help="Why; kept in the record.")],
    value: Annotated[
        float | None, typer.Option("--value", help="The value; left out, it is read from FILE.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Of --value and --se.")] = "",
    se: Annotated[
        float | None, typer.Option("--se", min=0.0, help="Standard error of --value.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="TEXT", help="The technique, such as TEM.")
    ] = "",
    measured_at: Annotated[
        str | None,
        typer.Option("--measured-at", metavar="TIME", help="ISO 8601 with its offset from UTC."),
    ] = None,
    sample: Annotated[
        str, typer.Option("--sample", metavar="TEXT", help="What the label on the sample says.")
    ] = "",
    correct: Annotated[
        bool, typer.Option("--correct", help="Replace what the station itself measured.")
    ] = False,
) -> None:
    """Attach a later measurement to a trial, with the file that it rests on."""
    from orchestrator.decisions import Attachment
    from orchestrator.errors import InputRefusedError

    if value is None and (unit or se is not None):
        raise InputRefusedError("--unit and --se belong to --value; give it, or leave them out")
    given = Attachment(
        observables=tuple(observable),
        file=file.name,
        data=_bytes(file),
        note=note,
        stated=None if value is None else _stated(value, unit, se),
        technique=method,
        measured_at=measured_at,
        sample=sample,
        correct=correct,
    )
    with service() as at:
        document = at.attach(campaign, trial, given)
    emit(document, lambda: _said(document, observable))


def _stated(value: float, unit: str, se: float | None) -> Document:
    return {"value": value, "unit": unit} | ({} if se is None else {"se": se})


def _bytes(file: Path) -> bytes:
    """Read a file, unless it is too large.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: it is too large, or cannot be read.
    """
    from orchestrator.campaign import LARGEST_EVIDENCE
    from orchestrator.errors import InputRefusedError, NotFoundError

    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_EVIDENCE + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {file}") from error
    except OSError as error:
        raise InputRefusedError(f"{file} must be a file that can be read: {error}") from error
    if len(data) > LARGEST_EVIDENCE:
        raise InputRefusedError(
            f"{file} must be at most {LARGEST_EVIDENCE // 2**20} MiB long, but is longer; attach "
            "a part, an image or a table of it"
        )
    return data


def _said(document: Document, names: list[str]) -> None:
    from orchestrator.cli._tables import value_text

    for name in names:
        seen = document["observables"][name]
        typer.echo(f"trial {document['trial']}  {name} {value_text(seen)}  ({seen['method']})")
    say(f"trial {document['trial']} is {document['state']}; the agent sees this from now on")
