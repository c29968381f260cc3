"""The open wires of a station: its drivers, with the emulated ends behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from instruments.drivers.transcript import PartTranscript, Transcript
from instruments.errors import DeviceTimeoutError, InstrumentError
from instruments.wiring import EMULATED, Connection, End, Wiring

Limits = Mapping[str, Mapping[str, Any]]
SILENT = 2
"""Devices in a row that do not answer, after which their wire is taken for dead."""


@dataclass(frozen=True)
class Reached:
    """What came of reaching for one device.

    Attributes:
        part: Of the station.
        name: Of the device.
        driver: Its driver.
        address: Where it is, `emulated` for an emulator.
        identity: What it says that it is; empty where it was not reached.
        problem: Why not; empty where it was.
    """

    part: str
    name: str
    driver: str
    address: str
    identity: Mapping[str, Any]
    problem: str


class Bench:
    """The devices of a wiring.

    Args:
        wiring: What to open.
        limits: What the station allows the devices of each part, by name.
        transcript: Keeps what goes over the wires.

    Attributes:
        devices: By part and name.
        reached: What came of it, device by device; filled by `open`.
    """

    def __init__(
        self, wiring: Wiring, limits: Limits, transcript: Transcript | None = None
    ) -> None:
        self._wiring, self._limits, self._transcript = wiring, limits, transcript
        self.devices: dict[str, Mapping[str, Any]] = {}
        self.reached: list[Reached] = []
        self._ends: dict[str, End] = {}

    @property
    def by_name(self) -> dict[str, Any]:
        """Every device of every part."""
        return {name: d for devices in self.devices.values() for name, d in devices.items()}

    def open(self, *, identify: bool = True) -> None:
        """Open every wire, all at once, and ask every device who it is; never raises for one.

        Args:
            identify: Whether to ask; without, a device that is silent counts as reached.
        """
        found: dict[str, list[Reached]] = {}

        def reach(part: str) -> None:
            try:
                found[part] = self._part(part, identify)
            except Exception as error:  # a lab's own driver may fail in any way
                found[part] = self._failed(part, f"its driver failed: {error!r}; look at its code")

        threads = [threading.Thread(target=reach, args=(p,)) for p in self._wiring.parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.reached = [r for part in self._wiring.parts for r in found[part]]

    def open_whole(self) -> None:
        """Open every wire, or none.

        Raises:
            InstrumentError: every device that cannot be reached, together.
        """
        self.open()
        problems = [f"{r.name}: {r.problem}" for r in self.reached if r.problem]
        if problems:
            self.close()
            raise InstrumentError(
                "every device must be reached and say what it is, but " + "; ".join(problems)
            )

    def _part(self, part: str, identify: bool) -> list[Reached]:
        said = self._wiring.parts[part]

        def reached(name: str, who: Mapping[str, Any], problem: str = "") -> Reached:
            return Reached(part, name, said.driver, said.address, who, problem)

        try:
            devices = self.devices[part] = self._connected(part)
        except InstrumentError as error:
            return self._failed(part, str(error))
        found: list[Reached] = []
        silent = 0
        for name, device in devices.items():
            if silent >= SILENT:
                problem = "not asked, since its wire is silent; check cable and power"
                found.append(reached(name, {}, problem))
                continue
            try:
                found.append(reached(name, device.identify() if identify else {}))
                silent = 0
            except InstrumentError as error:
                silent = silent + 1 if isinstance(error, DeviceTimeoutError) else 0
                found.append(reached(name, {}, str(error)))
        return found

    def _failed(self, part: str, problem: str) -> list[Reached]:
        """Every device of a part, not reached."""
        said = self._wiring.parts[part]
        return [
            Reached(part, name, said.driver, said.address, {}, problem)
            for name in self._wiring.needed[part]
        ]

    def _connected(self, part: str) -> Mapping[str, Any]:
        wiring = self._wiring
        said, kind, names = wiring.parts[part], wiring.kinds[part], wiring.needed[part]
        address, settings = said.address, wiring.settings[part]
        if address == EMULATED and kind.emulate is not None:
            self._ends[part] = kind.emulate(said, settings, names)
            address = self._ends[part].address
        limits = self._limits.get(part, {})
        kept = PartTranscript(part, self._transcript) if self._transcript is not None else None
        return kind.connect(Connection(part, names, said, settings, address, limits, kept))

    def attach(self, simulated: Mapping[str, Any], now: Callable[[], float]) -> None:
        """Put these simulated instruments, by part, behind the emulated ends."""
        for part, end in self._ends.items():
            end.attach(simulated[part], now)

    def end(self, part: str) -> End | None:
        """Return the emulated far end of a part's wire; None where it has none."""
        return self._ends.get(part)

    def close(self) -> None:
        """Let go of every device and take the emulated ends away. May be called twice."""
        for devices in self.devices.values():
            for device in devices.values():
                device.close()
        for end in self._ends.values():
            end.close()
        self.devices, self._ends = {}, {}
