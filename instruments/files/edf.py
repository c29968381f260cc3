"""Scattering in the ESRF data format (.edf): patterns summed over rings, one frame each.

A frame has two rows of doubles, the scattering vector and the counts, and what metrology needs in
its header. A raw image of an area detector is not summed here: centre, distance and mask are
needed for it, which pyFAI and the like know.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fabio
import numpy as np
from fabio.edfimage import EdfImage

from instruments.errors import DetectorFileError, IncompleteFileError
from instruments.files._new import new_file
from instruments.station import Spectrum

ROWS = 2
_START = b"{"
_SETTING = "dotpilot_setting_"  # before the name of a number that metrology needs


def write_edf(path: Path, spectrum: Spectrum) -> Path:
    """Write every frame of a pattern.

    Args:
        path: A new file.
        spectrum: Counts over the scattering vector [1/nm], shape (n,) or (frames, n).

    Raises:
        DetectorFileError: the file is there.
    """
    rows = np.atleast_2d(np.asarray(spectrum.values, dtype=np.float64))
    header = {
        "dotpilot_name": spectrum.name,
        "dotpilot_frames": str(len(rows) if spectrum.values.ndim > 1 else 0),
        "q_unit": spectrum.axis_unit,
        "intensity_unit": spectrum.unit,
        **{_SETTING + name: repr(float(value)) for name, value in spectrum.settings.items()},
    }
    made = [np.vstack([spectrum.axis, row]) for row in rows]
    image = EdfImage(data=made[0], header=dict(header))
    for data in made[1:]:
        image.append_frame(data=data, header={})
    new_file(path).close()
    image.write(str(path))
    return path


def read_edf(path: Path, settings: Mapping[str, Any] | None = None) -> Spectrum:
    """Read a pattern that is summed over rings, with all its frames.

    Args:
        path: The file.
        settings: `frame_start` [s], `frame_interval` [s], `sensitivity`, `resolution` [1/nm],
            where the file does not tell them.

    Raises:
        IncompleteFileError: it ends within a frame.
        DetectorFileError: no such file, or no patterns with two rows.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DetectorFileError(f"{path} must be a file that can be read, but {error}") from error
    if not data.startswith(_START):
        if not data:
            raise IncompleteFileError(f"{path} must be whole, but is empty; wait for it")
        raise DetectorFileError(f"{path} must be an .edf, but does not begin as one")
    _check_whole(path, data)
    with fabio.open(str(path)) as image:
        header = dict(image.header)
        frames = [np.asarray(f.data, dtype=np.float64) for f in image.frames()]
    return _spectrum(path, header, frames, settings or {})


def _check_whole(path: Path, data: bytes) -> None:
    """See that the file ends where its last frame does; the library would add zeros instead."""
    place = 0
    while place < len(data):
        end = data.find(b"}\n", place)
        sizes = _sizes(data[place:end]) if end >= 0 else None
        if sizes is None or place + sum(sizes) > len(data):
            raise IncompleteFileError(
                f"{path} must be whole, but ends within the frame that begins at byte {place}; "
                "wait for it, or measure anew"
            )
        place += sum(sizes)


def _sizes(block: bytes) -> tuple[int, int] | None:
    """Bytes of a frame's header and of its data; None where the header does not tell."""
    parts = [part.partition(b"=") for part in block.replace(b"\n", b"").split(b";")]
    said = {key.strip(): value.strip() for key, _, value in parts}
    try:
        binary = int(said.get(b"EDF_BinarySize") or said[b"Size"])
        header = int(said.get(b"EDF_HeaderSize") or len(block) + 2)
    except (KeyError, ValueError):
        return None
    return header, binary


def _spectrum(
    path: Path, header: Mapping[str, str], frames: list[Any], given: Mapping[str, Any]
) -> Spectrum:
    shapes = {f.shape for f in frames}
    if len(shapes) != 1 or frames[0].ndim != ROWS or len(frames[0]) != ROWS:
        raise DetectorFileError(
            f"{path} must hold patterns summed over rings, two rows each (scattering vector, "
            f"counts), but has frames of {sorted(shapes)}; sum a raw image first, by pyFAI "
            "for instance"
        )
    try:
        settings: dict[str, Any] = {
            key.removeprefix(_SETTING): float(value)
            for key, value in header.items()
            if key.startswith(_SETTING)
        }
        count = int(header.get("dotpilot_frames", len(frames)))
    except ValueError as error:
        raise DetectorFileError(f"{path} must have a header that is whole, but {error}") from error
    values = np.array([f[1] for f in frames]).astype(np.float32)
    return Spectrum(
        header.get("dotpilot_name", path.stem),
        frames[0][0],
        values if count else values[0],
        header.get("q_unit", "1/nm"),
        header.get("intensity_unit", "counts"),
        settings | dict(given),
    )
