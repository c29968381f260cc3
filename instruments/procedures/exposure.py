"""Choosing an integration time, and the readings that a measurement is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.capabilities import Exposure, Light, LightPath, Spectrometer
from instruments.station import Spectrum

_GROWTH = 20.0  # most that one step of the search may lengthen an exposure


@dataclass(frozen=True, slots=True)
class ExposureTarget:
    """What an automatic exposure aims at, as shares of the saturation level.

    The search ends inside [low, high] or at a limit of the detector.
    """

    low: float = 0.35
    aim: float = 0.6
    high: float = 0.8
    start: float = 0.05
    rounds: int = 8


def smoothed(exposure: Exposure, pixels: int) -> NDArray[np.float64]:
    """Mean over `pixels` neighbours where there are so many, shape (n - pixels + 1,) [counts]."""
    kernel = np.full(pixels, 1.0 / pixels)
    return np.convolve(exposure.counts.astype(np.float64), kernel, mode="valid")


def bright(exposure: Exposure, floor: float) -> float:
    """Highest signal above `floor` [counts], after a 5-pixel mean."""
    return float(smoothed(exposure, 5).max()) - floor


def choose_exposure(
    spectrometer: Spectrometer,
    light: Light,
    path: LightPath,
    target: ExposureTarget,
) -> tuple[float, list[list[float]]]:
    """Find an integration time that fills the detector without saturating it.

    Returns:
        The time [s] and the sequence tried, as [time [s], highest counts].
    """
    shortest, longest = spectrometer.integration_limits
    saturation = float(spectrometer.settings["saturation"])
    seconds = min(max(target.start, shortest), longest)
    floor = float(np.median(spectrometer.expose(seconds, "dark").counts))
    tried: list[list[float]] = []
    for _ in range(target.rounds):
        exposure = spectrometer.expose(seconds, light, path)
        highest = float(exposure.counts.max())
        tried.append([seconds, highest])
        following = _next(exposure, floor, saturation, target)
        following = min(max(following, shortest), longest)
        if following == seconds:
            break
        seconds = following
    return seconds, tried


def _next(exposure: Exposure, floor: float, saturation: float, target: ExposureTarget) -> float:
    highest = float(exposure.counts.max())
    if highest >= saturation:
        return exposure.integration_time / 8.0
    if target.low * saturation <= highest <= target.high * saturation:
        return exposure.integration_time
    signal = max(bright(exposure, floor), 1.0)
    return exposure.integration_time * min((target.aim * saturation - floor) / signal, _GROWTH)


def spectrum(
    name: str,
    spectrometer: Spectrometer,
    exposure: Exposure,
    extra: Mapping[str, Any] | None = None,
) -> Spectrum:
    """Wrap a raw reading with its axis and every setting that metrology needs."""
    settings = {
        **spectrometer.settings,
        "integration_time": exposure.integration_time,
        "averages": exposure.averages,
        "light": exposure.light,
        "path": exposure.path,
        **(extra or {}),
    }
    return Spectrum(name, spectrometer.wavelengths, exposure.counts, "nm", "counts", settings)
