"""The flow synthesis procedure: flush, set, wait for steady state, measure, idle.

It drives instruments through their capabilities only and waits on their clock only, so a real
line and a simulated one run the same code. Whatever goes wrong, it leaves a safe state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from instruments.capabilities import (
    Carrier,
    Exposure,
    FlowRig,
    LightPath,
    Thermostat,
)
from instruments.errors import InstrumentError, StationStoppedError, TrialFailedError
from instruments.procedures.exposure import (
    ExposureTarget,
    choose_exposure,
    smoothed,
    spectrum,
)
from instruments.procedures.flow_further import FurtherReadings, Wanted
from instruments.procedures.flow_watch import confirm, departure, starved, wait_for_liquid
from instruments.station import Spectrum
from instruments.steps import Steps

Progress = Callable[[str], None]
PIXELS = 17  # neighbours that a look for standstill is averaged over: fewer than a line has


@dataclass(frozen=True, slots=True)
class FlowGeometry:
    """The line as built: bore and lengths [mm], volumes [µL], optical path [mm]."""

    bore: float
    length: float
    junction: float
    dead_volume: float
    cell_volume: float
    optical_path: float

    @property
    def area(self) -> float:
        """Cross-section of the tube [mm²]; 1 mm³ is 1 µL."""
        return float(np.pi / 4.0 * self.bore**2)

    def volume_to(self, position: float) -> float:
        """Volume from the pumps' valves to the probe's cell at `position` [mm], in [µL]."""
        return self.dead_volume + self.area * position + self.cell_volume


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """Setpoints for one recipe: flows [µL/s], temperatures [degC], probe position [mm].

    Attributes:
        solvent: The stock that flushes the line; None is the settings' own.
        exchange_temperature: Of the second reactor [degC]; None without one.
        scan: Positions along the tube that are measured besides, rising evenly [mm].
        lines: Parallel lines to look at; 1 is the line alone.
        photons: Photons to count for a decay; 0 for none.
    """

    flows: Mapping[str, float]
    carrier: Carrier
    carrier_flow: float
    temperature: float
    position: float
    solvent: str | None = None
    exchange_temperature: float | None = None
    scan: tuple[float, ...] = ()
    lines: int = 1
    photons: int = 0


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """How the procedure is carried out; each value is recorded with the measurement.

    Attributes:
        solvent: The stock that flushes the line.
        flush_flow: Flow while flushing [µL/s].
        flush_volumes: Line volumes of solvent before a recipe.
        wait_volumes: Line volumes to wait before the first stationarity test (report only after
            three residence times or more, else carry-over).
        extra_volumes: Most further volumes to wait for stationarity.
        stationary: Largest relative change of the spectrum over half a volume.
        settle: Time for the pumps' compliance before flows are judged [s].
        temperature_tolerance: [K]
        temperature_timeout: [s]
        lowest_flow: A stream slower than this share of its request counts as clogged.
        lamp_averages: Scans per lamp reading.
        read_backs: Readings of each flow, temperature and velocity that are averaged.
    """

    solvent: str = "toluene"
    flush_flow: float = 15.0
    flush_volumes: float = 4.0
    wait_volumes: float = 4.0
    extra_volumes: float = 3.0
    stationary: float = 0.02
    settle: float = 20.0
    temperature_tolerance: float = 1.0
    temperature_timeout: float = 3600.0
    lowest_flow: float = 0.7
    lamp_averages: int = 16
    read_backs: int = 8
    exposure: ExposureTarget = field(default_factory=ExposureTarget)


@dataclass(frozen=True)
class FlowRecord:
    """What the procedure brought back.

    Attributes:
        spectra: `lamp_reference`, `absorbance`, `pl`, `dark`, `reference_dye`, `reference_dark`.
        flows: Mean measured flow of each stock [µL/s].
        readings: Other mean read-backs: `velocity` [mm/s], `temperature` [degC], `position`
            [mm], `carrier_flow` [µL/s].
        waits: `flushed`, `waited` [line volumes], `waited_time` [s], `stationary_change` and
            `flow_departure` [-], and how long each step took, `step_...` [s].
        warnings: Sentences for people.
    """

    spectra: tuple[Spectrum, ...]
    flows: dict[str, float]
    readings: dict[str, float]
    waits: dict[str, float]
    warnings: tuple[str, ...]


class FlowProcedure:
    """Runs flow plans on a rig.

    Args:
        rig: The instruments.
        geometry: The line as built.
        settings: How to carry the procedure out.
        progress: Told in words what is being done.
        measured: Called once the stream has been read, before anything is moved again.
    """

    def __init__(
        self,
        rig: FlowRig,
        geometry: FlowGeometry,
        settings: FlowSettings,
        progress: Progress | None = None,
        measured: Callable[[], None] | None = None,
    ) -> None:
        self.rig, self.geometry, self.settings = rig, geometry, settings
        self._say = Steps(rig.clock, progress or (lambda _: None))
        self._measured: Callable[[], None] = measured or (lambda: None)
        self._steady = 0.0  # mm/s, when the stream was found steady

    def run(self, plan: FlowPlan) -> FlowRecord:
        """Make and measure one plan.

        Raises:
            TrialFailedError: `clogged`.
            StationStoppedError: the thermostat does not arrive, or no safe state is reached.
        """
        try:
            record = self._steps(plan)
        except BaseException:
            self.rig.to_safe_state()
            raise
        self.rig.to_safe_state()
        return record

    def _steps(self, plan: FlowPlan) -> FlowRecord:
        self.rig.thermostat.set_temperature(plan.temperature)
        extras = self.rig.extras
        if extras is not None and plan.exchange_temperature is not None:
            extras.exchange_thermostat.set_temperature(plan.exchange_temperature)
        self.rig.probe.move_to(plan.position)
        flushed = self.flush(plan.position, plan.solvent)
        lamp = self.lamp_reference()
        self.reach_temperature(self.rig.thermostat)
        if extras is not None and plan.exchange_temperature is not None:
            self.reach_temperature(extras.exchange_thermostat)
        self.start(plan)
        waits, warnings = self.wait_for_steady_state(plan)
        spectra = (*self.emission(), *self.absorption(*lamp))
        flows, readings, rows = self.read_back(plan)
        waits["flow_departure"] = self.look_back(plan, flows, rows)
        self._measured()
        if extras is not None:
            wanted = Wanted(plan.scan, plan.position, plan.lines, plan.photons)
            readings_of = FurtherReadings(self.rig, extras, self._say)
            spectra += readings_of.take(wanted, spectra[0], lamp, readings["velocity"])
        self._confirm(plan)
        waits = {"flushed": flushed, **waits, **self._say.took()}
        return FlowRecord(spectra, flows, readings, waits, warnings)

    def _confirm(self, plan: FlowPlan) -> None:
        confirm(self.rig, [n for n, q in plan.flows.items() if q > 0.0])

    def flush(self, position: float, solvent: str | None = None) -> float:
        """Rinse the line with solvent; return the line volumes that passed."""
        self._say("flushing the line with solvent")
        settings = self.settings
        rinse = solvent or settings.solvent
        for name, pump in self.rig.pumps.items():
            pump.set_flow(settings.flush_flow if name == rinse else 0.0)
        self.rig.carrier.stop()
        volume = self.geometry.volume_to(position)
        self.rig.clock.wait(
            settings.settle + settings.flush_volumes * volume / settings.flush_flow
        )
        return settings.flush_volumes

    def lamp_reference(self) -> tuple[float, Exposure, Exposure]:
        """Record the lamp through the solvent-filled line: exposure time, dark, lamp."""
        device, averages = self.rig.spectrometer, self.settings.lamp_averages
        seconds, _ = choose_exposure(device, "lamp", "line", self.settings.exposure)
        dark = device.expose(seconds, "dark", averages=averages)
        return seconds, dark, device.expose(seconds, "lamp", averages=averages)

    def reach_temperature(self, thermostat: Thermostat) -> None:
        """Wait until a thermostat is ready.

        Raises:
            StationStoppedError: not within the settings' timeout.
        """
        self._say("waiting for the temperature")
        clock, settings = self.rig.clock, self.settings
        deadline = clock.now() + settings.temperature_timeout
        while not thermostat.ready(settings.temperature_tolerance):
            if clock.now() >= deadline:
                raise StationStoppedError(
                    f"the thermostat must be within {settings.temperature_tolerance} K of its "
                    f"setpoint after {settings.temperature_timeout:.0f} s, but it reads "
                    f"{thermostat.read_temperature():.1f} degC; check the heater"
                )
            clock.wait(10.0)

    def start(self, plan: FlowPlan) -> None:
        """Set the carrier and every pump, and wait for their compliance."""
        self._say("starting the recipe's flows")
        self.rig.carrier.set_carrier(plan.carrier, plan.carrier_flow)
        for name, pump in self.rig.pumps.items():
            pump.set_flow(plan.flows.get(name, 0.0))
        self.rig.clock.wait(self.settings.settle)

    def wait_for_steady_state(self, plan: FlowPlan) -> tuple[dict[str, float], tuple[str, ...]]:
        """Wait the settings' line volumes at the measured flow, then until the PL stands still."""
        self._say("waiting for steady state")
        settings, clock = self.settings, self.rig.clock
        period = self.geometry.volume_to(plan.position) / self._total_flow(plan)
        began = clock.now()
        clock.wait(settings.wait_volumes * period)
        waited = settings.wait_volumes
        seconds, _ = choose_exposure(
            self.rig.spectrometer, "excitation", "line", settings.exposure
        )
        before = self.rig.spectrometer.expose(seconds, "excitation")
        while True:
            clock.wait(0.5 * period)
            waited += 0.5
            after = self.rig.spectrometer.expose(seconds, "excitation")
            change = _relative_change(before, after)
            if change <= settings.stationary or (
                waited >= settings.wait_volumes + settings.extra_volumes
            ):
                break
            before = after
        self._steady = self._total_flow(plan) / self.geometry.area
        waits = {"waited": waited, "waited_time": clock.now() - began, "change": change}
        if change <= settings.stationary:
            return waits, ()
        return waits, (
            f"the spectrum still changed by {100 * change:.1f} % over half a line volume after "
            f"{waited:g} volumes",
        )

    def _total_flow(self, plan: FlowPlan) -> float:
        """Measured total flow [µL/s]; raises TrialFailedError where the line is clogged."""
        return self._unclogged(plan, self.rig.velocity.read_velocity() * self.geometry.area)

    def _unclogged(self, plan: FlowPlan, found: float) -> float:
        asked = sum(plan.flows.values()) + plan.carrier_flow
        if found < self.settings.lowest_flow * asked:
            self._confirm(plan)  # a pump that stands still is no clog
            raise TrialFailedError(
                "clogged",
                f"the stream must reach {100 * self.settings.lowest_flow:.0f} % of its requested "
                f"{asked:.3g} µL/s, but {found:.3g} µL/s pass the probe; clean the line",
            )
        return found

    def emission(self) -> tuple[Spectrum, ...]:
        """Take the emission of line and reference dye, each with its dark."""
        self._say("measuring emission")
        device = self.rig.spectrometer
        found: list[Spectrum] = []
        paths: tuple[tuple[str, str, LightPath], ...] = (
            ("pl", "dark", "line"),
            ("reference_dye", "reference_dark", "reference_dye"),
        )
        for name, dark_name, path in paths:
            seconds, tried = choose_exposure(device, "excitation", path, self.settings.exposure)
            dark = device.expose(seconds, "dark")
            lit = device.expose(seconds, "excitation", path)
            found.append(spectrum(name, device, lit, {"exposures": tried}))
            found.append(spectrum(dark_name, device, dark))
        return tuple(found)

    def absorption(self, seconds: float, dark: Exposure, lamp: Exposure) -> tuple[Spectrum, ...]:
        """Take the decadic absorbance against the solvent-filled line."""
        self._say("measuring absorption")
        device = self.rig.spectrometer
        line = device.expose(seconds, "lamp", averages=self.settings.lamp_averages)
        through = np.clip(line.counts - dark.counts, 0.5, None).astype(np.float64)
        reference = np.clip(lamp.counts - dark.counts, 0.5, None).astype(np.float64)
        raw = spectrum("absorbance", device, line)
        settings = {**raw.settings, "optical_path": self.geometry.optical_path}
        absorbance = np.log10(reference / through).astype(np.float32)
        return (
            Spectrum("absorbance", raw.axis, absorbance, "nm", "AU", settings),
            spectrum("lamp_reference", device, lamp),
            spectrum("lamp_dark", device, dark),
        )

    def look_back(
        self, plan: FlowPlan, flows: Mapping[str, float], rows: Sequence[Mapping[str, float]]
    ) -> float:
        """Return how far the stream departed from a steady one; see `flow_watch.departure`.

        Raises:
            TrialFailedError: `clogged` by now.
            StationStoppedError: a pump brings no liquid, and goes on so.
        """
        mean = float(np.mean([row["velocity"] for row in rows]))
        self._unclogged(plan, mean * self.geometry.area)
        lowest = self.settings.lowest_flow
        if dry := starved(plan.flows, flows, lowest):
            wait_for_liquid(self.rig, dry, plan.flows, lowest, self._say)
            return 1.0
        return departure(self._steady, rows, self.geometry.area)

    def read_back(
        self, plan: FlowPlan
    ) -> tuple[dict[str, float], dict[str, float], list[dict[str, float]]]:
        """Average several readings of everything that can be read; return the readings, too."""
        rig = self.rig
        rows: list[dict[str, float]] = []
        for _ in range(self.settings.read_backs):
            row = {name: rig.pumps[name].read_flow() for name, q in plan.flows.items() if q > 0.0}
            row["velocity"] = rig.velocity.read_velocity()
            row["temperature"] = rig.thermostat.read_temperature()
            row["carrier_flow"] = rig.carrier.read_flow()
            rows.append(row)
            rig.clock.wait(0.5)
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        others = {n: means.pop(n) for n in ("velocity", "temperature", "carrier_flow")}
        return means, {**others, "position": rig.probe.read_position()}, rows


def _relative_change(before: Exposure, after: Exposure) -> float:
    """Change between two spectra over their size, both smoothed to lift them from the noise."""
    first, second = (smoothed(e, PIXELS) for e in (before, after))
    first, second = first - np.median(first), second - np.median(second)
    size = float(np.abs(first).max())
    noise = 5.0 * float(np.std(np.diff(before.counts))) / np.sqrt(2.0 * PIXELS)
    if size <= noise:
        return 0.0
    return float(max(float(np.abs(second - first).max()) - noise, 0.0) / size)


__all__ = [
    "FlowGeometry",
    "FlowPlan",
    "FlowProcedure",
    "FlowRecord",
    "FlowSettings",
    "InstrumentError",
]
