"""Raw data that an instrument read repeatedly, of the best trials: frames over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.ledger import StoredSpectrum, TrialRow
from orchestrator.report._record import Record

Array = NDArray[np.float64]
LATE = "_late"  # what the name of later frames of the same spectrum ends in
SPECTRAL = ("nm", "1/nm", "eV")
DRAWN = 6  # frames that are drawn as lines
FAINT = 0.1  # of the brightest frame


@dataclass(frozen=True)
class Frames:
    """A spectrum of one trial over time.

    Attributes:
        trial: The trial.
        name: Of the spectrum.
        axis: Shape (n,) in `axis_unit`.
        values: Shape (f, n) in `unit`, less the dark where `dark_taken`; NaN where the
            instrument overflowed.
        times: Shape (f,), start of each frame [s].
    """

    trial: TrialRow
    name: str
    axis: Array
    values: Array
    times: Array
    axis_unit: str
    unit: str
    dark_taken: bool

    @property
    def is_image(self) -> bool:
        """Whether the axis counts things, so that a line along it would say nothing."""
        return self.axis_unit not in SPECTRAL

    def bright_until(self) -> int:
        """How many frames there are until all light together stays faint."""
        light = self.values.mean(axis=1)
        above = light - light.min()
        bright = np.flatnonzero(above >= FAINT * above.max())
        return min(len(light), int(1.1 * (bright[-1] + 1)) + 1)

    def drawn(self) -> list[int]:
        """Frames that are drawn as lines: most of them early, where most happens."""
        last = float(self.times[-1])
        early = max(float(self.times[0]), 0.01 * last, 1e-9)
        wanted = np.geomspace(early, max(last, early), DRAWN)
        nearest = np.abs(self.times[None, :] - wanted[:, None]).argmin(axis=1)
        return [int(i) for i in np.unique(np.append(nearest, [0, len(self.times) - 1]))]


def read_frames(record: Record, number: int) -> list[Frames]:
    """Read what was recorded over time in a trial, the emission first."""
    stored = {s.name: s for s in record.spectra(number)}
    found = [
        _frames(record.trial(number), stored, s)
        for s in stored.values()
        if over_time(s) and not s.name.startswith("dark") and not _continues(stored, s.name)
    ]
    return sorted(found, key=lambda f: (not is_emission(f.name), f.name))


def over_time(spectrum: StoredSpectrum) -> bool:
    """Whether a spectrum holds frames at regular times."""
    return spectrum.values.ndim == 2 and "frame_interval" in spectrum.settings


def is_emission(name: str) -> bool:
    """Whether a spectrum of this name is photoluminescence."""
    return name == "pl" or name.startswith("pl_")


def _continues(stored: Mapping[str, StoredSpectrum], name: str) -> bool:
    return name.endswith(LATE) and name.removesuffix(LATE) in stored


def _frames(
    trial: TrialRow, stored: Mapping[str, StoredSpectrum], first: StoredSpectrum
) -> Frames:
    parts = [first]
    later = stored.get(first.name + LATE)
    if later is not None and np.array_equal(later.axis, first.axis):
        parts.append(later)
    values = np.concatenate([_known(p) for p in parts])
    dark = _dark(stored, first)
    if dark is not None:
        values = values - dark
    return Frames(
        trial=trial,
        name=first.name,
        axis=first.axis.astype(np.float64),
        values=values,
        times=np.concatenate([_times(p) for p in parts]),
        axis_unit=first.axis_unit,
        unit=first.unit,
        dark_taken=dark is not None,
    )


def _known(spectrum: StoredSpectrum) -> Array:
    values = spectrum.values.astype(np.float64)
    mark = spectrum.settings.get("overflow_mark")
    return values if mark is None else np.where(values == float(mark), np.nan, values)


def _times(spectrum: StoredSpectrum) -> Array:
    settings = spectrum.settings
    start, step = float(settings.get("frame_start", 0.0)), float(settings["frame_interval"])
    return start + step * np.arange(len(spectrum.values), dtype=np.float64)


def _dark(stored: Mapping[str, StoredSpectrum], emission: StoredSpectrum) -> Array | None:
    """The mean dark frame of the emission's axis and integration time, shape (n,)."""
    dark = stored.get("dark")
    if dark is None or not is_emission(emission.name):
        return None
    times = [s.settings.get("integration_time") for s in (dark, emission)]
    if times[0] != times[1] or not np.array_equal(dark.axis, emission.axis):
        return None
    mean: Array = np.atleast_2d(dark.values.astype(np.float64)).mean(axis=0)
    return mean


def thinned(values: Array, times: Array, at_most: int) -> tuple[Array, Array]:
    """Average neighbouring frames until there are at most so many: values (f, n), times (f,)."""
    group = -(-len(values) // at_most)
    whole = len(values) // group * group
    means = values[:whole].reshape(-1, group, values.shape[1]).mean(axis=1)
    return means, times[:whole].reshape(-1, group).mean(axis=1)


def scale_of_time(seconds: Sequence[float]) -> tuple[float, str]:
    """Return by what to divide seconds so that the longest is easy to read, and the unit."""
    longest = max(seconds, default=0.0)
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if longest >= 3.0 * size:
            return size, unit
    return 1.0, "s"
