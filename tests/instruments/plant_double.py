"""A plant with a known answer: one well-mixed line volume and one Gaussian emission line."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

HC = 1239.841984
LINE_VOLUME = 150.0  # µL


class PlantDouble:
    """Emits a Gaussian line whose energy follows the washed-out mixture of two feeds.

    `share` of the content (0 to 1) moves the line from 2.40 to 2.50 eV; `solvent` dilutes.
    """

    def __init__(self, photon_rate=2e6, plqy=0.6, width=0.09, absorbance_at_full=0.3):
        self.photon_rate, self.plqy, self.width = photon_rate, plqy, width
        self.full = absorbance_at_full
        self.flows: dict[str, float] = {}
        self.carrier = ("none", 0.0)
        self.setpoint = self.now_temperature = 25.0
        self.content = {"toluene": 1.0}
        self.clock = 0.0
        self.blocked = 1.0
        self.calls: list[tuple] = []

    def set_flow(self, inlet, flow):
        self.calls.append(("flow", inlet, flow))
        self.flows[inlet] = flow

    def set_carrier(self, carrier, flow):
        self.calls.append(("carrier", carrier, flow))
        self.carrier = (carrier, flow)

    def set_temperature(self, setpoint):
        self.calls.append(("temperature", setpoint))
        self.setpoint = setpoint

    def set_probe(self, position):
        self.calls.append(("probe", position))

    def advance(self, seconds):
        self.clock += seconds
        total = sum(self.flows.values()) * self.blocked
        keep = np.exp(-seconds * total / LINE_VOLUME)
        names = set(self.content) | set(self.flows)
        feed = {n: self.flows.get(n, 0.0) * self.blocked / total if total else 0.0 for n in names}
        if total:
            self.content = {
                n: keep * self.content.get(n, 0.0) + (1 - keep) * feed[n] for n in names
            }
        decay = np.exp(-seconds / 60.0)
        self.now_temperature = self.setpoint + (self.now_temperature - self.setpoint) * decay

    def flow(self, inlet):
        return self.flows.get(inlet, 0.0) * self.blocked

    def temperature(self):
        return self.now_temperature

    def velocity(self):
        area = np.pi / 4 * 0.4**2
        return (sum(self.flows.values()) + self.carrier[1]) * self.blocked / area

    def energy(self):
        a, b = self.content.get("a", 0.0), self.content.get("b", 0.0)
        return 2.40 + 0.10 * b / (a + b) if a + b > 0 else 2.40

    def strength(self):
        return self.content.get("a", 0.0) + self.content.get("b", 0.0)

    def absorbance(self, wavelengths):
        energy = HC / wavelengths
        edge = self.energy() + 0.05
        bell = 0.5 * np.exp(-0.5 * ((energy - edge) / 0.055) ** 2)
        step = 0.5 * (1 + erf((energy - edge) / (np.sqrt(2) * 0.055)))
        root = np.sqrt(np.clip(energy - edge, 0, None))
        shape = bell + step * (0.35 + root)
        top = HC / 365.0 - edge
        return self.full * self.strength() * shape / (0.35 + np.sqrt(top))

    def emission(self, wavelengths, excitation=365.0):
        sigma = self.width / 2.3548200450309493
        bell = np.exp(-0.5 * ((HC / wavelengths - self.energy()) / sigma) ** 2)
        per_nm = bell / (sigma * np.sqrt(2 * np.pi)) * HC / wavelengths**2
        a_ex = self.absorbance(np.array([excitation]))[0]
        total = a_ex + self.absorbance(wavelengths) + 1e-15
        return self.photon_rate * self.plqy * per_nm * a_ex / total * (1 - 10.0**-total)
