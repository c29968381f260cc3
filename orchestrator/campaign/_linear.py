"""Linear constraints written as text: `2 * a + b - 0.5 * c <= 3`."""

from __future__ import annotations

import ast
import math

from agents import LinearConstraint

LONGEST = 1000


class ConstraintError(ValueError):
    """A constraint that is not a linear inequality between named parameters."""


def parse_constraint(text: str) -> list[LinearConstraint]:
    """Parse one linear inequality (`<=` or `>=`, chains allowed) into `sum <= bound` form.

    Raises:
        ConstraintError: not such an inequality; the message shows the form.
    """
    if len(text) > LONGEST:
        raise ConstraintError(_rule(text))
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConstraintError(_rule(text)) from error
    if not isinstance(tree, ast.Compare):
        raise ConstraintError(_rule(text))
    sides = [tree.left, *tree.comparators]
    try:
        return [_one(sides[i], op, sides[i + 1], text) for i, op in enumerate(tree.ops)]
    except (ArithmeticError, RecursionError) as error:  # a number that no double holds
        raise ConstraintError(_rule(text)) from error


def _one(left: ast.expr, op: ast.cmpop, right: ast.expr, text: str) -> LinearConstraint:
    if isinstance(op, (ast.GtE, ast.Gt)):
        left, right = right, left
    elif not isinstance(op, (ast.LtE, ast.Lt)):
        raise ConstraintError(_rule(text))
    terms = _add(_linear(left, text), _linear(right, text), -1.0)
    bound = -terms.pop("", 0.0)
    named = tuple((name, weight) for name, weight in sorted(terms.items()) if weight != 0.0)
    if not named or not all(math.isfinite(w) for _, w in named) or not math.isfinite(bound):
        raise ConstraintError(_rule(text))
    return LinearConstraint(named, bound, text)


def _linear(node: ast.expr, text: str) -> dict[str, float]:
    """Return weights by parameter name; the constant stands under the empty name."""
    if isinstance(node, ast.Name):
        return {node.id: 1.0}
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return {"": float(node.value)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        return {k: sign * v for k, v in _linear(node.operand, text).items()}
    if isinstance(node, ast.BinOp):
        return _binary(node, text)
    raise ConstraintError(_rule(text))


def _binary(node: ast.BinOp, text: str) -> dict[str, float]:
    left, right = _linear(node.left, text), _linear(node.right, text)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        return _add(left, right, 1.0 if isinstance(node.op, ast.Add) else -1.0)
    if isinstance(node.op, ast.Mult) and (set(left) == {""} or set(right) == {""}):
        factor, terms = (left[""], right) if set(left) == {""} else (right[""], left)
        return {k: factor * v for k, v in terms.items()}
    if isinstance(node.op, ast.Div) and set(right) == {""} and right[""] != 0.0:
        return {k: v / right[""] for k, v in left.items()}
    raise ConstraintError(_rule(text))


def _add(a: dict[str, float], b: dict[str, float], sign: float) -> dict[str, float]:
    return {k: a.get(k, 0.0) + sign * b.get(k, 0.0) for k in {**a, **b}}


def _rule(text: str) -> str:
    shown = text if len(text) <= 200 else f"{text[:197]}..."
    return (
        "a constraint must be a linear inequality of parameters, such as "
        f"'2 * a + b <= 3', but got {shown!r}"
    )
