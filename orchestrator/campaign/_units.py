"""Unit conversion with pint; a position on the light axis may be a wavelength or an energy."""

from __future__ import annotations

import math
import re
import tokenize
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pint

PLANCK_TIMES_LIGHT = 1239.841984  # [eV nm], CODATA 2018 exact constants h, c and e


LONGEST_UNIT = 64
# pint raises whole numbers to whole powers exactly: `9**9**9` would keep the process for ever.
_POWER = r"\s*(?:\*\*|\^)\s*"
_EXPONENT = r"(?:[+-]?\d{1,2}(?:\.\d{1,2})?|\([+-]?\d{1,2}(?:[./]\d{1,2})?\))"
_NUMBER = r"\d{1,15}(?:\.\d{0,15})?(?:[eE][+-]?\d{1,2})?"
_WORD = r"(?:[^\W\d]|[°%‰])[\w°]*"
_TOKENS = re.compile(
    rf"(?P<power>{_POWER}{_EXPONENT}(?![\w.])|[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,2}}(?![⁰¹²³⁴⁵⁶⁷⁸⁹]))"
    rf"|(?P<number>{_NUMBER})|(?P<word>{_WORD})|(?P<open>\()|(?P<close>\))"
    r"|(?P<times>\s*[*/·⋅×](?!\s*[*/^])\s*|\s+)"
)
# Words that pint reads as powers of what stands beside them.
_POWER_WORDS = {"square", "squared", "sq", "cubic", "cubed"}


class UnitError(ValueError):
    """A unit that pint does not know, or of another dimension than the declared one."""


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint

    return pint.UnitRegistry()


def convert(value: float, unit: str, declared: str, *, spectral: bool = False) -> float:
    """Convert a value from `unit` to the `declared` unit ("" is dimensionless).

    Args:
        value: Number in `unit`; an empty `unit` means the declared one.
        unit: Any pint unit.
        declared: The unit that the station declares.
        spectral: Also convert between wavelength and photon energy, E = hc/lambda.

    Raises:
        UnitError: unknown unit, or wrong dimension.
    """
    if not unit or unit == declared:
        return float(value)
    ureg = _registry()
    source, target = _unit(unit), _unit(declared)
    quantity = ureg.Quantity(float(value), source)
    if spectral and source.dimensionality != target.dimensionality:
        return _photon(quantity, unit, declared)
    if source.dimensionality != target.dimensionality:
        raise UnitError(_wrong_dimension(unit, declared))
    return _to(quantity, target, unit, declared)


def _to(quantity: pint.Quantity[float], target: pint.Unit, unit: str, declared: str) -> float:
    import pint

    try:
        value = float(quantity.to(target).magnitude)
    except (pint.errors.PintError, ArithmeticError) as error:  # such as a difference in degrees
        raise UnitError(
            f"the unit must convert to {declared or 'dimensionless'!r}, but got {unit!r}: {error}"
        ) from error
    if math.isinf(value):
        raise UnitError(f"a value must be a number in {declared!r}, but {quantity} is none")
    return value


def convert_width(
    width: float, at: float, unit: str, declared: str, *, spectral: bool = False
) -> float:
    """Convert a difference (a tolerance) around the value `at`, both given in `unit`.

    A tolerance in energy becomes half the wavelength range that it spans.

    Raises:
        UnitError: as `convert`.
    """
    if not unit or unit == declared:
        return float(width)
    low = convert(at - width, unit, declared, spectral=spectral)
    high = convert(at + width, unit, declared, spectral=spectral)
    return abs(high - low) / 2.0


def check_unit(unit: str) -> None:
    """Refuse a unit that pint does not know ("" is dimensionless).

    Raises:
        UnitError: unknown unit.
    """
    if unit:
        _unit(unit)


def _unit(text: str) -> pint.Unit:
    import pint

    unknown = f"a unit must be one that pint knows, but got {text[:LONGEST_UNIT]!r}"
    if not _harmless(text):
        raise UnitError(
            f"{unknown}; write at most {LONGEST_UNIT} characters, such as 'mol/L' or 'W/cm**2', "
            "with powers of names of at most two digits"
        )
    try:
        return _registry().Unit(text)
    except (
        pint.errors.PintError,
        tokenize.TokenError,
        SyntaxError,
        ValueError,
        TypeError,
        AssertionError,
        AttributeError,
        ArithmeticError,
        LookupError,
    ) as error:
        raise UnitError(unknown) from error


def _harmless(text: str) -> bool:
    """Tell whether a unit is made of names, numbers and single small powers only."""
    if len(text) > LONGEST_UNIT:
        return False
    kinds: list[str] = []
    place = 0
    while place < len(text):
        found = _TOKENS.match(text, place)
        if found is None:
            return False
        kind = str(found.lastgroup)
        if kind == "word" and found.group().lower() in _POWER_WORDS:
            kind = "power word"
        kinds.append(kind)
        place = found.end()
    powers = [i for i, kind in enumerate(kinds) if kind.startswith("power")]
    if len(powers) > 1 and ("power word" in kinds or "open" in kinds):
        return False  # a power of a power may hide behind a word or a bracket
    return not any(kinds[i - 1] in ("power", "times") for i in powers if kinds[i] == "power" and i)


def _photon(quantity: pint.Quantity[float], unit: str, declared: str) -> float:
    ureg = _registry()
    if quantity.magnitude <= 0:
        raise UnitError(f"a wavelength or photon energy must be positive, but got {quantity}")
    if quantity.check("[energy]"):
        wavelength = PLANCK_TIMES_LIGHT / quantity.to("eV").magnitude
        return _to(ureg.Quantity(wavelength, "nm"), _unit(declared), unit, declared)
    if quantity.check("[length]"):
        energy = PLANCK_TIMES_LIGHT / quantity.to("nm").magnitude
        return _to(ureg.Quantity(energy, "eV"), _unit(declared), unit, declared)
    raise UnitError(_wrong_dimension(unit, declared))


def _wrong_dimension(unit: str, declared: str) -> str:
    wanted = declared or "dimensionless"
    return f"the unit must be of the same dimension as {wanted!r}, but got {unit!r}"
