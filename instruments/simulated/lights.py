"""The light sources of a simulated line, and what stands in their way."""

from __future__ import annotations

from instruments.capabilities import Light, LightPath
from instruments.simulated.flow import SimulatedInstrument


class SimulatedLights(SimulatedInstrument):
    """Shutters of excitation and lamp, and the switch between line and reference dye."""

    model = "dotpilot simulated light sources"
    _light: Light = "dark"
    _path: LightPath = "line"

    def set_light(self, light: Light, path: LightPath = "line") -> None:
        """Open the shutter of one source, or none, and choose what it shines through."""
        self._light, self._path = light, path

    def read_light(self) -> tuple[Light, LightPath]:
        """What shines, and through what."""
        return self._light, self._path

    def to_safe_state(self) -> None:
        """Shut everything."""
        self.set_light("dark")
