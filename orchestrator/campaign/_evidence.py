"""What a file of evidence says: the value of an observable, with its error and how it was read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.campaign._declared import LARGEST, reported_observables
from orchestrator.campaign._later import LaterObservable
from orchestrator.campaign._units import UnitError, convert, convert_width
from orchestrator.errors import InputRefusedError
from orchestrator.events import ObservableRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Assumed, because a micrograph of 4096 x 4096 pixels of 16 bit is half of it.
LARGEST_EVIDENCE = 64 * 2**20
LARGEST_TABLE = 8 * 2**20  # that is read: assumed, because it holds half a million sizes
FEWEST = 2  # values from which a scatter can be told
VERSION = "1"
STATED = "stated@person"
Column = tuple[str, str, "NDArray[np.float64]"]


def attached_values(
    observables: Sequence[LaterObservable],
    data: bytes,
    technique: str,
    stated: Mapping[str, Any] | None,
) -> tuple[dict[str, ObservableRecord], dict[str, dict[str, Any]]]:
    """Return the values of an attachment by observable, and what was read of its file.

    Args:
        observables: What is attached.
        data: The bytes of the file.
        technique: How it was measured, such as TEM.
        stated: `{value, unit, se}` of the one observable; None where the file is read.

    Raises:
        InputRefusedError: a value or file that gives none.
    """
    if stated is not None:
        (observable,) = observables
        return {observable.name: _stated(observable, stated, technique)}, {}
    derived = {o.name: _derived(o, data, technique) for o in observables}
    return {n: d[0] for n, d in derived.items()}, {n: d[1] for n, d in derived.items()}


def _stated(
    observable: LaterObservable, given: Mapping[str, Any], technique: str
) -> ObservableRecord:
    """Return a value that a person states, in the declared unit."""
    problems: list[str] = []
    declared = {"name": observable.name, "unit": observable.unit, "spectral": observable.spectral}
    entry = {k: v for k, v in given.items() if v is not None}
    read = reported_observables([declared], {observable.name: entry}, problems.append)
    if problems:
        raise InputRefusedError([p.removeprefix("observables: ") for p in problems])
    return ObservableRecord(**read[observable.name], method=_method(technique, STATED))


def _derived(
    observable: LaterObservable, data: bytes, technique: str
) -> tuple[ObservableRecord, dict[str, Any]]:
    """Return a value that a file gives by the observable's reader, and what was read of it."""
    from instruments.metrology import FitError, tables

    if observable.reader is None:
        raise InputRefusedError(
            f"{observable.name} has no reader, so no value can be derived from a file; state it "
            "with --value, or declare a reader in the campaign file's observables"
        )
    columns = _table(data)
    try:
        if observable.reader == "emission_peak":
            axis, counts = _spectrum(columns)
            value, se = tables.emission_peak_of(axis[2], counts[2])
            unit, told = "nm", {"columns": [axis[0], counts[0]], "count": len(axis[2])}
        else:
            name, unit, numbers = _chosen(columns, observable)
            value, se = _statistics(observable, numbers)
            unit = "dimensionless" if observable.reader == "relative_spread" else unit
            told = {"columns": [name], "count": len(numbers)}
        return _record(observable, value, se, unit, technique), told
    except (FitError, UnitError) as error:
        raise InputRefusedError(f"{observable.name} cannot be read from the file: {error}") from (
            error
        )


def _record(
    observable: LaterObservable, value: float, se: float, unit: str, technique: str
) -> ObservableRecord:
    to, spectral = observable.unit, observable.spectral
    if not all(abs(number) <= LARGEST for number in (value, se)):
        raise InputRefusedError(
            f"{observable.name} must be a number of at most {LARGEST:g}, but the file gives "
            f"{value:g} ± {se:g} {unit}; look at its numbers and units"
        )
    return ObservableRecord(
        value=convert(value, unit, to or "dimensionless", spectral=spectral),
        se=convert_width(se, value, unit, to or "dimensionless", spectral=spectral),
        unit=to,
        method=_method(technique, f"{observable.reader}@{VERSION}"),
    )


def _method(technique: str, how: str) -> str:
    return f"{technique}: {how}" if technique else how


def _table(data: bytes) -> list[Column]:
    """Return the columns of a comma-separated table with a header: name, unit, numbers.

    Raises:
        InputRefusedError: not such a table, or a cell that is no finite number.
    """
    if len(data) > LARGEST_TABLE:
        raise InputRefusedError(
            f"a table must be at most {LARGEST_TABLE // 2**20} MiB long to be read, but has "
            f"{len(data)} bytes; state the value with --value"
        )
    try:
        text = data.decode("utf-8-sig")
        rows = [r for r in csv.reader(io.StringIO(text)) if any(c.strip() for c in r)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputRefusedError(
            f"the file must be a comma-separated table in UTF-8 to be read: {error}; state the "
            "value with --value"
        ) from error
    if len(rows) < 1 + FEWEST:
        raise InputRefusedError(
            f"the file must have a header line and at least {FEWEST} rows of numbers, but has "
            f"{max(len(rows) - 1, 0)} below its header"
        )
    wide = len(rows[0])
    for line, cells in enumerate(rows, start=1):
        if len(cells) != wide:
            raise InputRefusedError(
                f"every row must have the {wide} cells of the header, but row {line} has "
                f"{len(cells)}"
            )
    return [_column(place, rows) for place in range(wide)]


def _column(place: int, rows: list[list[str]]) -> Column:
    import numpy as np

    numbers = np.array([_number(r[place]) for r in rows[1:]], dtype=np.float64)
    return (*_heading(rows[0][place].strip()), numbers)


def _heading(text: str) -> tuple[str, str]:
    """Return name and unit of a header such as `edge [nm]`."""
    if not text.endswith("]") or "[" not in text:
        return text, ""
    name, _, unit = text[:-1].rpartition("[")
    return name.strip(), unit.strip()


def _number(cell: str) -> float:
    """Return a cell's number; NaN where it is none, for columns that nobody asks for."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _chosen(columns: list[Column], observable: LaterObservable) -> Column:
    """Return the column that an observable is read from."""
    wanted = observable.column
    found = [c for c in columns if wanted is None or c[0] == wanted]
    if len(found) != 1:
        names = ", ".join(repr(c[0]) for c in columns)
        rule = f"one column {wanted!r}" if wanted else "one column, or the observable a `column`"
        raise InputRefusedError(f"the file must have {rule}, but has {names}")
    return _usable(found[0])


def _usable(column: Column) -> Column:
    import numpy as np

    if not np.isfinite(column[2]).all():
        row = int(np.argmin(np.isfinite(column[2]))) + 1
        raise InputRefusedError(
            f"column {column[0]!r} must hold finite numbers, but row {row} below the header does "
            "not; remove it from the file, or mend it"
        )
    return column


def _statistics(observable: LaterObservable, numbers: NDArray[np.float64]) -> tuple[float, float]:
    from instruments.metrology import tables

    if observable.reader == "mean":
        return tables.mean_of(numbers)
    if observable.reader == "spread":
        return tables.spread_of(numbers)
    if not (numbers > 0.0).all():
        raise InputRefusedError(
            f"sizes must be above zero for a relative spread, but the smallest is {min(numbers):g}"
        )
    return tables.relative_spread_of(numbers)


def _spectrum(columns: list[Column]) -> tuple[Column, Column]:
    """Return axis [nm] and counts of a spectrum's table.

    Raises:
        InputRefusedError: not two columns, wrong units, or an uneven or falling axis.
    """
    import numpy as np

    if len(columns) != 2:
        raise InputRefusedError(
            f"a spectrum must have two columns, wavelength [nm] and counts, but has {len(columns)}"
        )
    (name, unit, axis), counts = _usable(columns[0]), _usable(columns[1])
    if unit != "nm" or counts[1] not in ("counts", ""):
        raise InputRefusedError(
            "a spectrum must have its wavelength in nm and raw counts, written in the header as "
            f"`wavelength [nm],counts`, but has [{unit}] and [{counts[1]}]"
        )
    steps = np.diff(axis)
    # Assumed, because a tenth of a step is far below what a line's position depends on.
    if not (steps > 0.0).all() or float(np.ptp(steps)) > 0.1 * float(np.mean(steps)):
        raise InputRefusedError(
            "a spectrum's wavelengths must rise in even steps, but do not; resample them first"
        )
    return (name, unit, axis), counts


__all__ = ["LARGEST_EVIDENCE", "attached_values"]
