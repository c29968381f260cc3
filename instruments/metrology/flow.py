"""Flow measurements to observables: a pure function of the stored spectra and their settings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from instruments.metrology import flow_frames, line_values, lineshape, quality
from instruments.metrology.absorption import first_exciton
from instruments.metrology.lineshape import HC, Array, FitError, Line
from instruments.metrology.quantum_yield import (
    dye_rate,
    excitation_absorbance,
    quantum_yield,
    transmission,
)
from instruments.station import Analysis, Measurement, ObservableValue, Spectrum

LINE_METHOD = "split_gaussian_energy@1"
YIELD_METHOD = "relative_absorptance@1"
EXCITON_METHOD = "exciton_edge@1"

# Calibration floors, added in quadrature (assumed, because a mercury-argon lamp calibrates a
# grating spectrometer to about 0.1 nm and a reference dye's yield is known to 3 %).
WAVELENGTH_FLOOR = 0.10  # nm
WIDTH_FLOOR = 0.15  # nm
YIELD_FLOOR = 0.03  # relative
INTENSITY_FLOOR = 0.01  # relative
EXCITON_FLOOR = 1.0  # nm; an ensemble's edge differs from one dot's by about as much
# Errors of peak and width per share of the light that the line model leaves unexplained, in
# widths (assumed, from mixtures of lines of different composition).
PEAK_MISFIT, WIDTH_MISFIT = 3.0, 4.0
LINE_GAP = 20.0  # nm above the excitation from which a line is looked for
DYE_GAP = 10.0  # nm above the excitation from which the dye's band is summed
WIDE = 2.0  # factor on standard errors of a measurement accepted with a larger error


def analyse(measurement: Measurement) -> Analysis:
    """Derive the observables and the verdict of a flow measurement.

    Raises:
        KeyError: a spectrum of the flow procedure is missing.
    """
    spectra = {s.name: s for s in measurement.spectra}
    pl, dark = spectra["pl"], spectra["dark"]
    lowest = float(pl.settings["excitation"]) + LINE_GAP
    findings = quality.instrument_findings(spectra)
    findings += quality.stream_findings(measurement.conditions)
    findings += quality.signal_findings(pl, dark, lowest)
    if any(f.kind in ("repeat", "stop") or f.failure for f in findings):
        return Analysis({}, quality.verdict(findings))
    try:
        counts, line = emission_line(pl, dark, spectra["absorbance"], lowest)
    except FitError as error:
        findings.append(quality.Finding("repeat", f"no line could be fitted: {error}"))
        return Analysis({}, quality.verdict(findings))
    model = lineshape.shape(pl.axis, line.parameters, line.reference, line.transmission)[0]
    findings += quality.second_peak_findings(pl, counts, model, line, _dark_noise(dark))
    findings += quality.misfit_findings(line)
    observables = {**line_observables(line, pl), **_intensity(line, pl)}
    try:
        observables |= _plqy(spectra, line, findings)
    except FitError as error:
        findings.append(quality.Finding("accept_wide", f"no quantum yield: {error}"))
    observables |= _exciton_observable(spectra["absorbance"], line)
    observables |= flow_frames.lifetime(spectra) | flow_frames.line_ranges(spectra, lowest)
    outcome = quality.verdict(findings)
    wide = WIDE if outcome.kind == "accept_wide" else 1.0
    series = flow_frames.tube_series(spectra, lowest)
    return Analysis({n: _widened(o, wide) for n, o in observables.items()}, outcome, series)


def emission_line(
    pl: Spectrum, dark: Spectrum, absorbance: Spectrum, lowest: float
) -> tuple[Array, Line]:
    """Subtract the dark level and fit the line; return the counts, shape (n,), and the line.

    The dark spectrum is smoothed: its structure is broad, and its noise would double the line's.

    Raises:
        FitError: there is no line to fit.
    """
    level = lineshape.smooth(pl.axis, dark.values.astype(np.float64), lineshape.DARK_SPAN)
    counts = pl.values.astype(np.float64) - level
    excitation = float(pl.settings["excitation"])
    guess, _ = lineshape.first_guess(pl.axis, counts, lowest)
    line = lineshape.fit_line(
        pl.axis,
        counts,
        read_noise=float(pl.settings["read_noise"]),
        lowest=lowest,
        extra=float(pl.settings["dark_rate"]) * float(pl.settings["integration_time"]),
        transmission=transmission(absorbance, excitation, _red(float(guess[1]))),
    )
    return counts, line


def _red(energy: float) -> float:
    """Wavelength [nm] 0.3 eV below the emission at `energy` [eV], where dots are clear."""
    return HC / (energy - 0.3)


def _dark_noise(dark: Spectrum) -> float:
    return float(np.std(np.diff(dark.values.astype(np.float64))) / np.sqrt(2.0))


def _plqy(
    spectra: Mapping[str, Spectrum], line: Line, findings: list[quality.Finding]
) -> dict[str, ObservableValue]:
    """The yield, with what the inner filter makes of it added to `findings`.

    A third of what reabsorption took counts as uncertain.

    Raises:
        FitError: the dots absorb too little.
    """
    pl, absorbance = spectra["pl"], spectra["absorbance"]
    excitation = float(pl.settings["excitation"])
    optical = excitation_absorbance(absorbance, excitation, _red(line.energy))
    seconds = float(pl.settings["integration_time"])
    counts, counts_se = line_values.total_counts(line)
    dye, dark = spectra["reference_dye"], spectra["reference_dark"]
    reference = dye_rate(dye, dark, excitation + DYE_GAP)
    rate = (counts / seconds, counts_se / seconds)
    value, se = quantum_yield(rate, reference, optical, pl.settings)
    left = line_values.seen_share(line, pl.axis)
    findings += quality.filter_findings(optical[0], left)
    floor = abs(value) * float(np.hypot(YIELD_FLOOR, (1.0 / left - 1.0) / 3.0))
    return {"plqy": _value(value, se, floor, "", YIELD_METHOD)}


def _intensity(line: Line, pl: Spectrum) -> dict[str, ObservableValue]:
    """Detected rate: what is left of the line after reabsorption."""
    seconds = float(pl.settings["integration_time"])
    share = line_values.seen_share(line, pl.axis) / seconds
    counts, se = line_values.total_counts(line)
    rate = counts * share
    return {"intensity": _value(rate, se * share, INTENSITY_FLOOR * rate, "counts/s", LINE_METHOD)}


def line_observables(line: Line, pl: Spectrum) -> dict[str, ObservableValue]:
    """Position and widths of a fitted emission line."""
    broadening = float(pl.settings["point_spread"])
    peak, peak_se = line_values.peak_wavelength(line)
    width, width_se = line_values.width_in_wavelength(line, broadening)
    energy, energy_se = line_values.linewidth(line, broadening)
    per_nm = 1000.0 * HC / peak**2
    peak_floor = float(np.hypot(WAVELENGTH_FLOOR, PEAK_MISFIT * line.misfit * width))
    width_floor = float(np.hypot(WIDTH_FLOOR, WIDTH_MISFIT * line.misfit * width))
    return {
        "peak_emission": _value(peak, peak_se, peak_floor, "nm", LINE_METHOD),
        "emission_fwhm": _value(width, width_se, width_floor, "nm", LINE_METHOD),
        "emission_linewidth": _value(
            1000.0 * energy, 1000.0 * energy_se, width_floor * per_nm, "meV", LINE_METHOD
        ),
    }


def _exciton_observable(absorbance: Spectrum, line: Line) -> dict[str, ObservableValue]:
    """The first exciton where the edge stands out; absent otherwise."""
    try:
        exciton = first_exciton(absorbance, line.energy)
    except FitError:
        return {}
    wavelength = HC / exciton.energy
    se = wavelength / exciton.energy * exciton.se
    return {"first_exciton": _value(wavelength, se, EXCITON_FLOOR, "nm", EXCITON_METHOD)}


def _value(value: float, se: float, floor: float, unit: str, method: str) -> ObservableValue:
    return ObservableValue(float(value), float(np.hypot(se, floor)), unit, method)


def _widened(observable: ObservableValue, factor: float) -> ObservableValue:
    return ObservableValue(
        observable.value, factor * observable.se, observable.unit, observable.method
    )
