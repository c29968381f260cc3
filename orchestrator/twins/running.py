"""One recipe on one twin, through its station: what the lab would report, and the truth."""

from __future__ import annotations

import difflib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from instruments import create_station
from instruments.errors import (
    DetectorFileError,
    InstrumentError,
    RecipeRefusedError,
    TrialFailedError,
)
from instruments.files import write_files
from instruments.station import (
    Analysis,
    AttemptKey,
    Measurement,
    ParameterDeclaration,
    SimulatedStation,
    Spectrum,
    Value,
    Verdict,
)
from orchestrator.errors import InputRefusedError
from orchestrator.twins.catalogue import Twin

SUFFIXES = (".json", ".npz")
_ONLY = "full"
_SEVERAL = ("flow_synthesis",)  # stations that take `model` in their lab


def station_of(
    twin: Twin, hidden: int | None = None, model: str | None = None
) -> SimulatedStation:
    """Build the twin's station: the nominal lab, or the hidden lab of a seed.

    Raises:
        InputRefusedError: the station has no such model.
    """
    lab: dict[str, Any] = {} if hidden is None else {"hidden": hidden}
    if model is not None and twin.name not in _SEVERAL and model != _ONLY:
        raise InputRefusedError(
            f"{twin.name} has the model {_ONLY!r} alone, but got --model {model}; leave it out"
        )
    if model is not None and (twin.name in _SEVERAL or model != _ONLY):
        lab["model"] = model
    try:
        return cast(SimulatedStation, create_station(twin.name, lab or None))
    except InstrumentError as error:
        raise InputRefusedError(str(error)) from error


def parse_settings(twin: Twin, words: Sequence[str]) -> dict[str, Value]:
    """Return the recipe that `key=value` words make, with defaults for what is not set.

    Raises:
        InputRefusedError: every word that is not `key=value`, names no parameter, or is no number
            where one is needed.
    """
    declared = {p.name: p for p in station_of(twin).description.parameters}
    given: dict[str, Value] = {}
    problems: list[str] = []
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip()
        if not equals:
            problems.append(f"--set takes key=value, but got {word!r}")
        elif name not in declared:
            near = difflib.get_close_matches(name, declared, 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(
                f"{twin.name} has no parameter {name!r}{hint}; it has {', '.join(declared)}"
            )
        elif name in given:
            problems.append(f"{name!r} is set twice; set it once")
        else:
            try:
                given[name] = _value(declared[name], text.strip())
            except ValueError as error:
                problems.append(str(error))
    if problems:
        raise InputRefusedError(problems)
    return complete(list(declared.values()), given)


def _value(parameter: ParameterDeclaration, text: str) -> Value:
    if parameter.kind == "categorical":
        if text not in parameter.choices:
            near = difflib.get_close_matches(text, parameter.choices, 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{parameter.name} must be one of {', '.join(parameter.choices)}, but got "
                f"{text!r}{hint}"
            )
        return text
    try:
        number = float(text)
    except ValueError:
        unit = f" in {parameter.unit}" if parameter.unit else ""
        raise ValueError(
            f"{parameter.name} must be a number{unit}, without its unit, but got {text!r}"
        ) from None
    if parameter.kind == "integer" and number.is_integer():
        return int(number)
    return number


def complete(
    declared: Sequence[ParameterDeclaration], given: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the recipe with defaults for those parameters that exist and are not given."""
    recipe: dict[str, Value] = dict(given)
    for parameter in declared:
        if parameter.name in recipe or parameter.default is None:
            continue
        if parameter.when is None or recipe.get(parameter.when[0]) in parameter.when[1]:
            recipe[parameter.name] = parameter.default
    return {p.name: recipe[p.name] for p in declared if p.name in recipe}


def run_twin(
    twin: Twin, recipe: Mapping[str, Value], hidden: int | None = None, model: str | None = None
) -> tuple[dict[str, Any], tuple[Spectrum, ...]]:
    """Run a complete recipe; return the document of `twin run` and the raw spectra.

    Raises:
        InputRefusedError: the station refuses the recipe; nothing has moved.
    """
    station = station_of(twin, hidden, model)
    units = {p.name: p.unit for p in station.description.parameters}
    station.open()
    try:
        measured = station.run(recipe, AttemptKey(1, 1))
    except RecipeRefusedError as error:
        raise InputRefusedError([v.message for v in error.violations]) from error
    except TrialFailedError as error:
        failed = _document(twin, recipe, units, station, None, Analysis({}, Verdict("accept")))
        return failed | {"failure": error.reason, "warnings": [str(error)]}, ()
    except InstrumentError as error:
        raise InputRefusedError(str(error)) from error
    finally:
        station.close()
    analysis = station.analyse(measured)
    return _document(twin, recipe, units, station, measured, analysis), measured.spectra


def _document(
    twin: Twin,
    recipe: Mapping[str, Value],
    units: Mapping[str, str],
    station: SimulatedStation,
    measured: Measurement | None,
    analysis: Analysis,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "twin": twin.name,
        "model": _model(measured),
        "recipe": _quantities(recipe, units),
        "achieved": _quantities(measured.achieved if measured else {}, units),
        "observables": {
            name: {"value": _finite(o.value), "unit": o.unit, "se": _finite(o.se)}
            for name, o in sorted(analysis.observables.items())
        },
        "series": {
            s.name: {
                "time": [float(t) for t in s.time],
                "time_unit": "s",
                "values": [_finite(float(v)) for v in s.values],
                "unit": s.unit,
            }
            for s in analysis.series
        },
        "state": {name: _finite(float(v)) for name, v in sorted(_truth(station).items())},
    }
    verdict = analysis.verdict
    return found | {
        "verdict": {"kind": verdict.kind, "reasons": list(verdict.reasons)},
        "failure": verdict.failure or None,
        "conditions": {n: dict(c) for n, c in (measured.conditions if measured else {}).items()},
        "warnings": list(measured.warnings) if measured else [],
    }


def _model(measured: Measurement | None) -> str:
    """Which model ran: what the measurement says, where the station has several."""
    entry = measured.conditions.get("model") if measured else None
    return _ONLY if entry is None else str(entry["value"])


def _truth(station: SimulatedStation) -> Mapping[str, float]:
    """The hidden state; empty for a station that does not tell it."""
    return station.truth() if hasattr(station, "truth") else {}


def _quantities(values: Mapping[str, Value], units: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: v if isinstance(v, str) else {"value": v, "unit": units.get(name, "")}
        for name, v in values.items()
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def write_spectra(path: Path, spectra: Sequence[Spectrum]) -> None:
    """Write raw spectra as JSON or as numpy's archive, by the file's suffix.

    Raises:
        InputRefusedError: another suffix.
    """
    check_suffix(path)
    if path.suffix == ".json":
        entries = [
            {
                "name": s.name,
                "axis": s.axis.tolist(),
                "axis_unit": s.axis_unit,
                "values": s.values.tolist(),
                "unit": s.unit,
                "settings": dict(s.settings),
            }
            for s in spectra
        ]
        path.write_text(json.dumps({"spectra": entries}), encoding="utf-8")
        return
    arrays: dict[str, Any] = {}
    about: dict[str, Any] = {}
    for s in spectra:
        arrays[f"{s.name}_axis"], arrays[f"{s.name}_values"] = s.axis, s.values
        about[s.name] = {
            "axis_unit": s.axis_unit,
            "unit": s.unit,
            "settings": dict(s.settings),
        }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.array(json.dumps(about)), **arrays)
    path.write_bytes(buffer.getvalue())


def check_suffix(path: Path) -> None:
    """Refuse a file for spectra whose suffix says no format, or whose folder is missing.

    Raises:
        InputRefusedError: neither .json nor .npz, or no such folder.
    """
    if path.suffix not in SUFFIXES:
        raise InputRefusedError(
            f"spectra are written as {' or '.join(SUFFIXES)}, but got {path.name!r}"
        )
    if not path.parent.is_dir():
        raise InputRefusedError(
            f"--spectra must name a file in a folder that exists, but {path.parent} does not; "
            "make it first"
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder for detectors' files that is missing or holds something.

    Raises:
        InputRefusedError: no such folder, or it is not empty.
    """
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputRefusedError(
            f"--files must name an empty folder, since no file is written over, but {folder} is "
            "none; make one"
        )


def write_detector_files(folder: Path, spectra: Sequence[Spectrum]) -> int:
    """Write raw spectra as their detectors' files; return how many.

    Raises:
        InputRefusedError: a library that a format needs is not installed.
    """
    try:
        return len(write_files(folder, spectra))
    except DetectorFileError as error:
        raise InputRefusedError(str(error)) from error


def twin_document(twin: Twin) -> dict[str, Any]:
    """Return one entry of `twin list`."""
    description = station_of(twin).description
    return {
        "name": twin.name,
        "station": description.name,
        "description": description.description,
        "paper": twin.paper,
        "parameters": [
            {
                "name": p.name,
                "unit": p.unit,
                "low": p.low,
                "high": p.high,
                "choices": list(p.choices),
                "default": p.default,
            }
            for p in description.parameters
        ],
        "observables": [{"name": o.name, "unit": o.unit} for o in description.observables],
        "sources": twin.sources(),
    }
