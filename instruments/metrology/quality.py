"""The quality gate of an emission and absorption measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.metrology.lineshape import HC, LINE_SPAN, Line, pixels_of, smooth
from instruments.station import Spectrum, Verdict, VerdictKind

Array = NDArray[np.float64]

# A peak below three times the noise is no peak (the physics specification, section 5); the
# highest of some 60 independent means of pure noise reaches that by chance, so five are asked.
LOWEST_SNR = 5.0
WEAK_SNR = 25.0  # below this errors of the line shape grow past a few per cent
SECOND_PEAK = 0.06  # share of the main height, apart from the line, that is a second population
MISFIT = 0.008  # unexplained light, root mean square over the height, of a line of another shape
SHOULDER = 0.15  # share of the main height that is one without a dip in between
MODERATE_ESCAPE = 0.90  # with more reabsorbed than this, the line itself is shifted and narrowed
APART = 7.3  # nm: what second peaks are looked for through
# Of the stream's velocity from a steady one, and from what the pumps deliver: ten times the noise
# of the sensors (1 %, Kerr 2019), and half of what air in the line makes (assumed).
LARGEST_DEPARTURE = 0.15
DEEP_ABSORBANCE = 1.5  # 97 % of the excitation absorbed: the far half of the cell is dark


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the gate noticed: what it asks for, and why."""

    kind: VerdictKind
    reason: str
    failure: str = ""


_ORDER: tuple[VerdictKind, ...] = ("accept", "accept_wide", "repeat", "stop")


def verdict(findings: list[Finding]) -> Verdict:
    """Combine findings: the strictest kind, all reasons; a failure only if nothing is stricter."""
    kinds: list[VerdictKind] = [f.kind for f in findings]
    kind: VerdictKind = max(kinds, key=_ORDER.index) if kinds else "accept"
    failure = next((f.failure for f in findings if f.failure), "")
    if kind in ("repeat", "stop"):
        failure = ""
    return Verdict(kind, tuple(f.reason for f in findings), failure)


def peak_signal(axis: Array, counts: Array, noise: float) -> float:
    """Signal-to-noise of the highest mean over about 11 nm above the median.

    Args:
        axis: Shape (n,) [nm].
        counts: Shape (n,).
        noise: Standard deviation of a pixel without light [counts].
    """
    flat = smooth(axis, counts, LINE_SPAN)
    return float((flat.max() - np.median(flat)) / noise * np.sqrt(pixels_of(axis, LINE_SPAN)))


def instrument_findings(spectra: Mapping[str, Spectrum]) -> list[Finding]:
    """Look for a dead detector, excitation or lamp: a person is needed then."""
    found: list[Finding] = []
    dark = spectra["dark"].values.astype(np.float64)
    if float(np.std(dark)) == 0.0:
        found.append(
            Finding(
                "stop",
                "the detector must show read noise in the dark, but every pixel reads "
                f"{dark[0]:g} counts; check detector and cable",
            )
        )
    for name, level, device in (
        ("lamp_reference", "lamp_dark", "lamp"),
        ("reference_dye", "reference_dark", "excitation source"),
    ):
        lit = spectra[name].values.astype(np.float64)
        signal = peak_signal(spectra[name].axis, lit, _noise(spectra[level]))
        if signal < 10.0:
            found.append(
                Finding(
                    "stop",
                    f"spectrum {name!r} must stand ten times above the noise, but it reaches "
                    f"{signal:.1f}; check the {device}",
                )
            )
    return found


def stream_findings(conditions: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Look for a stream that was not steady, or not what the pumps deliver, when it was read."""
    found = float(conditions.get("flow_departure", {}).get("value", 0.0))
    if found <= LARGEST_DEPARTURE:
        return []
    return [
        Finding(
            "repeat",
            f"the stream departed by {100 * found:.0f} % from a steady one while it was measured, "
            f"at most {100 * LARGEST_DEPARTURE:.0f} % may be; look for air in the lines",
        )
    ]


def _noise(dark: Spectrum) -> float:
    return max(float(np.std(np.diff(dark.values.astype(np.float64))) / np.sqrt(2.0)), 1e-3)


def signal_findings(pl: Spectrum, dark: Spectrum, lowest: float) -> list[Finding]:
    """Look for saturation and for missing or weak signal."""
    saturation = float(pl.settings["saturation"])
    full = int(np.count_nonzero(pl.values >= saturation))
    if full:
        return [
            Finding(
                "repeat",
                f"no pixel may reach saturation at {saturation:g} counts, but {full} do; "
                "repeat with a shorter exposure",
            )
        ]
    inside = pl.axis >= lowest
    level = float(np.mean(dark.values.astype(np.float64)))
    counts = pl.values[inside].astype(np.float64) - level
    signal = peak_signal(pl.axis[inside], counts, _noise(dark))
    longest = float(pl.settings["longest_integration"])
    exhausted = float(pl.settings["integration_time"]) >= 0.99 * longest
    if signal < LOWEST_SNR and exhausted:
        reason = (
            f"no emission: the highest signal is {signal:.1f} times the noise after {longest:g} s"
        )
        return [Finding("accept", reason, "no_emission")]
    if signal < LOWEST_SNR:
        reason = f"low signal: {signal:.1f} times the noise; repeat with a longer exposure"
        return [Finding("repeat", reason)]
    if signal < WEAK_SNR:
        return [Finding("accept_wide", f"weak signal: {signal:.1f} times the noise")]
    return []


def second_peak_findings(
    pl: Spectrum, counts: Array, model: Array, line: Line, noise: float
) -> list[Finding]:
    """Look for a second population in what the line fit leaves over.

    Args:
        pl: The spectrum, for its axis.
        counts: Shape (n,), dark subtracted.
        model: Shape (n,), the fitted line with its background.
        line: The fitted line.
        noise: Standard deviation of a pixel without light [counts].
    """
    away = np.abs(HC / pl.axis - line.energy) > 0.9 * line.width
    usable = away & (pl.axis > float(pl.settings["excitation"]) + 20.0)
    left, flat = smooth(pl.axis, counts - model, APART), smooth(pl.axis, counts, APART)
    pixels = pixels_of(pl.axis, APART)
    deviation = np.sqrt((np.clip(model, 0.0, None) + noise**2) / pixels)
    height = float(line.parameters[0])
    top = int(np.argmax(np.where(usable, left, -np.inf)))
    if left[top] < 7.0 * float(deviation[top]):
        return []
    share, apart = float(left[top]) / height, _valley(flat, top, pl.axis, line)
    if share < (SECOND_PEAK if apart else SHOULDER):
        return []
    what = "second peak" if apart else "shoulder"
    reason = f"{what} at {pl.axis[top]:.0f} nm with {100 * share:.0f} % of the main height"
    return [Finding("accept_wide", reason)]


def _valley(flat: Array, top: int, axis: Array, line: Line) -> bool:
    """Tell whether the smoothed counts dip between the pixel `top` and the line's maximum."""
    centre = int(np.searchsorted(axis, HC / line.energy))
    between = flat[min(top, centre) : max(top, centre) + 1]
    base = float(np.median(flat))
    return bool(between.min() - base < 0.8 * (float(flat[top]) - base))


def misfit_findings(line: Line) -> list[Finding]:
    """Look for a line that the model does not describe, such as a spread of compositions."""
    if line.misfit <= MISFIT:
        return []
    reason = (
        f"line shape: {100 * line.misfit:.1f} % of the height is left unexplained (root mean "
        "square), so peak and width depend on the model"
    )
    return [Finding("accept_wide", reason)]


def filter_findings(absorbance: float, escape: float) -> list[Finding]:
    """Look for an inner filter beyond what a first-order correction takes out."""
    found: list[Finding] = []
    if escape < MODERATE_ESCAPE:
        found.append(
            Finding(
                "accept_wide",
                f"inner filter: {100 * (1 - escape):.0f} % of the emission is reabsorbed",
            )
        )
    if absorbance > DEEP_ABSORBANCE:
        found.append(
            Finding("accept_wide", f"inner filter: absorbance {absorbance:.2f} at the excitation")
        )
    return found
