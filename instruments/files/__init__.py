"""Files of detectors: decays (.ptu), scattering frames (.edf), spectra (.csv, OceanView's .txt).

What the twins measure can be written and what detectors wrote can be read; a `Spectrum` that was
written and read is the same, except for what the format rounds (see each module).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from instruments.errors import DetectorFileError
from instruments.station import Spectrum

_FORMATS = {".ptu": "ptu", ".edf": "edf", ".csv": "text", ".txt": "text"}
_SUFFIX = {"ns": ".ptu", "1/nm": ".edf"}  # by the unit of an axis
SUFFIXES = tuple(_FORMATS)


def read_file(path: Path, settings: Mapping[str, Any] | None = None) -> Spectrum:
    """Read a detector's file, by its suffix.

    Args:
        path: The file.
        settings: Of the detector, where the file does not tell them.

    Raises:
        IncompleteFileError: the file ends early; it may still be written.
        DetectorFileError: it cannot be read, or is of no known format.
    """
    suffix = path.suffix.lower()
    if suffix in _FORMATS:
        read: Callable[[Path, Mapping[str, Any] | None], Spectrum] = _format(suffix, "read")
        return read(path, settings)
    raise DetectorFileError(
        f"a detector's file must end in {', '.join(SUFFIXES)}, but got {path.name!r}; export it "
        "in one of these formats"
    )


def write_files(folder: Path, spectra: Sequence[Spectrum]) -> list[Path]:
    """Write what a measurement brought back, each in its detector's format.

    Decays over ns go to .ptu, one for each frame; scattering over 1/nm to .edf; the rest to .csv.

    Args:
        folder: Where to; it must exist.
        spectra: What to write.

    Returns:
        The files, in the order of the spectra.

    Raises:
        DetectorFileError: a library is absent, or a file of that name is there.
    """
    written: list[Path] = []
    for spectrum in spectra:
        suffix = _SUFFIX.get(spectrum.axis_unit, ".csv")
        write: Callable[[Path, Spectrum], Path] = _format(suffix, "write")
        for one in _frames(spectrum) if suffix == ".ptu" else [spectrum]:
            written.append(write(folder / f"{one.name}{suffix}", one))
    return written


def _format(suffix: str, verb: str) -> Any:
    """Return what reads or writes a format; its library is loaded by this."""
    name = _FORMATS[suffix]
    try:
        return getattr(import_module(f"instruments.files.{name}"), f"{verb}_{name}")
    except ImportError as error:
        raise DetectorFileError(
            f"a {suffix} needs a library that is not here ({error}); install the extra `files`: "
            "pip install 'dotpilot[files]'"
        ) from error


def _frames(spectrum: Spectrum) -> list[Spectrum]:
    if spectrum.values.ndim == 1:
        return [spectrum]
    return [
        replace(spectrum, name=f"{spectrum.name}_{number:04d}", values=values)
        for number, values in enumerate(spectrum.values, 1)
    ]


__all__ = ["SUFFIXES", "read_file", "write_files"]
