"""What one detector's file says by itself: a lifetime, sizes, an emission line.

The same functions derive a station's observables, so a file that a twin wrote gives the twin's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from instruments.errors import DetectorFileError
from instruments.metrology import FitError, flow, flow_frames, topo_batch
from instruments.station import ObservableValue, Spectrum

LIGANDS = ("dopa", "oleate")
_NEEDED = {
    "ns": ("pulses", "pulse", "response"),
    "1/nm": ("sensitivity", "resolution"),
    "nm": ("excitation", "read_noise", "dark_rate", "point_spread", "integration_time"),
}


def derive(
    spectrum: Spectrum, dark: Spectrum | None = None, ligand: str = "dopa"
) -> Mapping[str, ObservableValue]:
    """Return what metrology makes of one spectrum.

    Args:
        spectrum: A decay over ns, small-angle patterns over 1/nm, or an emission over nm, counts.
        dark: The detector's dark spectrum, for an emission.
        ligand: Whose populations a pattern holds: with `dopa` there are agglomerates, too.

    Returns:
        `lifetime`; `mean_size` and `size_dispersion` of the last frames; or position and widths
        of the line. Empty where there are too few photons or no crystals.

    Raises:
        DetectorFileError: a kind that says nothing by itself, settings that are lacking, an
            emission without its dark spectrum or without a line.
    """
    if spectrum.axis_unit not in _NEEDED or spectrum.unit != "counts":
        raise DetectorFileError(
            "a file says something by itself that has counts over ns, 1/nm or nm, but "
            f"{spectrum.name!r} has {spectrum.unit} over {spectrum.axis_unit or 'a number'}"
        )
    lacking = [n for n in _NEEDED[spectrum.axis_unit] if n not in spectrum.settings]
    if lacking:
        raise DetectorFileError(
            f"{spectrum.name!r} must tell {', '.join(_NEEDED[spectrum.axis_unit])}, but lacks "
            f"{', '.join(lacking)}; give them as settings"
        )
    if spectrum.axis_unit == "ns":
        return flow_frames.lifetime({"decay": spectrum})
    if spectrum.axis_unit == "1/nm":
        counts = np.atleast_2d(spectrum.values.astype(np.float64))
        return topo_batch.sizes(topo_batch.fit_patterns(spectrum, counts, ligand)[0])
    return _emission(spectrum, dark)


def _emission(pl: Spectrum, dark: Spectrum | None) -> Mapping[str, ObservableValue]:
    if pl.values.ndim != 1 or dark is None or dark.values.shape != pl.values.shape:
        raise DetectorFileError(
            f"an emission must be one spectrum with a dark one on the same axis, but {pl.name!r} "
            f"has {pl.values.shape} and its dark one "
            f"{'is not given' if dark is None else dark.values.shape}; give both"
        )
    clear = Spectrum("absorbance", pl.axis, np.zeros(len(pl.axis)), "nm", "AU")
    try:
        lowest = float(pl.settings["excitation"]) + flow.LINE_GAP
        _, line = flow.emission_line(pl, dark, clear, lowest)
    except FitError as error:
        raise DetectorFileError(
            f"{pl.name!r} must hold a line, but none is fitted: {error}"
        ) from (error)
    return flow.line_observables(line, pl)
