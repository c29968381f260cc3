"""Reading a YAML or JSON file of moderate size that holds one mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import InputRefusedError, NotFoundError

LARGEST_BYTES = 1_000_000
# Values after every alias is written out: a few lines of aliases can stand for billions.
MOST_VALUES = 100_000


class _UniqueLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice, and reads a date as the text that it is."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._composed = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, counting what it stands for with its aliases written out."""
        node: yaml.Node | None = super().compose_node(parent, index)
        if node is None or node in self._sizes:
            return node
        self._composed += 1
        size = 1
        if isinstance(node, yaml.CollectionNode):
            parts = node.value
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in node.value for part in pair]
            size += sum(self._sizes.get(part, MOST_VALUES) for part in parts)
        if max(size, self._composed) > MOST_VALUES:
            raise InputRefusedError(
                f"a file must hold at most {MOST_VALUES} values with its aliases written out, "
                f"but holds more{node.start_mark}"
            )
        self._sizes[node] = size
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping whose keys are texts, each given once."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise InputRefusedError(
                    f"a key must be text, but got {key!r}{key_node.start_mark}"
                )
            if key in seen:
                raise InputRefusedError(
                    f"a key may be given once, but {key!r} is given again{key_node.start_mark}"
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_UniqueLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_document(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds one mapping.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: too large, not text, not YAML, or not a mapping.
    """
    try:
        document = yaml.load(_text(path), Loader=_UniqueLoader)  # noqa: S506 a SafeLoader
    except InputRefusedError as error:
        named = [p.replace('"<unicode string>"', f'"{path}"') for p in error.problems]
        raise InputRefusedError(named) from error
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
        LookupError,
        AttributeError,
        TypeError,
        ArithmeticError,
    ) as error:  # the latter of a tag on a value that it does not fit, such as `!!int ""`
        words = str(error).replace('"<unicode string>"', f'"{path}"')
        raise InputRefusedError(f"{path} must be YAML or JSON: {words}") from error
    if not isinstance(document, dict):
        raise InputRefusedError(f"{path} must hold one mapping of keys to values")
    try:
        json.dumps(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputRefusedError(f"{path} must hold plain JSON values: {error}") from error
    return document


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
        if len(raw) > LARGEST_BYTES:
            raise InputRefusedError(
                f"{path} must be at most {LARGEST_BYTES} bytes long, but is longer"
            )
        return raw.decode("utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefusedError(f"{path} must be readable UTF-8 text: {error}") from error
