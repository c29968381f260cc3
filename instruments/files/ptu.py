"""Decays in PicoQuant's unified format (.ptu): single photons with their delays after a pulse.

A file of photons is summed to a decay. What metrology needs and the format does not hold (how many
pulses, when the pulse arrives, how wide the instrument answers) stands in tags of our own, or is
given by who reads. A .ptu has no checksum: a damaged record is found only where it names a channel
that no photon can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import ptufile
from numpy.typing import NDArray

from instruments.errors import DetectorFileError, IncompleteFileError
from instruments.files._new import new_file
from instruments.station import Spectrum

MAGIC = b"PQTTTR"
TAGS = {"pulses": "UsrPulses", "pulse": "UsrPulseArrival_ns", "response": "UsrResponse_ns"}
NO_DATE = datetime(1970, 1, 1)  # noqa: DTZ001  (the format has local times; a twin has no date)
RECORD = 4  # bytes of a photon


def write_ptu(path: Path, spectrum: Spectrum) -> Path:
    """Write one decay; see `encode`.

    Raises:
        DetectorFileError: the file is there, or it is no decay.
    """
    data = encode(spectrum)
    with new_file(path) as file:
        file.write(data)
    return path


def encode(spectrum: Spectrum) -> bytes:
    """Return the file of one decay.

    Args:
        spectrum: Counts, shape (n,), over even channels [ns] that fill the time between two
            pulses.

    Raises:
        DetectorFileError: it is no such decay.
    """
    counts = np.asarray(spectrum.values)
    if counts.ndim != 1 or np.any(counts < 0.0) or np.any(counts != np.rint(counts)):
        raise DetectorFileError(
            f"a .ptu holds one decay of whole photons, but {spectrum.name!r} is none; write it as "
            ".csv"
        )
    channel = float(spectrum.axis[1] - spectrum.axis[0]) * 1e-9
    tags = {tag: float(spectrum.settings[n]) for n, tag in TAGS.items() if n in spectrum.settings}
    file = BytesIO()
    ptufile.imwrite(
        file,
        counts.astype(np.uint32).reshape(1, 1, -1),
        channel * len(counts),
        channel,
        guid=uuid5(NAMESPACE_OID, f"{spectrum.name} {counts.tobytes().hex()}"),
        comment=spectrum.name,
        datetime=NO_DATE,
        tags={**tags, "HW_Type": "dotpilot"},
    )
    return file.getvalue()


def read_ptu(path: Path, settings: Mapping[str, Any] | None = None) -> Spectrum:
    """Read a file of photons as one decay.

    Args:
        path: The file.
        settings: `pulses`, `pulse` [ns] and `response` [ns] where the file's tags do not tell
            them, and `channel` (from 0) where photons of several were counted.

    Raises:
        IncompleteFileError: it ends before its last photon.
        DetectorFileError: no such file, or it lacks what a decay needs.
    """
    given = dict(settings or {})
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        if size < len(MAGIC) and MAGIC.startswith(start):
            raise IncompleteFileError(f"{path} must be whole, but has {size} bytes; wait for it")
        with ptufile.PtuFile(path) as opened:
            _check_whole(path, size, opened)
            decay = _decay(path, opened, given.pop("channel", None))
            period, width = opened.global_resolution * 1e9, opened.tcspc_resolution * 1e9
            found = _settings(path, opened.tags, given, opened.acquisition_time * 1e9 / period)
            comment = str(opened.comment or path.stem).strip("\0")
    except OSError as error:
        raise DetectorFileError(f"{path} must be a file that can be read, but {error}") from error
    except ptufile.PqFileError as error:
        if start == MAGIC and b"Header_End" not in path.read_bytes():
            raise IncompleteFileError(
                f"{path} must be whole, but its header breaks off; wait for it"
            ) from error
        raise DetectorFileError(
            f"{path} must be a .ptu of PicoQuant's unified format, but {error}; export it anew"
        ) from error
    count = max(round(period / width), 1)
    axis = (np.arange(count, dtype=np.float64) + 0.5) * width
    values = np.zeros(count, dtype=np.float32)
    values[: min(count, len(decay))] = decay[:count]
    return Spectrum(comment, axis, values, "ns", "counts", found)


def _check_whole(path: Path, size: int, opened: Any) -> None:
    """See that the header's count, which is written last, agrees with the file's end."""
    wanted = opened.record_offset + RECORD * opened.number_records
    if size != wanted or opened.number_records == 0:
        raise IncompleteFileError(
            f"{path} must have the {wanted} bytes of its {opened.number_records} records, but has "
            f"{size}; wait for it, or measure anew"
        )


def _decay(path: Path, opened: Any, channel: int | None) -> NDArray[np.uint32]:
    """Photons in each channel of time, shape (bins,)."""
    active = [int(c) for c in opened.active_channels]
    inputs = int(opened.tags.get("HW_InpChannels", opened.number_channels_max))
    if not opened.is_t3 or any(c >= inputs for c in active):
        raise DetectorFileError(
            f"{path} must hold photons with delays (T3 mode) of its {inputs} inputs, but has them "
            f"of {active}; it is damaged or of another mode, measure anew"
        )
    if channel is None and len(active) > 1:
        raise DetectorFileError(
            f"{path} must hold photons of one input unless `channel` chooses one, but has {active}"
        )
    if channel is not None and channel not in active:
        raise DetectorFileError(f"`channel` must be one of {active} of {path}, but is {channel}")
    counted = opened.decode_histogram(dtype="uint32")
    row = counted[active.index(active[0] if channel is None else channel)]
    return np.asarray(row, dtype=np.uint32)


def _settings(
    path: Path, tags: Mapping[str, Any], given: Mapping[str, Any], pulses: float
) -> dict[str, Any]:
    """Settings that metrology needs: those given, else of our tags, else the duration's pulses."""
    found = {n: tags[tag] for n, tag in TAGS.items() if tag in tags} | dict(given)
    found.setdefault("pulses", pulses)
    lacking = [n for n in TAGS if n not in found]
    if lacking:
        raise DetectorFileError(
            f"a decay needs {', '.join(TAGS)}, but {path} does not tell {', '.join(lacking)}; "
            "give them as settings, measured with a scatterer"
        )
    return {n: float(v) if n in TAGS else v for n, v in found.items()}
