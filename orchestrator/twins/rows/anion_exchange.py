"""The rows of seed 003 (anion exchange), judged through the station's own films and scans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from instruments.anion_exchange import AnionExchangeStation
from instruments.station import Analysis, AttemptKey, Value
from orchestrator.twins.checks import Check, RowFunction, Use, above, difference
from surrogate_sim import materials
from surrogate_sim.parameters import TwinParameters, Values

DISPERSION = {5.1: 11.8, 6.1: 13.1, 7.8: 15.4, 9.5: 15.8, 13.1: 15.3}
"""Relative standard deviation [percent] of each batch of seed 003, by mean edge [nm]."""
CONCENTRATIONS = (5.0, 7.5, 10.0, 12.5, 15.0, 20.0, 30.0, 50.0)
"""TMSI in the flow cell [umol/L] (seed 003)."""
_Frozen = tuple[tuple[str, float], ...]


def film_length(edge: float, concentration: float) -> float:
    """Seconds to film: some twice the time that the mean crystal takes."""
    return min(3600.0, 60.0 + (1500.0 + 110.0 * (edge - 5.1)) * 5.0 / concentration)


def filmed(parameters: TwinParameters, edge: float, concentration: float) -> Analysis:
    """Film a batch of seed 003 under TMSI [umol/L]; return the analysis."""
    return observed(
        parameters,
        {
            "edge_length": edge,
            "size_dispersion": DISPERSION[edge],
            "observation": "single_particle",
            "tmsi_concentration": concentration,
            "duration": film_length(edge, concentration),
        },
    )


def scanned(parameters: TwinParameters, edge: float, duration: float) -> Analysis:
    """Scan a batch of seed 003 after 100 uL of 0.01 mol/L TMSI; return the analysis."""
    return observed(
        parameters,
        {
            "edge_length": edge,
            "size_dispersion": DISPERSION[edge],
            "observation": "ensemble",
            "tmsi_volume": 100.0,
            "duration": duration,
        },
    )


def observed(parameters: TwinParameters, recipe: Mapping[str, Value]) -> Analysis:
    """Run one recipe on a lab with these parameters; recent runs are remembered."""
    whole = {"nanocrystal_source": "given", **recipe}
    own, shared = (tuple(sorted(t.items())) for t in (parameters.own, parameters.materials))
    return _run(own, shared, parameters.seed, tuple(sorted(whole.items())))


@lru_cache(maxsize=64)
def _run(
    own: _Frozen, shared: _Frozen, seed: int | None, recipe: tuple[tuple[str, Value], ...]
) -> Analysis:
    lab = TwinParameters("anion_exchange", Values(dict(shared)), Values(dict(own)), seed)
    station = AnionExchangeStation(parameters=lab)
    station.open()
    return station.analyse(station.run(dict(recipe), AttemptKey(1, 1)))


def value(analysis: Analysis, name: str) -> float:
    """Return an observable, NaN where the analysis gave none."""
    found = analysis.observables.get(name)
    return math.nan if found is None else found.value


def switching(parameters: TwinParameters, edge: float, concentration: float) -> float:
    """Mean switching time [s]."""
    return value(filmed(parameters, edge, concentration), "switching_time")


def incubation(parameters: TwinParameters, edge: float) -> float:
    """Incubation time at 5 umol/L [s]."""
    return value(filmed(parameters, edge, 5.0), "incubation_time")


def peaks(analysis: Analysis) -> NDArray[np.float64]:
    """Emission maximum of every scan [nm]."""
    return analysis.series[0].values


def _relative(
    label: str, ours: float, published: float, share: float, use: Use, kind: str
) -> Check:
    low, high = published * (1.0 - share), published * (1.0 + share)
    return Check(label, ours, low, high, "s", use, kind, published)


def _ax01(p: TwinParameters) -> tuple[Check, ...]:
    def peak(edge: float) -> float:
        return float(materials.wavelength(materials.emission_energy(edge, constants=p.materials)))

    return tuple(
        Check(f"{edge} nm", peak(edge), nm - 1.0, nm + 1.0, "nm", "C", "bromide_peak_nm", nm)
        for edge, nm in ((5.1, 486.0), (13.1, 516.0))
    )


def _ax02(p: TwinParameters) -> tuple[Check, ...]:
    first = float(peaks(scanned(p, 5.1, 315.0))[0])
    return (Check("5.1 nm, first scan", first, 618.0, 626.0, "nm", "C", "iodide_peak_nm", 622.0),)


def _ax03(p: TwinParameters) -> tuple[Check, ...]:
    last = value(scanned(p, 13.1, 1435.0), "peak_emission")
    return (Check("13.1 nm, last scan", last, 648.0, 677.0, "nm", "H", "iodide_peak_nm", 661.0),)


def _ax04(p: TwinParameters) -> tuple[Check, ...]:
    found = peaks(scanned(p, 5.1, 315.0))
    shift = float(found[-1] - found[0])
    return (difference("5.1 nm, last scan less first", shift, -11.0, -3.0, "C", "nm"),)


def _ax05(p: TwinParameters) -> tuple[Check, ...]:
    large = value(scanned(p, 13.1, 1435.0), "exchange_time")
    small = value(scanned(p, 5.1, 315.0), "exchange_time")
    ratio = large / small
    return (Check("t95 of 13.1 nm over 5.1 nm", ratio, 10.0, math.inf, "", "C", "time_ratio"),)


def _ax06(p: TwinParameters) -> tuple[Check, ...]:
    return tuple(
        _relative(f"{edge} nm", incubation(p, edge), s, 0.2, "C", "incubation_s")
        for edge, s in ((5.1, 393.0), (13.1, 891.0))
    )


def _ax07(p: TwinParameters) -> tuple[Check, ...]:
    published = {6.1: 380.0, 7.8: 393.0, 9.5: 773.0}
    ours = {edge: incubation(p, edge) for edge in DISPERSION}
    longest = ours[13.1] - max(v for edge, v in ours.items() if edge != 13.1)
    return (
        *(
            _relative(f"{edge} nm", ours[edge], s, 0.6, "H", "incubation_s")
            for edge, s in published.items()
        ),
        above("13.1 nm less the longest of the others", longest, "H", "s"),
    )


def _ax08(p: TwinParameters) -> tuple[Check, ...]:
    return tuple(
        _relative(f"5.1 nm, {c:g} umol/L", switching(p, 5.1, c), s, 0.15, "C", "switching_s")
        for c, s in ((5.0, 135.6), (50.0, 18.1))
    )


def _ax09(p: TwinParameters) -> tuple[Check, ...]:
    ours = switching(p, 13.1, 5.0)
    return (_relative("13.1 nm, 5 umol/L", ours, 14.1, 0.15, "C", "switching_s"),)


def _ax10(p: TwinParameters) -> tuple[Check, ...]:
    ours = switching(p, 13.1, 50.0)
    return (Check("13.1 nm, 50 umol/L", ours, 1.3, 4.5, "s", "H", "switching_s", 2.7),)


def _ax11(p: TwinParameters) -> tuple[Check, ...]:
    def exponent(edge: float) -> float:
        return -math.log10(switching(p, edge, 50.0) / switching(p, edge, 5.0))

    return (
        Check("5.1 nm", exponent(5.1), 0.77, 0.97, "", "C", "exponent", 0.87),
        Check("13.1 nm", exponent(13.1), 0.52, 0.92, "", "H", "exponent", 0.72),
    )


def _ax12(p: TwinParameters) -> tuple[Check, ...]:
    published = (
        ((5.1, 5.0), 0.28),
        ((5.1, 50.0), 0.52),
        ((13.1, 5.0), 0.57),
        ((13.1, 50.0), 0.67),
    )
    return tuple(
        Check(
            f"{edge} nm, {c:g} umol/L",
            value(filmed(p, edge, c), "switching_variation"),
            cv - 0.3,
            cv + 0.3,
            "",
            "C",
            "variation",
            cv,
        )
        for (edge, c), cv in published
    )


def _ax13(p: TwinParameters) -> tuple[Check, ...]:
    edges = sorted(DISPERSION)
    found = [
        above(
            f"{c:g} umol/L, {small} nm less {large} nm",
            switching(p, small, c) - switching(p, large, c),
            "H",
            "s",
        )
        for c in (5.0, 15.0)
        for small, large in zip(edges, edges[1:], strict=False)
    ]
    return (
        *found,
        *(
            above(
                f"{edge} nm, {low:g} less {high:g} umol/L",
                switching(p, edge, low) - switching(p, edge, high),
                "H",
                "s",
            )
            for edge in (5.1, 13.1)
            for low, high in zip(CONCENTRATIONS, CONCENTRATIONS[1:], strict=False)
        ),
    )


def _ax14(p: TwinParameters) -> tuple[Check, ...]:
    weak, strong = (
        p.replacing(cooperativity=factor * p.own["cooperativity"]) for factor in (0.3, 1.0)
    )

    def times(lab: TwinParameters) -> tuple[float, float]:
        return switching(lab, 13.1, 5.0), switching(lab, 13.1, 50.0)

    slow, fast = times(weak), times(strong)
    return (
        above("5 umol/L, weak less strong cooperativity", slow[0] - fast[0], "Z", "s"),
        above(
            "exponent, weak less strong cooperativity",
            math.log10(slow[0] / slow[1]) - math.log10(fast[0] / fast[1]),
            "Z",
        ),
    )


def _ax15(p: TwinParameters) -> tuple[Check, ...]:
    light = filmed(p, 13.1, 12.5).series[0]
    base = float(np.median(light.values[:40]))
    half = base + 0.5 * (float(light.values.max()) - base)
    t50 = float(light.time[int(np.argmax(light.values > half))])
    return (
        Check("half of the field's light, from injection", t50, 229.0, 438.0, "s", "H", "t50_s"),
    )


def _ax16(p: TwinParameters) -> tuple[Check, ...]:
    def fall(edge: float) -> float:
        light = filmed(p, edge, 50.0).series[0].values
        smooth = np.convolve(light, np.full(41, 1.0 / 41.0), mode="valid")
        return float(smooth.max() - smooth[-1])

    small, large = (value(filmed(p, e, 50.0), "particle_intensity") for e in (5.1, 13.1))
    return (
        above("5.1 nm, maximum less the end", fall(5.1), "C", "1/s"),
        above("13.1 nm, maximum less the end", fall(13.1), "C", "1/s"),
        Check("13.1 nm over 5.1 nm", large / small, 3.0, math.inf, "", "H", "brightness_ratio"),
    )


ROWS: dict[str, RowFunction] = {
    "AX-01": _ax01,
    "AX-02": _ax02,
    "AX-03": _ax03,
    "AX-04": _ax04,
    "AX-05": _ax05,
    "AX-06": _ax06,
    "AX-07": _ax07,
    "AX-08": _ax08,
    "AX-09": _ax09,
    "AX-10": _ax10,
    "AX-11": _ax11,
    "AX-12": _ax12,
    "AX-13": _ax13,
    "AX-14": _ax14,
    "AX-15": _ax15,
    "AX-16": _ax16,
}

FITTED: dict[str, str] = {
    "supply_time": "AX-02, AX-06 and AX-08 (the pace at 5.1 nm)",
    "supply_size_exponent": "AX-06 (incubation of 13.1 nm)",
    "adsorption_constant": "AX-08 (5 against 50 umol/L)",
    "cooperativity": "AX-06 and AX-08 (switching against incubation at 5.1 nm)",
    "cooperativity_length": "AX-09 (switching of 13.1 nm)",
    "core_diffusivity": "AX-05 (the 1435 s of 13.1 nm)",
    "etch_rate": "AX-02 and AX-04",
    "exchange_constant": "AX-02, which bounds it from below; its prior binds",
}
"""Calibrated parameters and the C rows that fix each."""

NOTES: dict[str, str] = {
    "AX-01": "judged by the sizing module, as the table says; materials are fitted on this row",
    "AX-05": (
        "moved to C: the slow core was added because of this row, and its diffusivity is set "
        "from the published 1435 s"
    ),
    "AX-07": "structure-informed: the specification's reference calculation had looked at it",
    "AX-10": (
        "structure-informed: the diffusivity of the specification, 2e-14 cm2/s, comes from a "
        "reference fit that held this number; it was not fitted here"
    ),
    "AX-12": (
        "moved to C: a cooperativity that grows as a power of the edge spread 13.1 nm at 5 umol/L "
        "too much (0.92), so it levels off now; its constants are fitted on other rows; "
        "structure-informed, since the specification's reference calculation had looked at it"
    ),
    "AX-14": "three tenths of the cooperativity against all of it, at 13.1 nm",
    "AX-15": (
        "missed: the paper's 891 s at 5 umol/L (AX-06) scale with Langmuir supply to some 390 s "
        "at 12.5 umol/L, dead time included, and edges that differ by 15 percent take more than "
        "100 s from the first light to half of it"
    ),
    "AX-16": (
        "the fall after the maximum is C: degradation by light and adsorbed iodide was put in "
        "because the paper names it; the ratio of brightness stays H"
    ),
}
"""Why a row is missed, structure-informed, or moved to C."""
