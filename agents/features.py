"""Derived features: what a chemist would plot against, as arithmetic over parameters.

A feature (a molar ratio, an amount, a dilution) is an input of the models beside the parameters
that it is made of; it is never proposed. Expressions know numbers, parameter names, brackets and
the operators + - * / ** (with numbers as exponents), nothing else; they work on any type that has
these operators.
"""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from agents.errors import AgentError
from agents.space import Continuous, Feature, Fixed, Space


class _Number(Protocol):
    def __add__(self, other: Any) -> Any: ...
    def __neg__(self) -> Any: ...


T = TypeVar("T", bound=_Number)
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
# Longer or steeper than anything that a chemist plots, and harmless to compute.
LONGEST = 1000
STEEPEST = 20.0


def feature_names(feature: Feature) -> list[str]:
    """Return the parameters that a feature's expression names, sorted.

    Raises:
        AgentError: the expression is not arithmetic over names.
    """
    tree = _parsed(feature)
    return sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)})


def feature_value(feature: Feature, numbers: Mapping[str, T]) -> T:
    """Return the expression's value (without the logarithm) at `numbers`.

    Raises:
        AgentError: the expression is not arithmetic over names.
        KeyError: it names what `numbers` lacks.
    """
    value: T = _evaluated(_parsed(feature).body, numbers, feature)
    return value


def feature_problems(space: Space) -> list[str]:
    """Say every way in which the space's features cannot be computed (empty when they can)."""
    numeric = {
        p.name
        for p in space.parameters
        if isinstance(p, Continuous) or (isinstance(p, Fixed) and not isinstance(p.value, str))
    }
    found = []
    for feature in space.features:
        try:
            names = feature_names(feature)
        except AgentError as error:
            found.append(str(error))
            continue
        lacking = [n for n in names if n not in numeric]
        if lacking or not names:
            found.append(
                f"feature {feature.name} must be made of numeric parameters "
                f"({', '.join(sorted(numeric))}), but names {', '.join(lacking) or 'none'}"
            )
        elif any(_overflows(feature, corner) for corner in _corners(space)):
            found.append(f"feature {feature.name} must be a number, but is above every double")
    return found


def _corners(space: Space) -> list[dict[str, float]]:
    """Return every numeric parameter at its low end, and at its high end."""
    low, high = {}, {}
    for p in space.parameters:
        if isinstance(p, Continuous):
            low[p.name], high[p.name] = p.low, p.high
        elif isinstance(p, Fixed) and not isinstance(p.value, str):
            low[p.name] = high[p.name] = float(p.value)
    return [low, high]


def _overflows(feature: Feature, numbers: Mapping[str, float]) -> bool:
    try:
        feature_value(feature, numbers)
    except OverflowError:
        return True
    except ZeroDivisionError:  # of this corner alone
        return False
    return False


def _parsed(feature: Feature) -> ast.Expression:
    if len(feature.expression) > LONGEST:
        raise _refused(feature)
    try:
        tree = ast.parse(feature.expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused(feature) from error
    for node in ast.walk(tree.body):
        if isinstance(node, ast.BinOp) and type(node.op) not in _OPERATORS:
            raise _refused(feature)
        if isinstance(node, ast.Constant) and not _finite(node.value):
            raise _refused(feature)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _steep(node.right):
            raise _refused(feature)
        known = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.operator, ast.USub, ast.Load)
        if not isinstance(node, known):
            raise _refused(feature)
    return tree


def _finite(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def _steep(exponent: ast.expr) -> bool:
    """Whether an exponent is other than one number of modest size, with or without a sign."""
    if isinstance(exponent, ast.UnaryOp):
        exponent = exponent.operand
    value = exponent.value if isinstance(exponent, ast.Constant) else None
    return type(value) not in (int, float) or value > STEEPEST  # type: ignore[operator]


def _evaluated(node: ast.expr, numbers: Mapping[str, Any], feature: Feature) -> Any:
    if isinstance(node, ast.BinOp):
        left, right = (_evaluated(n, numbers, feature) for n in (node.left, node.right))
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return -_evaluated(node.operand, numbers, feature)
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]  # whole numbers never overflow
    if isinstance(node, ast.Name):
        return numbers[node.id]
    raise _refused(feature)


def _refused(feature: Feature) -> AgentError:
    return AgentError(
        f"a feature must be arithmetic (+ - * / **, brackets) over parameter names, with numbers "
        f"up to {STEEPEST:g} as exponents, but {feature.name} is {_shown(feature)!r}; write for "
        "example 'a * b / (c + d)'"
    )


def _shown(feature: Feature) -> str:
    text = feature.expression
    return text if len(text) <= 100 else f"{text[:97]}..."
