"""Spectra as text: our own .csv, OceanView's and SpectraSuite's exports, plain columns.

Our own loses nothing. OceanView writes wavelengths to 0.001 nm and values to 0.01; it tells
exposure and averages, and the rest of the detector's settings is given by who reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.errors import DetectorFileError, IncompleteFileError
from instruments.files._new import new_file
from instruments.station import Spectrum

OURS = "# dotpilot spectrum 1"
BEGIN, END = ">>>>>Begin", ">>>>>End"
_SECONDS = {"sec": 1.0, "s": 1.0, "msec": 1e-3, "ms": 1e-3, "usec": 1e-6, "µs": 1e-6, "us": 1e-6}
_EXPOSURE = re.compile(r"Integration Time \((\w+)\): *([-+0-9.,eE]+)")
_AVERAGES = re.compile(r"(?:Scans to average|Spectra Averaged): *(\d+)")
_PIXELS = re.compile(r"Number of (?:Sampled )?Pixels in (?:Processed )?Spectrum: *(\d+)")
_AXIS = re.compile(r"XAxis mode: *(.+)")
_SERIAL = re.compile(r"(?:Spectrometer|Spectrometers): *(\S+)")
_UNIT = re.compile(r"[\[(]([^\])]+)[\])]")


def write_text(path: Path, spectrum: Spectrum) -> Path:
    """Write a spectrum as our own .csv; numbers as they are, to the last bit.

    Raises:
        DetectorFileError: the file is there.
    """
    about = {
        "name": spectrum.name,
        "axis_unit": spectrum.axis_unit,
        "unit": spectrum.unit,
        "frames": len(spectrum.values) if spectrum.values.ndim > 1 else 0,
        "values": str(spectrum.values.dtype),
        "rows": len(spectrum.axis),
        "settings": dict(spectrum.settings),
    }
    columns = np.atleast_2d(spectrum.values)
    names = [f"{spectrum.name} [{spectrum.unit}]"] * len(columns)
    lines = [OURS, f"# {json.dumps(about)}", ",".join([f"axis [{spectrum.axis_unit}]", *names])]
    for place, x in enumerate(spectrum.axis.tolist()):
        lines.append(",".join(map(repr, [x, *(float(v) for v in columns[:, place])])))
    with new_file(path) as file:
        file.write(("\n".join(lines) + "\n").encode("utf-8"))
    return path


def write_oceanview(path: Path, spectrum: Spectrum) -> Path:
    """Write a spectrum as OceanView exports it, rounded as it rounds.

    Raises:
        DetectorFileError: the file is there, or the spectrum has frames.
    """
    if spectrum.values.ndim != 1:
        raise DetectorFileError(
            f"OceanView's export holds one spectrum, but {spectrum.name!r} has frames; write .csv"
        )
    lines = [
        f"Data from {spectrum.name} Node",
        "",
        "Spectrometer: DOTPILOT",
        f"Integration Time (sec): {float(spectrum.settings['integration_time']):.6E}",
        f"Scans to average: {int(spectrum.settings.get('averages', 1))}",
        "XAxis mode: Wavelengths",
        f"Number of Pixels in Spectrum: {len(spectrum.axis)}",
        ">>>>>Begin Spectral Data<<<<<",
        *(f"{x:.3f}\t{y:.2f}" for x, y in zip(spectrum.axis, spectrum.values, strict=True)),
    ]
    with new_file(path) as file:
        file.write(("\n".join(lines) + "\n").encode("utf-8"))
    return path


def read_text(path: Path, settings: Mapping[str, Any] | None = None) -> Spectrum:
    """Read a spectrum from text, whichever of the dialects it is.

    Args:
        path: The file.
        settings: Of the detector, where the file does not tell them; `unit` of the values
            (`counts` if left out) is taken out of them.

    Raises:
        IncompleteFileError: it has fewer rows than it says.
        DetectorFileError: it cannot be read, or its axis is none of wavelengths.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DetectorFileError(f"{path} must be text that can be read, but {error}") from error
    if not text.strip():
        raise IncompleteFileError(f"{path} must be whole, but is empty; wait for it")
    given = dict(settings or {})
    if text.startswith(OURS):
        return _ours(path, text, given)
    if BEGIN in text:
        return _oceanview(path, text, given)
    return _plain(path, text, given)


def _ours(path: Path, text: str, given: Mapping[str, Any]) -> Spectrum:
    lines = text.splitlines()
    try:
        about = json.loads(lines[1].removeprefix("# "))
        rows = _table(path, lines[3:], ",")
        axis, values = rows[:, 0], rows[:, 1:].T.astype(about["values"])
        frames, wanted = about["frames"], about["rows"]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise IncompleteFileError(
            f"{path} must be whole, but breaks off ({error}); wait for it, or measure anew"
        ) from error
    _check_rows(path, len(axis), wanted, text)
    return Spectrum(
        about["name"],
        axis,
        values if frames else values[0],
        about["axis_unit"],
        about["unit"],
        {**about["settings"], **given},
    )


def _oceanview(path: Path, text: str, given: dict[str, Any]) -> Spectrum:
    head, _, body = text.partition(BEGIN)
    lines = [x for x in body.splitlines()[1:] if x.strip() and not x.startswith(END)]
    mode = _AXIS.search(head)
    if mode is not None and not mode[1].strip().lower().startswith("wavelength"):
        raise DetectorFileError(
            f"{path} must have wavelengths as its axis, but has {mode[1].strip()!r}; choose "
            "wavelengths in OceanView before the export"
        )
    rows = _table(path, lines, "\t")
    pixels = _PIXELS.search(head)
    if pixels is not None:
        _check_rows(path, len(rows), int(pixels[1]), text)
    unit = str(given.pop("unit", "counts"))
    found: dict[str, Any] = {}
    if exposure := _EXPOSURE.search(head):
        if exposure[1] not in _SECONDS:
            raise DetectorFileError(
                f"{path} must give its integration time in {', '.join(_SECONDS)}, but has "
                f"{exposure[1]!r}"
            )
        found["integration_time"] = float(exposure[2].replace(",", ".")) * _SECONDS[exposure[1]]
    if averages := _AVERAGES.search(head):
        found["averages"] = int(averages[1])
    if serial := _SERIAL.search(head):
        found["serial"] = serial[1]
    values = rows[:, 1].astype(np.float32)
    return Spectrum(path.stem, rows[:, 0], values, "nm", unit, {**found, **given})


def _plain(path: Path, text: str, given: dict[str, Any]) -> Spectrum:
    """Read two columns, with or without a line of names; units stand in brackets there."""
    lines = [x for x in text.splitlines() if x.strip() and not x.startswith("#")]
    if not lines:
        raise DetectorFileError(f"{path} must have rows of numbers, but has only remarks")
    separator = next((s for s in ("\t", ";", ",") if s in lines[-1]), " ")
    units = ["nm", str(given.pop("unit", "counts"))]
    if not re.match(r"[-+.\d]", lines[0].strip()):
        for place, name in enumerate(lines.pop(0).split(separator)[:2]):
            if said := _UNIT.search(name):
                units[place] = said[1].strip()
    rows = _table(path, lines, separator)
    values = rows[:, 1].astype(np.float32)
    return Spectrum(path.stem, rows[:, 0], values, units[0], units[1], given)


def _table(path: Path, lines: Sequence[str], separator: str) -> NDArray[np.float64]:
    """Numbers of the rows, shape (n, columns); a comma is a decimal one where it parts nothing."""
    found: list[list[float]] = []
    for line in lines:
        cells = line.split() if separator == " " else line.split(separator)
        if separator != ",":
            cells = [c.replace(",", ".") for c in cells]
        try:
            found.append([float(c) for c in cells if c.strip()])
        except ValueError as error:
            raise DetectorFileError(
                f"{path} must have rows of numbers, but has {line!r} ({error})"
            ) from error
    if not found or len(found[0]) < 2 or any(len(r) != len(found[0]) for r in found):
        raise IncompleteFileError(
            f"{path} must have rows of two numbers or more, all alike, but has not; wait for it, "
            "or export it anew"
        )
    return np.array(found)


def _check_rows(path: Path, rows: int, wanted: int, text: str) -> None:
    if rows < wanted or not text.endswith("\n"):
        raise IncompleteFileError(
            f"{path} must have the {wanted} rows that it says, but has {rows} whole ones; wait "
            "for it, or measure anew"
        )
