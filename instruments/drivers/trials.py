"""How each driver is tried by the conformance suite: what to ask of it, and what is then true.

A driver joins by one entry in `TRIALS`; a lab's own one hands its `Trial` to the suite (see
`instruments.drivers.testing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np

from instruments.bench import Bench
from instruments.capabilities import FlowLimits
from instruments.emulators.faults import DEVICE, KINDS, WIRE, Kind
from instruments.errors import InstrumentError
from instruments.station import Spectrum
from instruments.wiring import EMULATED, Wiring

QUIET = 0.2  # s that a wire is left silent after a telegram without answer
PATIENCE = 0.05  # s that an emulated device is waited for
SPARE = 2  # turns before the faults begin
SEED, RATE, TURNS = 3, 0.15, 12


@dataclass(frozen=True)
class Trial:
    """How one driver is tried.

    Attributes:
        driver: Its name.
        part: The part that it plays.
        stand_ins: Makes the simulated instruments behind the emulated end, by name.
        act: Sets the device to the value of a turn (1, 2, ...) and returns what it reads back.
        wanted: The value that a turn sets, in the capability's unit.
        truth: The value that the stand-in was moved to, in the same unit.
        forbid: Asks for what the limits forbid.
        safe: Tells whether a stand-in is in its safe state.
        limits: What the station allows a device.
        resolution: Largest relative distance of a value from what was wanted.
        settings: What the driver takes besides an address.
        telegrams: Most telegrams of one `act`, `to_safe_state` or `identify`.
        timeout: That the device is given [s].
        setup: Asked once of each device before the faults begin.
        suffers: Faults of the device that its emulator knows, besides those of the wire.
        blind: Of these, those that the device itself cannot know, and what sees them.
    """

    driver: str
    part: str
    stand_ins: Callable[[], Mapping[str, Any]]
    act: Callable[[Any, int], float]
    wanted: Callable[[int], float]
    truth: Callable[[Any], float]
    forbid: Callable[[Any], None]
    safe: Callable[[Any], bool]
    limits: Any = None
    resolution: float = 1e-6
    settings: Mapping[str, Any] = field(default_factory=dict)
    telegrams: int = 16
    timeout: float = PATIENCE
    setup: Callable[[Any], None] = lambda device: None
    suffers: tuple[Kind, ...] = ()
    blind: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Faults that the driver is tried under."""
        return (*WIRE, *(k for k in DEVICE if k in self.suffers and k not in self.blind))

    def right(self, value: float, turn: int) -> bool:
        """Whether a value is what a turn wanted, within the resolution."""
        return abs(value - self.wanted(turn)) <= self.resolution * abs(self.wanted(turn))

    def bound(self) -> float:
        """Longest time that one verb may take when every telegram fails [s]."""
        return self.telegrams * (self.timeout + QUIET)


class Tried:
    """The devices of a trial on an emulated wire, with the stand-ins behind it.

    Args:
        trial: How.
        faults: Probabilities by kind, with `seed` and `spare`, as a station file has them.

    Attributes:
        devices: Drivers by name.
        stand_ins: What they move, by the same names.
        time: The plant's time [s].

    Raises:
        InstrumentError: a device cannot be reached.
    """

    def __init__(self, trial: Trial, faults: Mapping[str, float] | None = None) -> None:
        self.time, self.stand_ins = 0.0, trial.stand_ins()
        said = {
            "driver": trial.driver,
            "settings": dict(trial.settings),
            "timeout": trial.timeout,
            "faults": dict(faults or {}),
        }
        wiring = Wiring({trial.part: said}, {trial.part: tuple(self.stand_ins)})
        limits = {trial.part: dict.fromkeys(self.stand_ins, trial.limits)}
        self._bench = Bench(wiring, limits)
        self._bench.open(identify=False)
        problems = [r.problem for r in self._bench.reached if r.problem]
        if problems:
            self.close()
            raise InstrumentError("; ".join(problems))
        self.devices = self._bench.devices[trial.part]
        self._bench.attach({trial.part: self.stand_ins}, lambda: self.time)

    def close(self) -> None:
        """Let go of the devices and their wire. May be called twice."""
        self._bench.close()


class FlowStandIn:
    """A pump that keeps the flow that it was set to."""

    def __init__(self, limits: FlowLimits) -> None:
        self.limits, self.flow = limits, 0.0

    def set_flow(self, flow: float) -> None:
        """Keep the flow [µL/s]."""
        self.flow = flow

    def read_flow(self) -> float:
        """The flow [µL/s]."""
        return self.flow

    def infused(self) -> float:
        """Nothing: its clock stands still."""
        return 0.0


def pump_trial(driver: str, *, resolution: float, lowest: float, **more: Any) -> Trial:
    """Return how a pump is tried: two liquids on one wire, flows from `lowest` up [µL/s]."""
    limits = FlowLimits(0.005, 20.0)

    def wanted(turn: int) -> float:
        return lowest + 1.2345678 * ((turn - 1) % 12)

    def act(pump: Any, turn: int) -> float:
        pump.set_flow(wanted(turn))
        return float(pump.read_flow())

    return Trial(
        driver=driver,
        part="pumps",
        stand_ins=lambda: {"lead": FlowStandIn(limits), "toluene": FlowStandIn(limits)},
        act=act,
        wanted=wanted,
        truth=lambda stand_in: float(stand_in.flow),
        forbid=lambda pump: pump.set_flow(21.0),
        safe=lambda stand_in: stand_in.flow == 0.0,
        limits=limits,
        resolution=resolution,
        **{"suffers": (*_PUMPS, "wrong_unit"), **more},
    )


class BeamStandIn:
    """A laser's light."""

    def __init__(self) -> None:
        self.power = 0.0

    def set_power(self, power: float) -> None:
        """Keep the power [mW]."""
        self.power = power

    def read_power(self) -> float:
        """The power [mW]."""
        return self.power


_PUMPS: tuple[Kind, ...] = ("stall", "empty", "power_cycle")
_HEATERS: tuple[Kind, ...] = ("power_cycle", "open_sensor")


def laser_trial(driver: str) -> Trial:
    """Return how a laser is tried."""

    def wanted(turn: int) -> float:
        return 5.0 + 2.5 * ((turn - 1) % 12)

    def act(laser: Any, turn: int) -> float:
        laser.set_power(wanted(turn))
        laser.switch_on()
        return float(laser.read_power())

    return Trial(
        driver=driver,
        part="laser",
        stand_ins=lambda: {"laser": BeamStandIn()},
        act=act,
        wanted=wanted,
        truth=lambda stand_in: float(stand_in.power),
        forbid=lambda laser: laser.set_power(1e4),
        safe=lambda stand_in: stand_in.power == 0.0,
        timeout=0.1,
        suffers=("power_cycle",),
    )


class HeaterStandIn:
    """A heater that is at its setpoint at once."""

    def __init__(self) -> None:
        self.setpoint = 25.0

    def set_temperature(self, setpoint: float) -> None:
        """Keep the setpoint [degC]."""
        self.setpoint = setpoint

    def read_temperature(self) -> float:
        """The setpoint [degC]."""
        return self.setpoint


def heater_trial(driver: str, *suffers: Kind) -> Trial:
    """Return how a thermostat is tried: setpoints that tenths of a kelvin hold.

    Args:
        driver: Its name.
        suffers: Faults of the device that its emulator knows.
    """

    def wanted(turn: int) -> float:
        return 30.0 + 5.3 * ((turn - 1) % 12)

    def act(thermostat: Any, turn: int) -> float:
        thermostat.set_temperature(wanted(turn))
        return float(thermostat.read_temperature())

    return Trial(
        driver=driver,
        part="thermostat",
        stand_ins=lambda: {"thermostat": HeaterStandIn()},
        act=act,
        wanted=wanted,
        truth=lambda stand_in: float(stand_in.setpoint),
        forbid=lambda thermostat: thermostat.set_temperature(1e4),
        safe=lambda stand_in: stand_in.setpoint == 25.0,
        timeout=0.1,
        suffers=suffers,
    )


class CounterStandIn:
    """A counter that counts as many photons as it is asked for."""

    def __init__(self) -> None:
        self.counted = 0

    def acquire(self, name: str, counts: int) -> Spectrum:
        """Count evenly, the rest into the first channel."""
        self.counted = counts
        values = np.full(64, counts // 64, dtype=np.float32)
        values[0] += counts % 64
        settings = {"pulses": 1e6, "pulse": 2.0, "response": 0.1}
        axis = np.arange(64, dtype=np.float64) + 0.5
        return Spectrum(name, axis, values, "ns", "counts", settings)


def counter_trial(driver: str, **more: Any) -> Trial:
    """Return how a photon counter is tried: decays of known numbers of photons."""

    def wanted(turn: int) -> float:
        return 1000.0 + 137.0 * turn

    def act(counter: Any, turn: int) -> float:
        return float(counter.acquire("decay", int(wanted(turn))).values.sum())

    return Trial(
        driver=driver,
        part="photon_counter",
        stand_ins=lambda: {"photon_counter": CounterStandIn()},
        act=act,
        wanted=wanted,
        truth=lambda stand_in: float(stand_in.counted),
        forbid=lambda counter: counter.acquire("decay", 0),
        safe=lambda stand_in: True,
        resolution=0.0,
        **more,
    )


TRIALS: dict[str, Trial] = {
    t.driver: t
    for t in (
        *(heater_trial(n, *_HEATERS, "wrong_unit") for n in ("eurotherm_modbus", "watlow_modbus")),
        *(heater_trial(name, *_HEATERS) for name in ("julabo", "omega_modbus")),
        laser_trial("coherent_obis"),
        counter_trial(
            "detector_files",
            timeout=0.4,
            telegrams=2,
            settings={"pattern": "*{number}.ptu"},
        ),
        pump_trial("harvard_elite11", resolution=5e-6, lowest=0.5),
        pump_trial("new_era_ne1000", resolution=5e-4, lowest=0.5),
        heater_trial("sila2_temperature"),
        pump_trial("sila2_pumps", resolution=1e-12, lowest=0.5, timeout=0.1, suffers=()),
        pump_trial(
            "tecan_cavro",
            resolution=0.02,
            lowest=4.5,
            telegrams=24,
            suffers=_PUMPS,
            blind={"empty": "the flow meter"},
        ),
    )
}
"""By the name of the driver."""
ELSEWHERE = {
    "biotek_cytation5": "reads a plate of cells, not a value",
    "ocean_hdx": "reads spectra in a process of its own",
    "opentrons_ot2": "speaks HTTP and fills a plate",
}
"""Drivers with tests of their own instead of the suite, and why; their pages tell of faults."""


def outcomes(trial: Trial, kind: Kind) -> dict[str, int]:
    """Return how often turns under a fault ended how: `right`, `wrong`, `slow` or an error's name.

    A turn is right when the device says, and its stand-in shows, what was wanted, and when it
    confirms that afterwards.
    """
    found: dict[str, int] = {}
    tried = Tried(trial, {"seed": SEED, "spare": SPARE * trial.telegrams, kind: RATE})
    try:
        (name, device), *_ = tried.devices.items()
        device.identify()
        trial.setup(device)
        for turn in range(1, TURNS * 2 + 1):
            began = monotonic()
            try:
                said = trial.act(device, turn)
                device.confirm()
                true = trial.truth(tried.stand_ins[name])
                end = "right" if trial.right(said, turn) and trial.right(true, turn) else "wrong"
            except InstrumentError as error:
                end = type(error).__name__
            end = "slow" if monotonic() - began > trial.bound() else end
            found[end] = found.get(end, 0) + 1
    finally:
        tried.close()
    return found


__all__ = ["ELSEWHERE", "EMULATED", "KINDS", "TRIALS", "Trial", "Tried", "outcomes"]
