"""Batches of CsPbBr3 nanocrystals: of a given size, or made by seed 003's hot injection.

Size at equilibrium falls with the bromide per lead that ZnBr2 sets and rises with temperature
(the thermodynamic control that seed 003 takes from Son et al., its reference 67); growth
approaches it in a time that shrinks with temperature; centrifugation then parts larger from
smaller crystals. The constants go through the recipes of seed 003's Experimental section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]
Constants = Mapping[str, float]
GAS_CONSTANT = 8.314462618
"""Molar gas constant [J/(mol K)] (CODATA 2018)."""
KELVIN = 273.15
WASHINGS = ("antisolvent", "precipitate")
_GRID = 241


@dataclass(frozen=True)
class Batch:
    """A washed batch, dispersed in hexane.

    Attributes:
        edge: Shape (n,), cube edges [nm], rising.
        share: Shape (n,), share of the material in each class, sum 1.
        formula_units: CsPbBr3 in the batch [umol].
        spent: Caesium, lead, bromide that the synthesis started with and what went to waste,
            {"caesium", "lead", "bromide"} -> (put in, thrown away) [umol]; empty for a given size.
    """

    edge: Array
    share: Array
    formula_units: float
    spent: Mapping[str, tuple[float, float]]

    @property
    def mean(self) -> float:
        """Mean edge [nm]."""
        return float(self.edge @ self.share)

    @property
    def dispersion(self) -> float:
        """Standard deviation over the mean."""
        return float(np.sqrt((self.edge - self.mean) ** 2 @ self.share)) / self.mean

    def sample(self, count: int, generator: np.random.Generator) -> Array:
        """Draw edges of single nanocrystals, shape (count,) [nm]."""
        cumulative = np.cumsum(self.share)
        place = generator.random(count) * cumulative[-1]
        half = 0.5 * (self.edge[1] - self.edge[0])
        found = self.edge[np.minimum(np.searchsorted(cumulative, place), len(self.edge) - 1)]
        return np.asarray(found + half * (2.0 * generator.random(count) - 1.0))

    def classes(self, count: int) -> tuple[Array, Array]:
        """Return `count` classes of equal width: edges [nm] and shares of the material."""
        low, high = self.edge[self.share > 1e-5][[0, -1]]
        borders = np.linspace(low, high + 1e-9, count + 1)
        index = np.clip(np.searchsorted(borders, self.edge, "right") - 1, 0, count - 1)
        share = np.bincount(index, self.share, count)
        edge = np.bincount(index, self.share * self.edge, count) / np.maximum(share, 1e-300)
        kept = share > 0.0
        return edge[kept], share[kept] / share[kept].sum()


def given(edge: float, dispersion: float, own: Constants) -> Batch:
    """Return a batch of the quoted mean edge [nm] and relative standard deviation.

    Sizes are normal, as the paper's histograms, and truncated at 2.6 standard deviations. The
    distribution is read as that of the material: the sizing curve was fitted to these ensembles'
    emission maxima against such means, so their weighting by volume is in it already.
    """
    grid = np.linspace(-2.6, 2.6, _GRID)
    weight = np.exp(-0.5 * grid**2)
    return Batch(
        edge * (1.0 + dispersion * grid), weight / weight.sum(), own["batch_formula_units"], {}
    )


def equilibrium_edge(bromide_per_lead: float, kelvin: float, own: Constants) -> float:
    """Edge [nm] at equilibrium with the growth solution."""
    inverse = 1.0 / (own["synthesis_temperature"] + KELVIN) - 1.0 / kelvin
    return float(
        own["synthesis_edge"]
        * (bromide_per_lead / own["synthesis_bromide"]) ** -own["bromide_exponent"]
        * np.exp(own["synthesis_enthalpy"] / GAS_CONSTANT * inverse)
    )


def crude_edge(zinc_bromide: float, celsius: float, seconds: float, own: Constants) -> float:
    """Mean edge [nm] before washing.

    Args:
        zinc_bromide: ZnBr2 in the lead flask [mmol].
        celsius: Injection temperature [degC].
        seconds: Time from injection to quench [s].
        own: Constants of the twin.
    """
    kelvin = celsius + KELVIN
    bromide = 2.0 + 2.0 * zinc_bromide / own["lead_bromide"]
    final = equilibrium_edge(bromide, kelvin, own)
    reference = own["synthesis_temperature"] + KELVIN
    slowing = own["growth_energy"] / GAS_CONSTANT * (1.0 / kelvin - 1.0 / reference)
    grown = -np.expm1(-seconds / (own["growth_time"] * np.exp(slowing)))
    start = min(own["nucleus_edge"], final)
    return float(start + (final - start) * grown)


def synthesised(
    zinc_bromide: float, celsius: float, seconds: float, washing: str, own: Constants
) -> Batch:
    """Return the batch of a hot injection (arguments as `crude_edge`), washed.

    `antisolvent` keeps what stays in the supernatant of a slow centrifuge run and is thrown down
    by acetone after; `precipitate` keeps what a fast run throws down by itself.

    Raises:
        ValueError: an unknown washing.
    """
    if washing not in WASHINGS:
        raise ValueError(f"washing must be one of {', '.join(WASHINGS)}, but got {washing!r}")
    mean = crude_edge(zinc_bromide, celsius, seconds, own)
    spread = own["crude_dispersion"]
    grid = np.linspace(max(-3.5, -0.9 / spread), 3.5, _GRID)
    edge = mean * (1.0 + spread * grid)
    weight = np.exp(-0.5 * grid**2)
    weight /= weight.sum()
    thrown = expit((edge - own["wash_edge"]) / own["wash_width"])
    passed = weight * (thrown if washing == "precipitate" else 1.0 - thrown)
    kept = float(passed.sum())
    caesium, lead = own["caesium_injected"], own["lead_bromide"] * 1000.0
    bromide = 2.0 * lead + 2000.0 * zinc_bromide
    made = min(own["synthesis_yield"] * caesium, lead, bromide / 3.0) * kept
    spent = {
        "caesium": (caesium, caesium - made),
        "lead": (lead, lead - made),
        "bromide": (bromide, bromide - 3.0 * made),
    }
    return Batch(edge, passed / max(kept, 1e-300), made, spent)
