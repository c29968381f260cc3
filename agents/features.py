"""Derived features: what a chemist would plot against, as arithmetic over parameters.

A feature (a molar ratio, an amount, a dilution) is an input of the models beside the parameters
that it is made of; it is never proposed. Expressions know numbers, parameter names, brackets and
the operators + - * / **, nothing else; they work on any type that has these operators.
"""

from __future__ import annotations

import ast
import operator
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
    return found


def _parsed(feature: Feature) -> ast.Expression:
    try:
        tree = ast.parse(feature.expression, mode="eval")
    except SyntaxError as error:
        raise _refused(feature) from error
    for node in ast.walk(tree.body):
        if isinstance(node, ast.BinOp) and type(node.op) not in _OPERATORS:
            raise _refused(feature)
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
            raise _refused(feature)
        known = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.operator, ast.USub, ast.Load)
        if not isinstance(node, known):
            raise _refused(feature)
    return tree


def _evaluated(node: ast.expr, numbers: Mapping[str, Any], feature: Feature) -> Any:
    if isinstance(node, ast.BinOp):
        left, right = (_evaluated(n, numbers, feature) for n in (node.left, node.right))
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return -_evaluated(node.operand, numbers, feature)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return numbers[node.id]
    raise _refused(feature)


def _refused(feature: Feature) -> AgentError:
    return AgentError(
        f"a feature must be arithmetic (+ - * / **, brackets) over parameter names, but "
        f"{feature.name} is {feature.expression!r}; write for example 'a * b / (c + d)'"
    )
