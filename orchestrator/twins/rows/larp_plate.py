"""The rows of seed 002 (reprecipitation plate), judged through the station's own plates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from instruments.plate_recipe import PARAMETERS, ligand_concentration
from instruments.station import Analysis
from orchestrator.twins import larp_shap
from orchestrator.twins._larp_runs import (
    DEFAULTS,
    LONG,
    RATIOS,
    SHORT,
    at,
    characterised,
    repeated,
    sweep,
)
from orchestrator.twins.checks import Check, RowFunction, Use, above, below, difference
from surrogate_sim.parameters import TwinParameters

Array = NDArray[np.float64]
ACID_RICH = (0.1, 0.2, 0.3)
AMINE_RICH = (1.6, 1.7, 1.8, 1.9, 2.0)
STABLE = (0.1, 0.2, 0.3, 0.4, 0.5)
_FIRST = dict(zip(STABLE, (522.6, 522.3, 523.2, 520.0, 517.8), strict=True))


def _value(analysis: Analysis, name: str) -> float:
    found = analysis.observables.get(name)
    return math.nan if found is None else found.value


def _near(
    label: str, ours: float, published: float, within: float, unit: str, use: Use, kind: str
) -> Check:
    return Check(label, ours, published - within, published + within, unit, use, kind, published)


def _rank(x: Array, y: Array) -> float:
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 4:
        return math.nan
    return float(spearmanr(x[known], y[known]).statistic)


def lp01(p: TwinParameters) -> tuple[Check, ...]:
    """First peaks in toluene at 1:30, mean of 16 wells each."""
    peaks = repeated(p, STABLE, 16)
    return tuple(
        _near(f"peak at r = {r}", ours, nm, 3.0, "nm", "C", "peak_nm")
        for (r, nm), ours in zip(_FIRST.items(), peaks, strict=True)
    )


def lp02(p: TwinParameters) -> tuple[Check, ...]:
    """Widths in toluene."""
    width = sweep(p, LONG, "toluene").mean("emission_fwhm")
    rich, poor = at(width, *ACID_RICH).mean(), at(width, *AMINE_RICH).mean()
    return (
        _near("FWHM, acid-rich", float(rich), 26.0, 2.5, "nm", "C", "fwhm_nm"),
        _near("FWHM, amine-rich", float(poor), 30.0, 2.5, "nm", "C", "fwhm_nm"),
    )


def lp03(p: TwinParameters) -> tuple[Check, ...]:
    """Trends with r in toluene."""
    plate, r = sweep(p, LONG, "toluene"), np.array(RATIOS)
    peak = _rank(r, plate.mean("peak_emission"))
    light = _rank(r, plate.intensity())
    width = _rank(r, plate.mean("emission_fwhm"))
    return (
        below("Spearman of r and peak", peak, "C", most=-0.6),
        below("Spearman of r and intensity", light, "C", most=-0.6),
        above("Spearman of r and FWHM", width, "C", least=0.5),
    )


def lp04(p: TwinParameters) -> tuple[Check, ...]:
    """Twice the ligand loses more light and broadens more (mean over r, relative to r = 0.1)."""
    loss, wide = [], []
    for level in (300.0, 150.0):
        plate = sweep(p, LONG, "toluene", level)
        light, width = plate.intensity(), plate.mean("emission_fwhm")
        loss.append(float(1.0 - np.mean(light[1:]) / light[0]))
        wide.append(float(np.nanmean(width[1:]) - width[0]))
    return (
        above("loss of intensity at 1:15 less that at 1:30", loss[1] - loss[0], "C"),
        above("broadening at 1:15 less that at 1:30", wide[1] - wide[0], "C", "nm"),
    )


def lp05(p: TwinParameters) -> tuple[Check, ...]:
    """Half a day at r = 0.1 to 0.5, and where the brightest wells are."""
    plate = sweep(p, LONG, "toluene")
    drift = float(np.max(np.abs(at(plate.mean("peak_drift"), *STABLE))))
    kept = float(np.max(np.abs(at(plate.mean("intensity_retained"), *STABLE) - 1.0)))
    light = plate.intensity()
    best = np.argsort(-light)[: len(RATIOS) // 4]
    share = float(np.mean([RATIOS[i] in STABLE for i in best]))
    return (
        Check("largest peak drift", drift, 0.0, 3.0, "nm", "C", "difference"),
        Check("largest change of intensity", kept, 0.0, 0.25, "", "C", "difference"),
        Check("brightest quarter within 0.1 to 0.5", share, 0.6, 1.0, "", "C", "share"),
    )


def lp06(p: TwinParameters) -> tuple[Check, ...]:
    """Lengths of dots by microscope."""
    return (
        _near("length, r = 0.1", _length(p, 0.1), 10.0, 1.5, "nm", "C", "length_nm"),
        _near("length, r = 1", _length(p, 1.0), 7.0, 1.5, "nm", "C", "length_nm"),
    )


def lp07(p: TwinParameters) -> tuple[Check, ...]:
    """Lengths of grains by microscope."""
    return (
        _near("length, r = 1.5", _length(p, 1.5), 119.0, 40.0, "nm", "C", "grain_nm"),
        _near("length, r = 2", _length(p, 2.0), 114.0, 40.0, "nm", "C", "grain_nm"),
    )


def _length(p: TwinParameters, ratio: float) -> float:
    return _value(characterised(p, ratio), "tem_length")


def lp08(p: TwinParameters) -> tuple[Check, ...]:
    """Phases by X-rays."""
    pure = _value(characterised(p, 0.1), "cs4_share")
    found = [Check("Cs4PbBr6 share, r = 0.1", pure, 0.0, 0.05, "", "H", "share")]
    for r in (1.5, 2.0):
        share = _value(characterised(p, r), "cs4_share")
        found.append(Check(f"Cs4PbBr6 share, r = {r}", share, 0.05, 0.95, "", "H", "share"))
    return tuple(found)


def lp09(p: TwinParameters) -> tuple[Check, ...]:
    """Positions of the lines of both phases, from a well that holds both."""
    mixed, pure = characterised(p, 1.5), characterised(p, 0.1)
    cubic = zip((1, 2, 3), (15.3, 21.6, 30.8), strict=True)
    hexagonal = zip((1, 2, 3), (12.6, 25.3, 30.5), strict=True)
    return tuple(
        _near(f"{name}, line {j}", _value(well, f"{name}_line_{j}"), at_, 0.4, "deg", "Z", "angle")
        for name, well, lines in (("cubic", pure, cubic), ("hexagonal", mixed, hexagonal))
        for j, at_ in lines
    )


def lp10(p: TwinParameters) -> tuple[Check, ...]:
    """The short pair in toluene: widths, and a step where amine exceeds acid."""
    plate = sweep(p, SHORT, "toluene")
    width, peak = plate.mean("emission_fwhm"), plate.mean("peak_emission")
    before = np.nanmean(at(peak, 0.6, 0.7, 0.8, 0.9))
    after = np.nanmean(at(peak, 1.3, 1.4, 1.5, 1.6))
    rich, poor = at(width, *ACID_RICH).mean(), at(width, *AMINE_RICH).mean()
    return (
        _near("FWHM, acid-rich", float(rich), 27.5, 3.5, "nm", "C", "fwhm_nm"),
        _near("FWHM, amine-rich", float(poor), 35.0, 3.5, "nm", "C", "fwhm_nm"),
        above("fall of the peak across r = 0.9 to 1.3", float(before - after), "C", "nm", 5.0),
    )


def lp11(p: TwinParameters) -> tuple[Check, ...]:
    """The short pair: no trend of intensity, unstable, gone from chloroform in 12 h."""
    short, long = sweep(p, SHORT, "toluene"), sweep(p, LONG, "toluene")
    rho = abs(_rank(np.array(RATIOS), short.intensity()))
    drifts = [float(np.nanmean(np.abs(s.mean("peak_drift")))) for s in (short, long)]
    gone = sweep(p, SHORT, "chloroform").mean("intensity_retained")
    return (
        Check("|Spearman| of r and intensity", rho, 0.0, 0.5, "", "C", "difference"),
        above("12 h drift over the long pair's", drifts[0] / drifts[1], "C", least=2.0),
        Check(
            "largest I(12 h)/I(0) in chloroform", float(np.nanmax(gone)), 0.0, 0.1, "", "C", "kept"
        ),
    )


def lp12(p: TwinParameters) -> tuple[Check, ...]:
    """First peak in chloroform, mean over r to 1."""
    peak = sweep(p, LONG, "chloroform").mean("peak_emission")[:10]
    return (_near("peak, r <= 1", float(np.nanmean(peak)), 506.8, 4.0, "nm", "C", "peak_nm"),)


def lp14(p: TwinParameters) -> tuple[Check, ...]:
    """Chloroform against toluene, mean over all ratios."""
    means = [
        float(np.nanmean(sweep(p, LONG, s).mean("peak_emission")))
        for s in ("chloroform", "toluene")
    ]
    return (
        difference("peak, chloroform less toluene", means[0] - means[1], -27.0, -13.0, "C", "nm"),
    )


def lp17(p: TwinParameters) -> tuple[Check, ...]:
    """First width in chloroform."""
    width = sweep(p, LONG, "chloroform").mean("emission_fwhm")[:10]
    return (_near("FWHM, r <= 1", float(np.nanmean(width)), 33.0, 4.0, "nm", "C", "fwhm_nm"),)


def _explained(p: TwinParameters, target: str) -> larp_shap.Importance | None:
    table, peak, light = larp_shap.virtual_wells(p)
    try:
        return larp_shap.importance(table, peak if target == "peak" else light)
    except larp_shap.ScienceMissingError:
        return None


def lp18(p: TwinParameters) -> tuple[Check, ...]:
    """SHAP of the peak on a virtual plate; NaN without the extra `science`."""
    found = _explained(p, "peak")
    if found is None:
        return (Check("SHAP needs the extra 'science'", math.nan, 0.8, 1.0, "", "C", "rank"),)
    names = list(larp_shap.PUBLISHED_PEAK)
    rho = _rank(
        np.array([larp_shap.PUBLISHED_PEAK[n] for n in names]),
        np.array([found.size[n] for n in names]),
    )
    agree = min(s * found.sign[n] for n, s in larp_shap.PEAK_SIGNS.items())
    ratio = found.size["Chloroform"] / max(found.size["OLAm"], 1e-9)
    return (
        Check("rank correlation with the published order", rho, 0.8, 1.0, "", "C", "rank"),
        above("least agreement of a sign", agree, "C"),
        Check("chloroform over OLAm", ratio, 1.2, 3.0, "", "C", "ratio", 1.9),
    )


def lp19(p: TwinParameters) -> tuple[Check, ...]:
    """SHAP of the intensity: the three that matter most."""
    found = _explained(p, "intensity")
    if found is None:
        return (Check("SHAP needs the extra 'science'", math.nan, 3.0, 3.0, "", "C", "rank"),)
    shared = len(set(found.ranked()[:3]) & set(larp_shap.PUBLISHED_INTENSITY))
    agree = min(s * found.sign[n] for n, s in larp_shap.INTENSITY_SIGNS.items())
    return (
        Check("of the published top three", float(shared), 3.0, 3.0, "", "C", "rank"),
        above("least agreement of a sign", agree, "C"),
    )


def lp23(p: TwinParameters) -> tuple[Check, ...]:
    """No blue emission in toluene; longer lifetime where acid is in excess."""
    bluest = min(
        float(np.nanmin(sweep(p, pair, "toluene").mean("peak_emission"))) for pair in (LONG, SHORT)
    )
    times = [_value(characterised(p, r), "mean_lifetime") for r in (0.1, 2.0)]
    return (
        above("bluest peak over 500 nm", bluest - 500.0, "C", "nm"),
        above("lifetime at r = 0.1 less that at r = 2", times[0] - times[1], "H", "ns"),
    )


def lp24(_: TwinParameters) -> tuple[Check, ...]:
    """Stocks from the masses that S002 weighed, and ligands in the precursor at 1:15."""
    caesium = 1e3 * 2.0 * 0.0163 / 325.82 / 0.020
    lead = 1e3 * 0.184 / 367.01 / 0.010
    lowest, highest = (
        ligand_concentration(
            {**DEFAULTS, "ligand_solution_ratio": 1.0 / 15.0, "amine_acid_ratio": r}
        )
        for r in (0.1, 2.0)
    )
    default = next(q.default for q in PARAMETERS if q.name == "lead_concentration")
    return (
        Check("caesium from its mass", caesium, 4.85, 5.15, "mmol/L", "Z", "stock", 5.0),
        Check("lead from its mass", lead, 48.6, 51.6, "mmol/L", "Z", "stock", 50.1),
        _near(
            "the station's lead stock", float(default or 0.0), 50.1, 1.5, "mmol/L", "Z", "stock"
        ),
        Check("ligands at 1:15, r = 0.1", lowest, 0.2, 0.55, "mol/L", "Z", "ligand"),
        Check("ligands at 1:15, r = 2", highest, 0.2, 0.55, "mol/L", "Z", "ligand"),
    )


ROWS: dict[str, RowFunction] = {
    "LP-01": lp01,
    "LP-02": lp02,
    "LP-03": lp03,
    "LP-04": lp04,
    "LP-05": lp05,
    "LP-06": lp06,
    "LP-07": lp07,
    "LP-08": lp08,
    "LP-09": lp09,
    "LP-10": lp10,
    "LP-11": lp11,
    "LP-12": lp12,
    "LP-14": lp14,
    "LP-17": lp17,
    "LP-18": lp18,
    "LP-19": lp19,
    "LP-23": lp23,
    "LP-24": lp24,
}

FITTED: dict[str, str] = {
    "log_lead_amine": "LP-01 (slope with r), LP-12",
    "log_solubility_toluene": "LP-12 beside LP-01: how much less chloroform precipitates",
    "log_ligand_binding": "LP-01 and LP-06 (r = 0.1); near its prior",
    "binding_polarity": "LP-12 and LP-17; bound by its prior",
    "mixing_spread": "LP-02 (acid-rich) and LP-17",
    "dots_per_precursor": "LP-06 (r = 0.1) with LP-01",
    "arrest_rate": "LP-01 and LP-02; pulled from its prior by 1.7 standard deviations",
    "log_transformation": "LP-07: grains at r = 1.5 and 2, none in LP-06 at r = 0.1",
    "grain_edge": "LP-07",
}
_REVISED = (
    "moved to C: after first evaluations of all rows the structure was revised (lead that amines "
    "hold in the precursor does not grow; nuclei number as (t_mix G)^-m; short-chain dots fuse; "
    "traps of bare and amine-bound surfaces; coarsening by solubility); not in the least squares"
)
_WATCHED = (
    "moved to C: watched while the micelles' walls, the hold of amines and, by hand, four assumed "
    "constants were chosen (caesium carboxylate, g, time of fusing, traps by amine)"
)
NOTES: dict[str, str] = {
    "LP-02": f"amine-rich part {_REVISED}",
    "LP-03": _REVISED,
    "LP-04": _REVISED,
    "LP-05": f"{_WATCHED}; passed before and after",
    "LP-06": f"r = 1 {_REVISED}",
    "LP-08": "structure-informed: k_T was assumed after reading where phases mix",
    "LP-10": (
        f"{_REVISED}. Missed: the amine-rich width. Walls that open let lead out, so dots of the "
        "short pair stay larger and narrower there (29.5 nm) than with walls held closed (31.3)"
    ),
    "LP-11": (
        f"{_WATCHED}. Missed: the short pair still dims above r = 1, where its dots become small "
        "and their traps count, and in chloroform grains enclose dots that would be lost first"
    ),
    "LP-14": f"{_WATCHED}; passed before and after",
    "LP-18": (
        f"{_REVISED}; revised again with this row seen. Passes on this plate, but chloroform over "
        "OLAm hangs on the wells' noise: of twelve plates three pass, with a median of 1.11 (band "
        "from 1.2; the rank correlation passes on all). The short pair is too red in chloroform: "
        "6 nm less there would bring 1.4 to 2.3"
    ),
    "LP-19": f"{_REVISED}; revised again with this row seen. Passes on all of twelve plates",
    "LP-23": f"first part {_REVISED}",
}
"""Why a row is missed, structure-informed or moved."""
