"""From a recipe to the flow of each stock solution, and back.

A flow line has two stages. The *feed* is the synthesis stream that enters the tube; the
*salt stream* joins it at the exchange junction where a halide salt is wanted. In this module
volumes are additive (dilute solutions in one solvent; assumed, because excess volumes of
toluene with its ligands are below 1 %).

Concentrations are in [mmol/L], flows in [µL/s], ligand contents in volume fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from instruments.capabilities import FlowLimits
from instruments.station import Recipe, Violation

Stage = Literal["synthesis", "exchange"]
SPECIES = ("lead", "caesium", "bromide", "chloride", "iodide", "zinc")
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Contents:
    """What one litre of a solution holds: species [mmol/L], ligands as volume fractions [-].

    `ligand_length` is the number of carbon atoms of the ligands' chains, `branching` the share of
    the ligands that is branched.
    """

    lead: float = 0.0
    caesium: float = 0.0
    bromide: float = 0.0
    chloride: float = 0.0
    iodide: float = 0.0
    zinc: float = 0.0
    acid: float = 0.0
    amine: float = 0.0
    ligand_length: float = 18.0
    branching: float = 0.0


@dataclass(frozen=True, slots=True)
class Stock:
    """One declared stock solution with the pump that delivers it.

    `reservoir` is the volume [µL] that a trial may draw from it.
    """

    name: str
    contents: Contents
    stage: Stage
    limits: FlowLimits
    solvent: str = "toluene"
    reservoir: float = 50_000.0


@dataclass(frozen=True, slots=True)
class Formulation:
    """Flows that make a recipe.

    Attributes:
        flows: Flow of every stock of the set [µL/s], zero for those not used.
        carrier_flow: Flow of the segmenting phase [µL/s].
        violations: Broken limits; the flows are not to be used while there are any.
    """

    flows: Mapping[str, float]
    carrier_flow: float
    violations: tuple[Violation, ...] = field(default=())

    @property
    def liquid_flow(self) -> float:
        """Sum of all stock flows [µL/s]."""
        return sum(self.flows.values())


def mixed(stocks: Sequence[Stock], flows: Mapping[str, float]) -> Contents:
    """Return the contents of the stream that `flows` [µL/s] of `stocks` make together.

    The ligand length is the mean over ligand volume; 18 where there is no ligand.

    Raises:
        ValueError: nothing flows.
    """
    parts = [(flows.get(s.name, 0.0), s.contents) for s in stocks]
    total = sum(flow for flow, _ in parts)
    if total <= 0.0:
        raise ValueError(f"a stream needs a positive total flow, but got {total} µL/s")

    def mean(name: str) -> float:
        return float(sum(flow * getattr(c, name) for flow, c in parts) / total)

    ligand = sum(flow * (c.acid + c.amine) for flow, c in parts)
    weighted = sum(flow * (c.acid + c.amine) * c.ligand_length for flow, c in parts)
    branched = sum(flow * (c.acid + c.amine) * c.branching for flow, c in parts)
    return Contents(
        **{name: mean(name) for name in (*SPECIES, "acid", "amine")},
        ligand_length=weighted / ligand if ligand > 0.0 else 18.0,
        branching=branched / ligand if ligand > 0.0 else 0.0,
    )


def feed_fractions(stocks: Sequence[Stock], recipe: Recipe) -> NDArray[np.float64]:
    """Volume fraction of each synthesis stock in the feed, shape (n,), summing to one.

    Solves the mass balances of lead, caesium, bromide, acid, amine and volume; a negative
    fraction means that the stocks cannot make the recipe.

    Args:
        stocks: As many synthesis stocks as balances: six.
        recipe: `lead_concentration` [mmol/L], `cs_pb_ratio`, `br_pb_ratio`,
            `oleic_acid_fraction` [percent] and `ligand_solvent_ratio` (volume of acid and amine
            over volume of everything else).
    """
    lead = float(recipe["lead_concentration"])
    acid = float(recipe["oleic_acid_fraction"]) / 100.0
    ratio = float(recipe["ligand_solvent_ratio"])
    wanted = {
        "lead": lead,
        "caesium": lead * float(recipe["cs_pb_ratio"]),
        "bromide": lead * float(recipe["br_pb_ratio"]),
        "acid": acid,
        "amine": ratio / (1.0 + ratio) - acid,
    }
    rows = [[getattr(s.contents, name) for s in stocks] for name in wanted]
    matrix = np.array([*rows, [1.0] * len(stocks)])
    solution = np.linalg.solve(matrix, np.array([*wanted.values(), 1.0]))
    return np.where(np.abs(solution) < _ROUNDING, 0.0, solution)


def salt_fractions(stocks: Sequence[Stock], recipe: Recipe) -> NDArray[np.float64]:
    """Volume fraction of the two salt stocks in the joined liquid, shape (2,).

    `salt_concentration` [mmol/L] is of the zinc salt in the joined stream; `ligand_ratio` is
    R_L = V_acid / (V_acid + V_amine) of the salt stream (Abdel-Latif 2019).
    """
    ratio = float(recipe["ligand_ratio"])
    matrix = np.array(
        [
            [s.contents.zinc for s in stocks],
            [(1.0 - ratio) * s.contents.acid - ratio * s.contents.amine for s in stocks],
        ]
    )
    solution = np.linalg.solve(matrix, np.array([float(recipe["salt_concentration"]), 0.0]))
    return np.where(np.abs(solution) < _ROUNDING, 0.0, solution)


def formulate(
    synthesis: Sequence[Stock],
    exchange: Sequence[Stock],
    recipe: Recipe,
    *,
    area: float,
    liquid_fraction: float,
    solubility: Mapping[str, float],
) -> Formulation:
    """Return the flow of each stock, so that all flows and the carrier sum to velocity x area.

    Args:
        synthesis: The stocks of the recipe's ligand pair.
        exchange: The two stocks of the recipe's halide salt; empty without a salt.
        recipe: A complete recipe.
        area: Cross-section of the tube [mm²].
        liquid_fraction: Share of the total flow that is liquid; the rest is carrier.
        solubility: Most of each species that the feed can hold [mmol/L].
    """
    total = float(recipe["flow_velocity"]) * area
    liquid = total * liquid_fraction
    flows: dict[str, float] = {}
    joined = salt_fractions(exchange, recipe) if exchange else np.zeros(0)
    for stock, fraction in zip(exchange, joined, strict=True):
        flows[stock.name] = float(fraction) * liquid
    feed = liquid * (1.0 - float(joined.sum()))
    for stock, fraction in zip(synthesis, feed_fractions(synthesis, recipe), strict=True):
        flows[stock.name] = float(fraction) * feed
    stocks = (*synthesis, *exchange)
    problems = [v for s in stocks for v in flow_violations(s, flows[s.name])]
    problems += solubility_violations(recipe, solubility)
    return Formulation(flows, total - liquid, tuple(problems))


def flow_violations(stock: Stock, flow: float) -> list[Violation]:
    """Check one stock's flow [µL/s] against zero and the turndown of its pump."""
    low, high = stock.limits.minimum, stock.limits.maximum
    if stock.limits.allow(flow):
        return []
    if flow < 0.0:
        rule, remedy = "not negative", "the other stocks already bring more than the recipe asks"
        limit = ">= 0"
    elif flow > high:
        rule, remedy, limit = f"at most {high:g}", "lower the velocity", f"<= {high:g}"
    else:
        rule, limit = f"zero or at least {low:g}", f">= {low:g}"
        remedy = "raise the velocity or the share of this stock"
    return [
        Violation(
            f"flow_{stock.name}",
            flow,
            limit,
            "µL/s",
            f"the flow of stock {stock.name!r} must be {rule} µL/s, but the recipe needs "
            f"{flow:.4g} µL/s; {remedy}",
        )
    ]


def solubility_violations(recipe: Recipe, solubility: Mapping[str, float]) -> list[Violation]:
    """Check the feed's concentrations [mmol/L] against what the solvent holds."""
    lead = float(recipe["lead_concentration"])
    feed = {
        "lead": lead,
        "caesium": lead * float(recipe["cs_pb_ratio"]),
        "bromide": lead * float(recipe["br_pb_ratio"]),
    }
    return [
        Violation(
            f"{name}_in_feed",
            feed[name],
            f"<= {most:g}",
            "mmol/L",
            f"{name} in the feed must stay at or below its solubility of {most:g} mmol/L, but "
            f"the recipe asks for {feed[name]:.4g} mmol/L; lower the lead concentration or the "
            "ratio",
        )
        for name, most in solubility.items()
        if feed[name] > most * (1.0 + _ROUNDING)
    ]


def reservoir_violations(
    stocks: Sequence[Stock], flows: Mapping[str, float], seconds: float
) -> list[Violation]:
    """Check that no stock runs out while its flow [µL/s] is held for `seconds`."""
    return [
        Violation(
            f"volume_{s.name}",
            flows[s.name] * seconds,
            f"<= {s.reservoir:g}",
            "µL",
            f"a trial may draw at most {s.reservoir:g} µL of stock {s.name!r}, but it would "
            f"need {flows[s.name] * seconds:.4g} µL; lower its share or move the probe upstream",
        )
        for s in stocks
        if flows.get(s.name, 0.0) * seconds > s.reservoir
    ]


def achieved_recipe(
    synthesis: Sequence[Stock], exchange: Sequence[Stock], flows: Mapping[str, float]
) -> dict[str, float]:
    """Return the recipe's compositional parameters that measured flows [µL/s] amount to."""
    feed = mixed(synthesis, flows)
    ligand = feed.acid + feed.amine
    made = {
        "lead_concentration": feed.lead,
        "cs_pb_ratio": feed.caesium / feed.lead,
        "br_pb_ratio": feed.bromide / feed.lead,
        "oleic_acid_fraction": 100.0 * feed.acid,
        "ligand_solvent_ratio": ligand / (1.0 - ligand),
    }
    if exchange:
        salt = mixed(exchange, flows)
        made["salt_concentration"] = mixed((*synthesis, *exchange), flows).zinc
        made["ligand_ratio"] = salt.acid / (salt.acid + salt.amine)
    return made
