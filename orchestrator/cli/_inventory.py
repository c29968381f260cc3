"""What a lab holds of its stocks: `dotpilot inventory`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli._context import emit, settings

if TYPE_CHECKING:
    from orchestrator.inventory import Holding, Inventory
    from orchestrator.ledger import Ledger

MILLILITRE = 1000.0  # µL
_CORRECTION = re.compile(
    r"(?P<stock>[^/=]+)/(?P<lot>[^=]+)=\s*(?P<value>[\d.eE+-]+)\s*(?P<unit>\S+)"
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(inventory)


def inventory(
    station: Annotated[
        str, typer.Argument(metavar="STATION", help="A station file, or the name of its lab.")
    ],
    correct: Annotated[
        str | None,
        typer.Option(
            "--correct",
            metavar="STOCK/LOT=VOLUME",
            help="A bottle holds this much, such as `lead_bromide/PB-7=12.5 mL`.",
        ),
    ] = None,
    waste_emptied: Annotated[
        bool, typer.Option("--waste-emptied", help="Somebody emptied the waste.")
    ] = False,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the record.")] = "",
) -> None:
    """Show what is left of every bottle, what is in doubt, and how full the waste is."""
    from orchestrator.inventory import read_inventory

    lab, name, file = _place(station)
    with settings.ledger() as ledger:
        _known(ledger, lab, file)
        if correct is not None:
            _correct(ledger, lab, correct, note)
        if waste_emptied:
            _emptied(ledger, lab, note)
        document = _document(read_inventory(ledger, lab, file), name)
    emit(document, lambda: typer.echo(_text(document)))


def _place(station: str) -> tuple[str, str, Any]:
    """Return the lab, the station's name where a file tells it, and what the file names."""
    if not Path(station).is_file():
        return station, "", None
    from orchestrator.worker import read_station_file, stores_event

    said = read_station_file(Path(station))
    return said.lab, said.station, stores_event(said)


def _known(ledger: Ledger, lab: str, file: Any) -> None:
    from orchestrator.errors import NotFoundError
    from orchestrator.ledger import labs_with_doses

    known = labs_with_doses(ledger)
    if file is None and lab not in known:
        raise NotFoundError(
            f"a station is named by its file or by a lab that drew something "
            f"({', '.join(map(repr, known)) or 'none has'}), but got {lab!r}"
        )


def _correct(ledger: Ledger, lab: str, given: str, note: str) -> None:
    from orchestrator.campaign import UnitError, convert
    from orchestrator.errors import InputRefusedError
    from orchestrator.inventory import correct_stock

    found = re.fullmatch(
        r"(?P<stock>[^/=]+)/(?P<lot>[^=]+)=\s*(?P<value>[\d.eE+-]+)\s*(?P<unit>\S+)", given
    )
    if found is None or not note.strip():
        raise InputRefusedError(
            "--correct takes STOCK/LOT=VOLUME with a unit, and --note why, but got "
            f"{given!r} and {note!r}"
        )
    try:
        volume = convert(float(found["value"]), found["unit"], "µL")
    except (UnitError, ValueError) as error:
        raise InputRefusedError(f"--correct: {error}") from error
    correct_stock(ledger, lab, found["stock"], found["lot"], volume, note)


def _emptied(ledger: Ledger, lab: str, note: str) -> None:
    from orchestrator.inventory import empty_waste

    empty_waste(ledger, lab, note)


def _document(found: Inventory, station: str) -> dict[str, Any]:
    return {
        "station": station or None,
        "lab": found.lab,
        "stocks": [_holding(h, found.seconds) for h in found.holdings.values()],
        "waste": {
            "held": {"least": found.waste_least, "most": found.waste_most, "unit": "µL"},
            "capacity": _quantity(found.waste_capacity),
        },
        "doubts": [
            {
                "campaign": d.campaign,
                "trial": d.trial,
                "attempt": d.attempt,
                "stocks": {
                    n: {"lot": x.lot, "least": x.least, "most": x.most, "unit": "µL"}
                    for n, x in d.doses.items()
                    if x.least < x.most
                },
            }
            for d in found.doubts
        ],
    }


def _quantity(volume: float | None) -> dict[str, Any] | None:
    return None if volume is None else {"value": volume, "unit": "µL"}


def _holding(h: Holding, seconds: float) -> dict[str, Any]:
    """One bottle; trials and hours left are by what was drawn until now on average."""
    opened = h.opened or h.weighed
    mean = 0.5 * (h.drawn_least + h.drawn_most) / h.draws if h.draws else 0.0
    trials = h.left_least / mean if opened and mean > 0.0 else None
    hours = None if trials is None else trials * seconds / h.draws / 3600.0
    return {
        "stock": h.stock,
        "lot": h.lot.lot or None,
        "opened": _quantity(h.lot.volume) if h.opened else None,
        "weighed": h.weighed,
        "drawn": {"least": h.drawn_least, "most": h.drawn_most, "unit": "µL"},
        "remaining": {"least": h.left_least, "most": h.left_most, "unit": "µL"}
        if opened
        else None,
        "draws": h.draws,
        "trials_left": trials,
        "hours_left": hours,
        "expires": h.lot.expires,
        "details": h.lot.details,
    }


def _left(h: Holding) -> dict[str, Any]:
    return {"least": h.left_least, "most": h.left_most, "unit": "µL"}


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['station'] or 'stocks'} at {document['lab'] or 'no lab'}"]
    for h in document["stocks"]:
        label = f"{h['stock']}  {h['lot'] or 'no lot'}"
        drawn = _span(h["drawn"])
        if h["remaining"] is None:
            lines.append(f"  {label:40} {drawn} drawn in {h['draws']} draws")
            continue
        left = _span(h["remaining"])
        until = "" if h["trials_left"] is None else f", about {int(h['trials_left'])} trials"
        expires = f", expires {h['expires']}" if h["expires"] else ""
        of = f" of {h['opened']['value'] / MILLILITRE:g} mL" if h["opened"] else ""
        lines.append(f"  {label:40} {left} left{of}{until}{expires}")
    waste = document["waste"]
    capacity = waste["capacity"]
    of = "" if capacity is None else f" of {capacity['value'] / MILLILITRE:g} mL"
    lines.append(f"  {'waste':40} {_span(waste['held'])}{of}")
    lines += [
        f"  IN DOUBT {d['campaign']} trial {d['trial']} attempt {d['attempt']}: "
        + ", ".join(f"{n} {_span(x)}" for n, x in d["stocks"].items())
        for d in document["doubts"]
    ]
    return "\n".join(lines)


def _span(volume: dict[str, Any]) -> str:
    least, most = volume["least"] / MILLILITRE, volume["most"] / MILLILITRE
    return f"{most:.3f} mL" if most - least < 5e-4 else f"{least:.3f} to {most:.3f} mL"
