"""The best trial's other raw data: decays, diffraction, counted crystals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.ledger import StoredSpectrum
from orchestrator.report._figure import BLUE, GREEN, PALE, Illustration, Layout, panels
from orchestrator.report._frames import is_emission
from orchestrator.report._record import Record
from orchestrator.report._spectra import chosen_trials
from orchestrator.report._words import label, title, unit_text

SHOWN = 6
_ABSCISSA = {"ns": "time", "nm": "wavelength", "deg": "diffraction angle", "eV": "energy"}
_NOT_OF_THE_SAMPLE = {"dark", "reference"}
_WIDEST_BAR = 30  # bins of a counted list


def samples(record: Record) -> Illustration | None:
    """Return the figure of the best trial's spectra that no other figure has."""
    for trial in chosen_trials(record)[:1]:
        found = [s for s in record.spectra(trial) if _is_sample(s)][:SHOWN]
        return _illustration(record, trial, found) if found else None
    return None


def _illustration(record: Record, trial: int, found: Sequence[StoredSpectrum]) -> Illustration:
    names = ", ".join(label(s.name) for s in found)
    best = ", the best" if trial == record.best else ""
    return Illustration(
        "samples", lambda at: _draw(found, at), f"{title(names)} of trial {trial}.",
        f"What else was measured in trial {trial}{best}.",
    )  # fmt: skip


def _is_sample(spectrum: StoredSpectrum) -> bool:
    known = is_emission(spectrum.name) or spectrum.name.startswith("absorbance")
    known = known or bool(_NOT_OF_THE_SAMPLE.intersection(spectrum.name.split("_")))
    return spectrum.values.ndim == 1 and len(spectrum.axis) > 2 and not known


def _draw(found: Sequence[StoredSpectrum], layout: Layout) -> Figure:
    figure, grid = panels(layout, len(found), 2.3, min(3, max(2, len(found))))
    for axes, spectrum in zip(grid, found, strict=True):
        axes.set_title(title(spectrum.name))
        if is_list(spectrum):
            _histogram(axes, spectrum)
        elif spectrum.unit == "particles":
            _counted(axes, spectrum)
        else:
            _line(axes, spectrum)
    return figure


def is_list(spectrum: StoredSpectrum) -> bool:
    """Whether the values are one number for each of many things, in no order."""
    return spectrum.axis_unit == ""


def _histogram(axes: Axes, spectrum: StoredSpectrum) -> None:
    values = spectrum.values[np.isfinite(spectrum.values)].astype(np.float64)
    axes.hist(values, bins=min(_WIDEST_BAR, 5 + len(values) // 8), color=PALE, edgecolor=GREEN)
    axes.set_xlabel(f"value [{unit_text(spectrum.unit)}]" if spectrum.unit else "value")
    axes.set_ylabel(f"how many of {len(values)}")


def _counted(axes: Axes, spectrum: StoredSpectrum) -> None:
    width = float(np.median(np.diff(spectrum.axis)))
    axes.bar(spectrum.axis, spectrum.values, width, color=PALE, edgecolor=GREEN)
    seen = spectrum.axis[spectrum.values > 0]
    if len(seen):
        axes.set_xlim(float(seen[0]) - 4 * width, float(seen[-1]) + 4 * width)
    axes.set_xlabel(f"size [{unit_text(spectrum.axis_unit)}]")
    axes.set_ylabel("particles")


def _line(axes: Axes, spectrum: StoredSpectrum) -> None:
    axes.plot(spectrum.axis, spectrum.values, color=BLUE, linewidth=0.8)
    if spectrum.axis_unit == "ns" and float(spectrum.values.max()) > 0.0:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
    name = _ABSCISSA.get(spectrum.axis_unit, "axis")
    axes.set_xlabel(f"{name} [{unit_text(spectrum.axis_unit)}]")
    axes.set_ylabel(unit_text(spectrum.unit))


__all__ = ["samples"]
