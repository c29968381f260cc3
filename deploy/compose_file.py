"""Reads docker-compose.yml as Compose does, without it: variables, and what each service is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)(?:(:?[-?+])([^${}]*))?\}|(.))")


class ComposeError(Exception):
    """The file cannot be read as Compose would."""


@dataclass
class Interpolation:
    """Puts variables into text by Compose's rules, and remembers which there were.

    Attributes:
        environment: Values.
        seen: Each variable with its operators, such as {"A": {":?"}}; "" for a plain one.
    """

    environment: Mapping[str, str]
    seen: dict[str, set[str]] = field(default_factory=dict)

    def text(self, raw: str) -> str:
        """Return the text with its variables put in.

        Raises:
            ComposeError: a required variable that is not set, or a form that Compose refuses.
        """
        return _VARIABLE.sub(self._value, raw)

    def _value(self, found: re.Match[str]) -> str:
        dollar, plain, name, operator, word, odd = found.groups()
        if dollar:
            return "$"
        if odd:
            raise ComposeError(f"a dollar must begin a variable or be doubled, but got {odd!r}")
        name = plain or name
        self.seen.setdefault(name, set()).add(operator or "")
        value = self.environment.get(name)
        missing = value is None or (value == "" and (operator or "").startswith(":"))
        if operator in (":-", "-"):
            return word if missing else str(value)
        if operator in (":+", "+"):
            return "" if missing else word
        if operator in (":?", "?") and missing:
            raise ComposeError(f"required variable {name} is missing a value: {word}")
        return value or ""

    def document(self, raw: Any) -> Any:
        """Return a document with the variables of all its texts put in; keys stay."""
        if isinstance(raw, str):
            return self.text(raw)
        if isinstance(raw, list):
            return [self.document(item) for item in raw]
        if isinstance(raw, dict):
            return {key: self.document(value) for key, value in raw.items()}
        return raw


@dataclass(frozen=True)
class Mount:
    """One volume of a service: a named one, or a path of the host."""

    source: str
    target: str
    read_only: bool

    @property
    def named(self) -> bool:
        """Whether the engine keeps it."""
        return not self.source.startswith((".", "/", "~"))


@dataclass(frozen=True)
class Service:
    """What the file says of one service, variables put in."""

    name: str
    raw: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """The command, as a list of words."""
        return [str(word) for word in self.raw.get("command", [])]

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {k: str(v) for k, v in self.raw.get("environment", {}).items()}

    @property
    def needs(self) -> dict[str, str]:
        """The services that it waits for, each with its condition."""
        given = self.raw.get("depends_on", {})
        return {name: entry["condition"] for name, entry in given.items()}

    @property
    def profiles(self) -> list[str]:
        """The profiles of which one must be asked for; none: it always starts."""
        return list(self.raw.get("profiles", []))

    @property
    def once(self) -> bool:
        """Whether it ends by itself."""
        return self.raw.get("restart") == "no"

    @property
    def health(self) -> list[str]:
        """The health check's words; a text for the shell is ["sh", "-c", text]."""
        test = self.raw.get("healthcheck", {}).get("test", [])
        if test and test[0] == "CMD-SHELL":
            return ["sh", "-c", test[1]]
        return list(test[1:])

    @property
    def mounts(self) -> Iterator[Mount]:
        """Its volumes."""
        for entry in self.raw.get("volumes", []):
            source, target, *options = entry.split(":")
            yield Mount(source, target, "ro" in options)


@dataclass(frozen=True)
class Compose:
    """The whole file.

    Attributes:
        services: By name.
        document: With variables put in.
        variables: Each variable with its operators.
        text: The file itself.
    """

    services: Mapping[str, Service]
    document: Mapping[str, Any]
    variables: Mapping[str, set[str]]
    text: str


def read_compose(path: Path, environment: Mapping[str, str]) -> Compose:
    """Read a Compose file.

    Raises:
        ComposeError: a required variable that is not set, or text that Compose would refuse.
    """
    text = path.read_text(encoding="utf-8")
    raw = yaml.safe_load(text)
    interpolation = Interpolation(environment)
    document = interpolation.document({k: v for k, v in raw.items() if not k.startswith("x-")})
    services = {name: Service(name, entry) for name, entry in document["services"].items()}
    return Compose(services, document, interpolation.seen, text)
