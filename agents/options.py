"""Options that agents take: declared, checked, refused with the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar

from agents.errors import AgentOptionError


@dataclass(frozen=True, slots=True)
class Option:
    """One option: whole number, number, truth value or word, by the type of its default.

    Attributes:
        name: As written in a campaign file.
        default: Value where the file says nothing.
        description: One sentence for people.
        low: Least value taken (numbers).
        high: Greatest value taken (numbers).
        choices: Words taken (text).
    """

    name: str
    default: int | float | bool | str
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def checked(self, value: Any, agent: str) -> int | float | bool | str:
        """Return `value` in the option's type.

        Raises:
            AgentOptionError: it has another type, or lies outside what the option takes.
        """
        kind = type(self.default)
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value, fits = float(value), True
        if fits and not isinstance(value, str):
            fits = (self.low is None or value >= self.low) and (
                self.high is None or value <= self.high
            )
        if fits and self.choices:
            fits = value in self.choices
        if not fits:
            raise AgentOptionError(
                f"option {self.name!r} of agent {agent!r} must be {self.rule()}, but got "
                f"{value!r}; give such a value, or leave it out for {self.default!r}"
            )
        checked: int | float | bool | str = value
        return checked

    def rule(self) -> str:
        """Say in words what the option takes."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        text = words[type(self.default)]
        if self.low is not None:
            text += f" of at least {self.low:g}"
        if self.high is not None:
            text += f"{' and' if self.low is not None else ' of'} at most {self.high:g}"
        return text


class OptionedAgent:
    """Base of the agents here: immutable, configured by declared options alone."""

    name: str
    version: str
    OPTIONS: ClassVar[tuple[Option, ...]] = ()
    LIBRARIES: ClassVar[tuple[str, ...]] = ("numpy", "scipy")

    def __init__(self, **options: Any) -> None:
        """Take `options` by name.

        Raises:
            AgentOptionError: an option is unknown (the nearest is named) or out of range.
        """
        self._values = _resolve(self.name, self.OPTIONS, options)

    @property
    def configuration(self) -> dict[str, Any]:
        """Every option with its value, defaults included."""
        return dict(self._values)

    @property
    def libraries(self) -> dict[str, str]:
        """Versions of the libraries whose numbers a proposal depends on."""
        return {name: version(name) for name in self.LIBRARIES}


def _resolve(
    agent: str, declared: tuple[Option, ...], given: Mapping[str, Any]
) -> dict[str, int | float | bool | str]:
    known = {o.name: o for o in declared}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AgentOptionError(
                f"agent {agent!r} takes the options {', '.join(sorted(known)) or '(none)'}, "
                f"but got {name!r}{hint}"
            )
    return {
        name: option.checked(given[name], agent) if name in given else option.default
        for name, option in known.items()
    }
