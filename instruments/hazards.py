"""What must not meet, and what must not be so hot: rules with their reasons and sources.

A station says what meets where (`Contact`); the rules judge each meeting. A rule may be overridden
by a named person with a reason (`instruments.place`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol, runtime_checkable

from instruments.solvents import LIQUIDS, classes_of
from instruments.station import Recipe, Violation
from instruments.stores import StockDeclaration
from instruments.tubing import MATERIALS, Tube, attack

AMBIENT = 25.0  # degC
BOILING_MARGIN = 5.0
"""K below the boiling point; assumed, because the flow twin's limit for toluene is 105 degC."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Liquids that meet in one place.

    Attributes:
        place: Of the station, in words.
        stocks: Names of the station's stocks that meet there.
        liquids: Further liquids, by the tables' names.
        temperature: Highest there [degC].
        tubes: Tubes that hold them.
    """

    place: str
    stocks: tuple[str, ...]
    liquids: tuple[str, ...] = ()
    temperature: float = AMBIENT
    tubes: tuple[str, ...] = ()


@runtime_checkable
class ContactStation(Protocol):
    """A station that says what meets where."""

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids that a complete recipe brings about."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Classes that must not meet.

    Attributes:
        name: What an override names.
        groups: One member of each group makes the danger.
        above: Only above this temperature [degC].
        reason: What happens.
        source: Who says so.
    """

    name: str
    groups: tuple[frozenset[str], ...]
    reason: str
    source: str
    above: float | None = None


_EPA = "EPA-600/2-80-076, A method for determining the compatibility of hazardous wastes"
RULES = (
    Rule(
        "silyl_halide",
        (frozenset({"silyl_halide"}), frozenset({"water", "alcohol", "ketone", "amide"})),
        "trimethylsilyl halides give off hydrogen halide with water and alcohols, turn acetone "
        "into condensation products, and form reactive iminium salts with DMF",
        "Olah and Narang 1982, Tetrahedron 38, 2225; suppliers' safety data sheets",
    ),
    Rule(
        "heated_fluorocarbon",
        (frozenset({"fluorocarbon"}),),
        "hot surfaces split perfluorinated liquids into hydrogen fluoride and perfluoroisobutene",
        "flow review of the field (limit 180 degC); perfluoropolyethers on alumina decompose "
        "from 198 degC",
        180.0,
    ),
    Rule(
        "oxidiser",
        (frozenset({"oxidiser"}), frozenset({"organic"})),
        "oxidisers and organic liquids make heat, gas and fire",
        f"{_EPA}, group 104 with all organic groups",
    ),
    Rule(
        "water_reactive",
        (frozenset({"water_reactive"}), frozenset({"water"})),
        "what carries H260 or H261 gives off flammable gas with water",
        "GHS, hazard statements H260 and H261",
    ),
    Rule(
        "chloroform_ketone_base",
        (frozenset({"trichloromethane"}), frozenset({"ketone"}), frozenset({"base"})),
        "chloroform and acetone react violently once there is a base, such as an amine",
        "University of Illinois, Chemical compatibility: potentially explosive mixtures",
    ),
)
THERMAL = ("boiling", "freezing", "tubing_temperature", "tubing_material")
"""Rules on a single liquid in its place; those of `RULES` are on meetings."""
RULE_NAMES = (*(rule.name for rule in RULES), *THERMAL)
_STATEMENTS = {
    "oxidiser": ("H270", "H271", "H272"),
    "water_reactive": ("H260", "H261"),
}


def hazard_classes(codes: Iterable[str]) -> frozenset[str]:
    """Classes that a lot's GHS statements put it in."""
    said = {code[:4] for code in codes}
    return frozenset(name for name, marks in _STATEMENTS.items() if said & set(marks))


@dataclass(frozen=True)
class Surroundings:
    """What the rules need to know of a place.

    Attributes:
        stocks: What the station declares, by name.
        hazards: GHS codes of the lots, by stock.
        tubing: Tubes as built, by name.
    """

    stocks: Mapping[str, StockDeclaration]
    hazards: Mapping[str, Sequence[str]]
    tubing: Mapping[str, Tube]

    def members(self, contact: Contact) -> dict[str, frozenset[str]]:
        """Everything in a meeting, with its classes."""
        found = {name: classes_of(name) for name in contact.liquids}
        for name in contact.stocks:
            stock = self.stocks[name]
            inside = [n for n in (stock.solvent, *stock.contains) if n]
            found |= {n: classes_of(n) for n in inside}
            if marks := hazard_classes(self.hazards.get(name, ())):
                # a bottle marked so is another thing than the liquid that its name promises
                found[f"the lot of {name}" if name in found else name] = marks
        return found


def contact_violations(contact: Contact, around: Surroundings) -> list[Violation]:
    """Return every rule that a meeting breaks; the violation's quantity is the rule's name."""
    members = around.members(contact)
    found = [v for rule in RULES for v in _meeting(rule, contact, members)]
    for name in members:
        if name in LIQUIDS:
            found += _liquid_range(name, contact)
    for tube in contact.tubes:
        if tube in around.tubing:
            found += _tube(tube, around.tubing[tube], contact, members)
    return found


def _meeting(
    rule: Rule, contact: Contact, members: Mapping[str, frozenset[str]]
) -> list[Violation]:
    who = [[n for n, classes in members.items() if classes & group] for group in rule.groups]
    if not all(who) or (rule.above is not None and contact.temperature <= rule.above):
        return []
    apart = next((c for c in product(*who) if len(set(c)) == len(c)), None)
    if apart is None:
        return []  # one substance of several groups is no meeting
    heat = "" if rule.above is None else f" above {rule.above:g} degC"
    met = " and ".join(apart)
    return [
        _violation(
            rule.name,
            contact,
            f"no {' with '.join('/'.join(sorted(g)) for g in rule.groups)}{heat}",
            f"{met} must not meet{heat} in {contact.place} at {contact.temperature:g} degC: "
            f"{rule.reason} ({rule.source})",
        )
    ]


def _violation(rule: str, contact: Contact, limit: str, message: str) -> Violation:
    remedy = f"change the recipe or the liquids, or override {rule!r} with a name and a reason"
    return Violation(rule, contact.temperature, limit, "degC", f"{message}; {remedy}")


def _liquid_range(name: str, contact: Contact) -> list[Violation]:
    liquid, at = LIQUIDS[name], contact.temperature
    highest = liquid.boiling - BOILING_MARGIN
    if at > highest:
        message = (
            f"{name} boils at {liquid.boiling:g} degC and must stay at or below {highest:g} degC, "
            f"but {contact.place} is at {at:g} degC ({liquid.source})"
        )
        return [_violation("boiling", contact, f"<= {highest:g}", message)]
    if at < liquid.melting:
        message = (
            f"{name} freezes at {liquid.melting:g} degC, but {contact.place} is at {at:g} degC "
            f"({liquid.source})"
        )
        return [_violation("freezing", contact, f">= {liquid.melting:g}", message)]
    return []


def _tube(
    name: str, tube: Tube, contact: Contact, members: Mapping[str, frozenset[str]]
) -> list[Violation]:
    material, at = MATERIALS[tube.material], contact.temperature
    found = []
    if at > material.highest:
        message = (
            f"tube {name!r} of {tube.material} bears {material.highest:g} degC, but "
            f"{contact.place} is at {at:g} degC ({material.source})"
        )
        found.append(
            _violation("tubing_temperature", contact, f"<= {material.highest:g}", message)
        )
    for liquid in members:
        if why := attack(tube.material, liquid):
            message = f"tube {name!r} of {tube.material} does not bear {liquid}: {why}"
            limit = f"{tube.material} without {liquid}"
            found.append(_violation("tubing_material", contact, limit, message))
    return found
