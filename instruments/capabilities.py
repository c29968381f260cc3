"""What a procedure may ask of an instrument: small protocols, one capability each.

Real drivers and simulated instruments satisfy the same protocols structurally. Every write is
followed by a read-back where the device has one; nothing here clamps a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from instruments.station import Spectrum
from instruments.stopping import make_all_safe

Carrier = Literal["none", "gas", "fluorinated_oil"]
Light = Literal["dark", "excitation", "lamp"]
LightPath = Literal["line", "reference_dye"]


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """The range in which a pump delivers true flow [µL/s]; zero (stopped) is always possible."""

    minimum: float
    maximum: float

    def allow(self, flow: float) -> bool:
        """Tell whether the pump can hold `flow` [µL/s]."""
        return flow == 0.0 or self.minimum <= flow <= self.maximum


@dataclass(frozen=True, slots=True)
class Exposure:
    """One raw detector reading.

    Attributes:
        counts: Shape (n,), float32 raw counts, dark not subtracted; the mean of `averages` scans.
        integration_time: Exposure time of one scan [s].
        averages: Number of scans.
        light: What lit the detector: `dark`, `excitation`, `lamp`.
        path: What stood in the light: the flow `line` or the `reference_dye` cell.
    """

    counts: NDArray[np.float32]
    integration_time: float
    averages: int
    light: Light
    path: LightPath


@runtime_checkable
class Clock(Protocol):
    """Time as the procedure sees it; the only way to wait."""

    def now(self) -> float:
        """Seconds since the clock's start."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when `seconds` (not negative) have passed on this clock."""
        ...


@runtime_checkable
class Identifiable(Protocol):
    """Says what it is."""

    def identify(self) -> Mapping[str, Any]:
        """Return {"instrument", "model", "serial", "simulated"}."""
        ...


@runtime_checkable
class SafeState(Protocol):
    """Can be left alone."""

    def to_safe_state(self) -> None:
        """Bring the device to where a person may walk away; may be called twice."""
        ...


@runtime_checkable
class Confirming(Protocol):
    """Can be asked whether it still does what it was told."""

    def confirm(self) -> None:
        """Return if so; raises DeviceStoppedError or another DeviceError otherwise."""
        ...


@runtime_checkable
class Pump(Identifiable, SafeState, Protocol):
    """Delivers one liquid."""

    @property
    def limits(self) -> FlowLimits:
        """Flows that the pump can hold."""
        ...

    def set_flow(self, flow: float) -> None:
        """Set the flow [µL/s]; raises InstrumentError outside `limits`."""
        ...

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        ...

    def infused(self) -> float:
        """Volume infused [µL] since a moment that stays the same while the pump has power."""
        ...

    def stop(self) -> None:
        """Set the flow to zero."""
        ...


@runtime_checkable
class CarrierPump(Identifiable, SafeState, Protocol):
    """Delivers the phase that segments the liquid, if any."""

    def set_carrier(self, carrier: Carrier, flow: float) -> None:
        """Choose the carrier and its flow [µL/s] (zero for `none`)."""
        ...

    def read_flow(self) -> float:
        """Measured flow [µL/s]."""
        ...

    def stop(self) -> None:
        """Set the flow to zero."""
        ...


@runtime_checkable
class VelocitySensor(Identifiable, Protocol):
    """Measures how fast the stream passes (optical phase sensor of Kerr 2019)."""

    def read_velocity(self) -> float:
        """Velocity [mm/s]."""
        ...


@runtime_checkable
class Thermostat(Identifiable, SafeState, Protocol):
    """Holds a temperature."""

    def set_temperature(self, setpoint: float) -> None:
        """Set the temperature [degC]."""
        ...

    def read_temperature(self) -> float:
        """Measured temperature [degC]."""
        ...

    def ready(self, tolerance: float = 1.0) -> bool:
        """Tell whether the reading is within `tolerance` [K] of the setpoint."""
        ...


@runtime_checkable
class Positioner(Identifiable, SafeState, Protocol):
    """Moves the probe along the tube."""

    def move_to(self, position: float) -> None:
        """Move to `position` [mm] from the inlet."""
        ...

    def read_position(self) -> float:
        """Encoder position [mm]."""
        ...


@runtime_checkable
class Lights(Identifiable, SafeState, Protocol):
    """Light sources with shutters, and what they shine through; shut is their safe state."""

    def set_light(self, light: Light, path: LightPath = "line") -> None:
        """Let one source shine, or none (`dark`), through the line or the reference dye."""
        ...

    def read_light(self) -> tuple[Light, LightPath]:
        """What shines, and through what."""
        ...


@runtime_checkable
class Spectrometer(Identifiable, SafeState, Protocol):
    """A detector array with an excitation source, a lamp and a reference-dye cell."""

    @property
    def wavelengths(self) -> NDArray[np.float64]:
        """Pixel axis, shape (n,) [nm], increasing."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON-able constants of the detector: saturation, read noise, dark rate, optics."""
        ...

    @property
    def integration_limits(self) -> tuple[float, float]:
        """Shortest and longest exposure [s]."""
        ...

    def expose(
        self,
        integration_time: float,
        light: Light,
        path: LightPath = "line",
        averages: int = 1,
    ) -> Exposure:
        """Expose `averages` times `integration_time` [s]; that time passes on the clock."""
        ...


@runtime_checkable
class Lit(Protocol):
    """A spectrometer without light of its own."""

    def use_lights(self, lights: Lights) -> None:
        """Switch these lights in every exposure from now on."""
        ...


@runtime_checkable
class Laser(Identifiable, SafeState, Protocol):
    """Emits light of a set power; its safe state is dark."""

    def set_power(self, power: float) -> None:
        """Set the power [mW] for when it emits; raises InstrumentError outside its limits."""
        ...

    def read_power(self) -> float:
        """Measured power [mW]."""
        ...

    def switch_on(self) -> None:
        """Begin to emit; refused while there is a fault."""
        ...

    def switch_off(self) -> None:
        """End emission."""
        ...

    def emitting(self) -> bool:
        """Whether it emits."""
        ...

    def fault(self) -> int:
        """The fault word; zero when interlock and all else are in order."""
        ...


class PhotonCounter(Identifiable, Protocol):
    """Counts single photons by their delay after a pulse."""

    def acquire(self, name: str, counts: int) -> Spectrum:
        """Count about `counts` first photons into a decay."""
        ...


class LineSelector(Identifiable, SafeState, Protocol):
    """Chooses which of the parallel lines the probe looks at."""

    def select(self, channel: int | None) -> None:
        """Look at one of the lines, from 0; None is the line alone."""
        ...


@dataclass(frozen=True)
class FlowExtras:
    """What a long line has besides.

    Attributes:
        exchange_thermostat: Heater of the second reactor, behind the exchange junction.
        counter: Photon counter at the probe.
        selector: Switch between parallel lines.
    """

    exchange_thermostat: Thermostat
    counter: PhotonCounter
    selector: LineSelector


@dataclass(frozen=True)
class FlowRig:
    """The instruments of one flow line, as a procedure is given them.

    Attributes:
        pumps: One pump per stock solution, by the stock's name.
        carrier: The pump of the segmenting phase.
        velocity: The velocity sensor at the probe.
        thermostat: The reactor's heater.
        probe: Moves the optical cell along the tube.
        spectrometer: Detector, excitation, lamp and reference dye.
        clock: What the procedure waits on.
        extras: What a long line has besides; None where it has not.
        lights: The sources that the spectrometer switches; None where it has its own.
    """

    pumps: Mapping[str, Pump]
    carrier: CarrierPump
    velocity: VelocitySensor
    thermostat: Thermostat
    probe: Positioner
    spectrometer: Spectrometer
    clock: Clock
    extras: FlowExtras | None = None
    lights: Lights | None = None

    def instruments(self) -> dict[str, Identifiable]:
        """Every instrument by name, in a fixed order."""
        named: dict[str, Identifiable] = {f"pump_{name}": p for name, p in self.pumps.items()}
        named |= {"carrier_pump": self.carrier, "velocity_sensor": self.velocity}
        named |= {"thermostat": self.thermostat, "probe": self.probe}
        named |= {"spectrometer": self.spectrometer}
        if self.lights is not None:
            named |= {"lights": self.lights}
        if self.extras is not None:
            named |= {
                "exchange_thermostat": self.extras.exchange_thermostat,
                "photon_counter": self.extras.counter,
                "selector": self.extras.selector,
            }
        return named

    def to_safe_state(self) -> None:
        """Bring every instrument to its safe state, all of them even when one refuses."""
        safe = {n: i for n, i in self.instruments().items() if isinstance(i, SafeState)}
        make_all_safe(safe)
