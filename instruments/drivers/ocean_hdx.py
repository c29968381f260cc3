"""Ocean Insight HDX spectrometer on the network, through seabreeze in a process of its own.

The HDX averages scans on board and has no say over light: the excitation, lamp and path to the
reference dye are switched by the station's lights. Not verified on hardware.
"""

from __future__ import annotations

import importlib.util
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from instruments.capabilities import Exposure, Light, LightPath, Lights
from instruments.drivers.driver import identity
from instruments.drivers.host import DeviceHost
from instruments.drivers.link import TIMEOUT
from instruments.emulators.ocean_hdx import OceanHdx
from instruments.emulators.tcp import TcpServer, tcp_end
from instruments.errors import DeviceFaultError, InstrumentError
from instruments.wiring import Connection, DriverKind, Part

if importlib.util.find_spec("seabreeze") is None:
    raise ImportError("seabreeze")  # the host process would only say so later

DRIVER, VERSION = "ocean_hdx", "1"
PORT = 57357  # of an HDX on the network (seabreeze's multicast discovery)
STEP = 1e-6  # s, of exposures
MOST_SCANS = 5000  # assumed, because no document at hand names the HDX's own limit
PIXELS = 2068
HANGS = 10.0  # timeouts of the wire after which the library itself must hang (assumed)


class Settings(BaseModel):
    """What metrology must know of the detector and its optics; the device does not tell.

    Defaults are the flow line's: read noise [counts], dark rate [electrons per second and pixel]
    and point spread [nm FWHM] of the physics specification, section 5; quinine sulphate in 0.5 M
    sulphuric acid (Eaton 1988, Pure Appl. Chem. 60, 1107); toluene. Measure your own.

    Attributes:
        read_noise: [counts].
        dark_rate: [electrons per second and pixel].
        point_spread: [nm FWHM].
        excitation: Wavelength of the excitation [nm].
        detection: Where the light is taken from.
        dye_quantum_yield: Of the reference dye.
        dye_absorbance: Of the reference dye at the excitation.
        dye_index: Refractive index of the dye's solvent.
        solvent_index: Refractive index of the line's solvent.
    """

    model_config = ConfigDict(extra="forbid")

    read_noise: float = Field(default=50.0, ge=0.0, allow_inf_nan=False)
    dark_rate: float = Field(default=15.0, ge=0.0, allow_inf_nan=False)
    point_spread: float = Field(default=1.5, gt=0.0, allow_inf_nan=False)
    excitation: float = Field(default=365.0, gt=0.0, allow_inf_nan=False)
    detection: Literal["front_face", "right_angle"] = "front_face"
    dye_quantum_yield: float = Field(default=0.546, gt=0.0, le=1.0)
    dye_absorbance: float = Field(default=0.10, gt=0.0, allow_inf_nan=False)
    dye_index: float = Field(default=1.346, ge=1.0, allow_inf_nan=False)
    solvent_index: float = Field(default=1.497, ge=1.0, allow_inf_nan=False)


@dataclass(frozen=True)
class _Detector:
    """What the device says of itself once."""

    wavelengths: NDArray[np.float64]
    micros: tuple[int, int]
    saturation: float


class OceanHDX:
    """An HDX behind `capabilities.Spectrometer`.

    Args:
        name: Name of the instrument in the record.
        host: The process in which seabreeze drives the device.
        constants: What metrology must know.
        timeout: Longest wait for an answer, beyond exposures [s].
        emulated: Whether an emulator answers.
    """

    def __init__(
        self,
        name: str,
        host: DeviceHost,
        constants: Settings,
        *,
        timeout: float = TIMEOUT,
        emulated: bool,
    ) -> None:
        self.name, self._host, self._constants = name, host, constants
        self._timeout, self._emulated = timeout, emulated
        self._known: _Detector | None = None
        self._lights: Lights | None = None

    passive = True
    """It does no harm, so there is nothing to confirm in a stop; its lights are asked."""

    def use_lights(self, lights: Lights) -> None:
        """Switch these lights in every exposure from now on."""
        self._lights = lights

    def identify(self) -> Mapping[str, Any]:
        """Ask for model and serial number."""
        model, serial = self._ask("identify")
        return identity(
            self.name,
            model=model,
            serial=serial,
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    @property
    def wavelengths(self) -> NDArray[np.float64]:
        """Pixel axis, shape (2068,) [nm], from the coefficients in the device."""
        return self._detector().wavelengths

    @property
    def integration_limits(self) -> tuple[float, float]:
        """Shortest and longest exposure [s]."""
        shortest, longest = self._detector().micros
        return shortest * 1e-6, longest * 1e-6

    @property
    def settings(self) -> Mapping[str, Any]:
        """Constants of detector and optics, JSON-able."""
        said = self._constants.model_dump()
        first = {n: said.pop(n) for n in ("read_noise", "dark_rate", "point_spread", "excitation")}
        return {
            "saturation": self._detector().saturation,
            **first,
            "longest_integration": self.integration_limits[1],
            **said,
        }

    def expose(
        self,
        integration_time: float,
        light: Light,
        path: LightPath = "line",
        averages: int = 1,
    ) -> Exposure:
        """Let the light shine, read a mean of scans, and shut it.

        Raises:
            InstrumentError: an exposure outside the limits, or no lights to switch.
            DeviceRefusedError: the device does not take the exposure.
            DeviceFaultError: it holds another one, or sends what is no spectrum.
            DeviceTimeoutError: it does not answer.
        """
        shortest, longest = self.integration_limits
        if not shortest <= integration_time <= longest or not 1 <= averages <= MOST_SCANS:
            raise InstrumentError(
                f"an exposure of {self.name!r} must take {shortest:g} to {longest:g} s, 1 to "
                f"{MOST_SCANS} times, but got {integration_time:g} s, {averages} times"
            )
        if self._lights is None:
            raise InstrumentError(
                f"{self.name!r} has no light of its own; give the station a part `lights`"
            )
        self._switch(self._lights, light, path)
        try:
            micros = round(integration_time / STEP)
            counts = self._ask("expose", micros, averages, exposure=micros * 1e-6 * averages)
        finally:
            self._lights.set_light("dark")
        if counts.shape != (PIXELS,) or float(counts.max()) > self._detector().saturation:
            raise DeviceFaultError(
                f"a spectrum of {self.name!r} must have {PIXELS} counts of at most "
                f"{self._detector().saturation:g}, but {counts.shape} up to {counts.max():g} came"
            )
        return Exposure(counts, micros * STEP, averages, light, path)

    def confirm(self) -> None:
        """Every exposure is set, read back and taken in one go, so nothing is held between."""

    def to_safe_state(self) -> None:
        """A detector does no harm; its lights have a safe state of their own."""

    def close(self) -> None:
        """Let go of the device and end its process."""
        self._host.close()

    def _switch(self, lights: Lights, light: Light, path: LightPath) -> None:
        lights.set_light(light, path)
        held = lights.read_light()
        if held != (light, path):
            lights.set_light("dark")
            raise DeviceFaultError(
                f"the lights must hold {light!r} through {path!r}, but read back {held}; look at "
                "the shutters"
            )

    def _detector(self) -> _Detector:
        if self._known is None:
            axis = self._ask("wavelengths")
            if axis.shape != (PIXELS,) or not np.all(np.diff(axis) > 0.0):
                raise DeviceFaultError(
                    f"the axis of {self.name!r} must rise over {PIXELS} pixels, but its "
                    "coefficients give another; restore its calibration"
                )
            micros, saturation = self._ask("limits")
            self._known = _Detector(axis, micros, saturation)
        return self._known

    def _ask(self, verb: str, *arguments: Any, exposure: float = 0.0) -> Any:
        """Call a verb of the host; it may take the dropped and the kept exposure besides."""
        self._host.open()
        longest = HANGS * self._timeout + 4.0 * exposure
        return self._host.call(verb, *arguments, timeout=longest)


def _connect(connection: Connection) -> dict[str, OceanHDX]:
    where, _, port = connection.address.partition(":")
    try:
        address = str(ipaddress.IPv4Address(where)), int(port or PORT)
    except ValueError as error:
        raise InstrumentError(
            f"an HDX is at an IPv4 address, such as 192.168.254.254 or 192.168.254.254:{PORT}, "
            f"but got {connection.address!r}"
        ) from error
    timeout = connection.said.timeout or TIMEOUT
    name = connection.names[0]
    factory = "instruments.drivers.ocean_wire:Hdx"
    host = DeviceHost(name, factory, (*address, timeout), connection.transcript)
    made = OceanHDX(name, host, connection.settings, timeout=timeout, emulated=connection.emulated)
    return {name: made}


def _emulate(said: Part, _: Settings, names: tuple[str, ...]) -> TcpServer:
    return tcp_end(OceanHdx(names[0]), said.wire_faults)


KIND = DriverKind(
    parts=("spectrometer",),
    describe="Ocean Insight HDX spectrometer on the network, through seabreeze",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
