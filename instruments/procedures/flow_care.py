"""What a person or a station does with a flow line between recipes: prime, wash, and look at it.

Like the synthesis procedure it drives instruments through their capabilities only, and leaves a
safe state whatever goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from instruments.capabilities import Exposure, FlowRig
from instruments.procedures.exposure import bright, choose_exposure, spectrum
from instruments.procedures.flow import FlowGeometry, FlowSettings
from instruments.station import Spectrum

Progress = Callable[[str], None]
PRIMING = 1.5
"""Volumes of the feed that prime a stock (assumed, because the first one still holds the last)."""
DARK_TIMES = 3
"""Integration times of a dark check: one more than a straight line needs."""


@dataclass(frozen=True)
class CareRecord:
    """What a procedure brought back.

    Attributes:
        values: Numbers as {"name": (value, unit)}.
        spectra: Raw spectra.
        warnings: Sentences for people.
    """

    values: dict[str, tuple[float, str]]
    spectra: tuple[Spectrum, ...] = ()
    warnings: tuple[str, ...] = ()


class FlowCare:
    """Procedures on a rig.

    Args:
        rig: The instruments.
        geometry: The line as built.
        settings: Of the synthesis procedure; the solvent and flow of its flush are taken.
        progress: Told in words what is being done.
    """

    def __init__(
        self,
        rig: FlowRig,
        geometry: FlowGeometry,
        settings: FlowSettings,
        progress: Progress | None = None,
    ) -> None:
        self._rig, self._geometry, self._settings = rig, geometry, settings
        self._say: Progress = progress or (lambda _: None)

    def run(self, name: str, stocks: Sequence[str] = ()) -> CareRecord:
        """Carry one of `PROCEDURES` out.

        Args:
            name: Of the procedure.
            stocks: What to prime.
        """
        try:
            return self._primed(stocks) if name == "prime" else PROCEDURES[name](self)
        finally:
            self._rig.to_safe_state()

    def _primed(self, stocks: Sequence[str]) -> CareRecord:
        """Push each stock up to the line, one after the other, then wash."""
        flow = self._settings.flush_flow
        seconds = self._settings.settle + PRIMING * self._geometry.dead_volume / flow
        drawn: dict[str, tuple[float, str]] = {}
        for stock in stocks:
            self._say(f"priming {stock}")
            self._only(stock)
            self._rig.clock.wait(seconds)
            drawn[f"volume_{stock}"] = (flow * seconds, "µL")
        washed = self.wash()
        return CareRecord({**drawn, **washed.values})

    def _only(self, stock: str) -> None:
        self._rig.carrier.stop()
        for name, pump in self._rig.pumps.items():
            pump.set_flow(self._settings.flush_flow if name == stock else 0.0)

    def wash(self) -> CareRecord:
        """Rinse the whole line with solvent."""
        settings = self._settings
        self._say(f"washing with {settings.solvent}")
        self._only(settings.solvent)
        volume = settings.flush_volumes * self._geometry.volume_to(self._geometry.length)
        seconds = settings.settle + volume / settings.flush_flow
        self._rig.clock.wait(seconds)
        return CareRecord({f"volume_{settings.solvent}": (settings.flush_flow * seconds, "µL")})

    def dark(self) -> CareRecord:
        """Read the detector without light, at several exposures: offset and dark rate."""
        self._say("reading the dark")
        device = self._rig.spectrometer
        shortest, longest = device.integration_limits
        times = np.geomspace(max(shortest, 0.01), min(longest, 1.0), DARK_TIMES)
        taken = [device.expose(float(t), "dark") for t in times]
        means = [float(e.counts.mean()) for e in taken]
        rate, offset = np.polyfit(times, means, 1)
        spectra = tuple(spectrum(f"dark_{i + 1}", device, e) for i, e in enumerate(taken))
        values = {"offset": (float(offset), "counts"), "dark_rate": (float(rate), "counts/s")}
        return CareRecord(values, spectra)

    def blank(self) -> CareRecord:
        """Wash, then look through the solvent: the lamp, and what still emits."""
        washed = self.wash()
        self._say("looking at the solvent")
        device, target = self._rig.spectrometer, self._settings.exposure
        seconds, _ = choose_exposure(device, "lamp", "line", target)
        dark, lamp = device.expose(seconds, "dark"), device.expose(seconds, "lamp")
        lit = device.expose(seconds, "excitation")
        values = {
            **washed.values,
            "lamp": (_rate(lamp, dark), "counts/s"),
            "background": (_rate(lit, dark), "counts/s"),
        }
        named = {"lamp_reference": lamp, "background": lit, "dark": dark}
        return CareRecord(values, tuple(spectrum(n, device, e) for n, e in named.items()))

    def reference(self) -> CareRecord:
        """Look at the reference dye: what the excitation still is."""
        self._say("looking at the reference dye")
        device = self._rig.spectrometer
        seconds, _ = choose_exposure(
            device, "excitation", "reference_dye", self._settings.exposure
        )
        dark = device.expose(seconds, "dark")
        lit = device.expose(seconds, "excitation", "reference_dye")
        values = {"reference_dye": (_rate(lit, dark), "counts/s")}
        named = {"reference_dye": lit, "reference_dark": dark}
        return CareRecord(values, tuple(spectrum(n, device, e) for n, e in named.items()))


def _rate(lit: Exposure, dark: Exposure) -> float:
    """Highest signal above the dark over the exposure [counts/s]."""
    return bright(lit, float(np.median(dark.counts))) / lit.integration_time


PROCEDURES: dict[str, Callable[[FlowCare], CareRecord]] = {
    "wash": FlowCare.wash,
    "dark": FlowCare.dark,
    "blank": FlowCare.blank,
    "reference": FlowCare.reference,
}
NAMES = ("prime", *PROCEDURES)
