"""Unit conversion with pint; a position on the light axis may be a wavelength or an energy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pint

PLANCK_TIMES_LIGHT = 1239.841984  # [eV nm], CODATA 2018 exact constants h, c and e


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
    return float(quantity.to(target).magnitude)


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

    try:
        return _registry().Unit(text)
    except (pint.errors.PintError, ValueError, TypeError, AssertionError, AttributeError) as error:
        raise UnitError(f"a unit must be one that pint knows, but got {text!r}") from error


def _photon(quantity: pint.Quantity[float], unit: str, declared: str) -> float:
    ureg = _registry()
    if quantity.magnitude <= 0:
        raise UnitError(f"a wavelength or photon energy must be positive, but got {quantity}")
    if quantity.check("[energy]"):
        wavelength = PLANCK_TIMES_LIGHT / quantity.to("eV").magnitude
        return float(ureg.Quantity(wavelength, "nm").to(declared).magnitude)
    if quantity.check("[length]"):
        energy = PLANCK_TIMES_LIGHT / quantity.to("nm").magnitude
        return float(ureg.Quantity(energy, "eV").to(declared).magnitude)
    raise UnitError(_wrong_dimension(unit, declared))


def _wrong_dimension(unit: str, declared: str) -> str:
    wanted = declared or "dimensionless"
    return f"the unit must be of the same dimension as {wanted!r}, but got {unit!r}"
