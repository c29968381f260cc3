"""Rows of a laboratory file as recipes and observables, each bad one with its reason."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.campaign import UnitError, check_unit, convert, convert_width
from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.events import ObservableRecord
from orchestrator.importing._mapping import ColumnMapping, MappedObservable, MappedParameter


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One good row: `number` counts data rows from 1, `line` lines of the file."""

    number: int
    line: int
    recipe: dict[str, float | str]
    observables: dict[str, ObservableRecord]
    kept: dict[str, str]


@dataclass(slots=True)
class ReadFile:
    """What a file gave: good rows, and bad ones as {"row", "reason"}."""

    rows: list[ReadRow] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)


class _BadRowError(ValueError):
    pass


def read_rows(path: Path, mapping: ColumnMapping) -> ReadFile:
    """Read a delimited file by its mapping.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: not text, a column that is missing or stands there twice, units.
    """
    try:
        text = path.read_text(encoding=mapping.encoding)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError, LookupError) as error:
        raise InputRefusedError(
            f"{path} must be readable text in {mapping.encoding}: {error}; "
            "the mapping's `encoding` names another one"
        ) from error
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=mapping.delimiter)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except csv.Error as error:
        raise InputRefusedError(f"{path} must be delimited text: {error}") from error
    if not lines:
        raise InputRefusedError(f"{path} must have a header line, but is empty")
    header = [h.strip() for h in lines[0][1]]
    _check_columns(header, mapping, path)
    _check_units(mapping)
    found = ReadFile()
    for number, (line, cells) in enumerate(lines[1:], start=1):
        try:
            found.rows.append(_row(number, line, header, cells, mapping))
        except _BadRowError as error:
            found.bad.append({"row": number, "line": line, "reason": str(error)})
    return found


def _check_columns(header: list[str], mapping: ColumnMapping, path: Path) -> None:
    problems = [
        f"{path} must have a column {name!r}, but has {', '.join(map(repr, header))}"
        for name in dict.fromkeys(mapping.columns())
        if name not in header
    ]
    problems += [
        f"{path}: column {name!r} must stand in the header once"
        for name in dict.fromkeys(mapping.columns())
        if header.count(name) > 1
    ]
    if problems:
        raise InputRefusedError(problems)


def _check_units(mapping: ColumnMapping) -> None:
    problems = []
    for item in mapping.parameters:
        try:
            check_unit(item.unit)
        except UnitError as error:
            problems.append(f"mapping {item.name}: {error}")
    for seen in mapping.observables:
        try:
            check_unit(seen.unit)
            convert(1.0, seen.unit, seen.to or seen.unit, spectral=seen.spectral)
        except UnitError as error:
            problems.append(f"mapping {seen.name}: {error}")
    if problems:
        raise InputRefusedError(problems)


def _row(
    number: int, line: int, header: list[str], cells: list[str], mapping: ColumnMapping
) -> ReadRow:
    if len(cells) != len(header):
        raise _BadRowError(f"has {len(cells)} cells where the header has {len(header)}")
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    recipe = {p.name: _parameter(p, row, mapping) for p in mapping.parameters}
    observables = {}
    for seen in mapping.observables:
        record = _observable(seen, row, mapping)
        if record is not None:
            observables[seen.name] = record
    if not observables:
        raise _BadRowError("has no observable: every one is missing")
    return ReadRow(number, line, recipe, observables, {k: row[k] for k in mapping.keep})


def _number(text: str, column: str, decimal: str) -> float:
    try:
        value = float(text.replace(decimal, ".") if decimal != "." else text)
    except ValueError:
        raise _BadRowError(f"{column} must be a number, but is {text!r}") from None
    if not math.isfinite(value):
        raise _BadRowError(f"{column} must be a finite number, but is {text!r}")
    return value


def _parameter(
    item: MappedParameter, row: Mapping[str, str], mapping: ColumnMapping
) -> float | str:
    text = row[item.column]
    if text in mapping.missing:
        raise _BadRowError(f"{item.column} is missing, and a recipe needs {item.name}")
    if item.choices is not None:
        if text not in item.choices:
            known = ", ".join(item.choices)
            raise _BadRowError(f"{item.column} must be one of {known}, but is {text!r}")
        return item.choices[text]
    value = _number(text, item.column, mapping.decimal)
    if item.log and value <= 0.0:
        raise _BadRowError(f"{item.column} must be above zero on a log scale, but is {text!r}")
    return value


def _observable(
    item: MappedObservable, row: Mapping[str, str], mapping: ColumnMapping
) -> ObservableRecord | None:
    text = row[item.column]
    if text in mapping.missing:
        return None
    value = _number(text, item.column, mapping.decimal)
    if value in item.missing:
        return None
    if (item.low is not None and value < item.low) or (
        item.high is not None and value > item.high
    ):
        raise _BadRowError(
            f"{item.column} must be within [{item.low}, {item.high}] {item.unit}, but is {text!r}"
        )
    error = item.se
    if item.se_column is not None and row[item.se_column] not in mapping.missing:
        error = _number(row[item.se_column], item.se_column, mapping.decimal)
        if error < 0.0:
            raise _BadRowError(f"{item.se_column} must not be negative, but is {error}")
    unit = item.to or item.unit
    converted = convert(value, item.unit, unit, spectral=item.spectral)
    if error is not None:
        error = convert_width(error, value, item.unit, unit, spectral=item.spectral)
    return ObservableRecord(value=converted, se=error, unit=unit, method="imported@1")
