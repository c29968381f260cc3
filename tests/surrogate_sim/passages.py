"""Short ways to make dots and to read their light in tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surrogate_sim import hydrodynamics, optics
from surrogate_sim.flow import Composition, Conditions, Product, mix, mixing_spread, product
from surrogate_sim.flow_formation import Model
from surrogate_sim.materials import HC
from surrogate_sim.parameters import FlowParameters, nominal
from surrogate_sim.plants.flow import FlowPlant, Line

BORE, LENGTH, JUNCTION = 0.4, 3000.0, 300.0
LINE = Line(BORE, LENGTH, JUNCTION, dead_volume=60.0, cell_volume=5.0, optical_path=0.1)


@dataclass(frozen=True)
class Light:
    """Peak energy [eV], widths [meV] and [nm], quantum yield."""

    peak: float
    width: float
    width_nm: float
    quantum_yield: float

    @property
    def wavelength(self) -> float:
        return HC / self.peak


def feed(lead=5.0, cs=0.8, br=4.0, acid=0.04, amine=0.04, length=18.0) -> Composition:
    """The reference feed, or one that differs in what is named."""
    return Composition(lead, lead * cs, lead * br, 0, 0, 0, acid, amine, length)


def made(
    of: Composition | None = None,
    *,
    velocity: float = 100.0,
    position: float = LENGTH,
    carrier: hydrodynamics.Carrier = "gas",
    temperature: float = 25.0,
    salt: Composition | None = None,
    parameters: FlowParameters | None = None,
    model: Model = "reduced",
    octadecene: bool = False,
) -> Product:
    """Make dots under steady conditions; a salt stream takes a fifth of the liquid."""
    parameters, of = parameters or nominal(), of or feed()
    pair = hydrodynamics.fluid_pair("octadecene" if octadecene else "toluene", carrier)
    share = 1.0 if salt is None else 0.8
    joined = of if salt is None else mix([(0.8, of), (0.2, salt)])
    before = position if salt is None else min(JUNCTION, position)
    kappa = parameters.flow["song_kappa"]
    mixing = hydrodynamics.mixing_time(pair, velocity, BORE, kappa=kappa)
    conditions = Conditions(
        mixing_time=mixing,
        growth_time=before / velocity,
        exchange_time=(position - before) / velocity,
        spread=hydrodynamics.residence_quantiles(pair, velocity, BORE, position),
        temperature=temperature + 273.15,
        mixing_spread=mixing_spread(mixing, pair.two_phase, parameters.flow),
        octadecene=octadecene,
        model=model,
    )
    return product(of, joined, share, conditions, parameters)


def salt(halide: str, zinc: float, acid: float = 0.15, amine: float = 0.15) -> Composition:
    """A stock that gives `zinc` [mM] in the joined liquid."""
    return Composition(zinc=5.0 * zinc, acid=acid, amine=amine, **{halide: 10.0 * zinc})


def light(of: Product, parameters: FlowParameters | None = None) -> Light:
    """Read the spectrum of a product, without the cell's inner filter."""
    constants = (parameters or nominal()).materials
    energy = np.linspace(1.5, 3.4, 3801)
    shape = optics.emission_shape(of.ensemble, energy, HC / 365.0, constants)
    wavelength = HC / energy
    per_nm = shape * energy / wavelength
    return Light(
        peak=float(energy[shape.argmax()]),
        width=1e3 * _width(energy, shape),
        width_nm=_width(wavelength[::-1], per_nm[::-1]),
        quantum_yield=float(np.trapezoid(shape, energy)),
    )


def _width(axis: np.ndarray, values: np.ndarray) -> float:
    above = axis[values > 0.5 * values.max()]
    return float(above[-1] - above[0])


STOCKS = {
    "lead": Composition(lead=20.0, bromide=80.0, acid=0.08, amine=0.16),
    "caesium": Composition(caesium=20.0, acid=0.08),
    "solvent": Composition(),
    "chloride": Composition(zinc=100.0, chloride=200.0, acid=0.15, amine=0.15),
}
STAGES = {
    "lead": "synthesis",
    "caesium": "synthesis",
    "solvent": "synthesis",
    "chloride": "exchange",
}


def plant(parameters: FlowParameters | None = None, state=None, line: Line = LINE) -> FlowPlant:
    """A line with four stocks."""
    return FlowPlant(line, STOCKS, STAGES, parameters or nominal(), state)


def run(of: FlowPlant, volumes: float = 4.0, velocity: float = 25.0, **flows: float) -> None:
    """Pump gas-segmented liquid at `velocity` [mm/s] until `volumes` of the line have passed.

    `flows` are shares of the liquid by stock.
    """
    liquid = 0.5 * velocity * LINE.area
    for name in STOCKS:
        of.set_flow(name, liquid * flows.get(name, 0.0))
    of.set_carrier("gas", liquid)
    volume = LINE.area * LENGTH + LINE.dead_volume + LINE.cell_volume
    of.advance(volumes * volume / (2.0 * liquid))


REFERENCE = {"lead": 0.25, "caesium": 0.25, "solvent": 0.5}
