"""What the documentation tests need of Markdown: files, code blocks, headings, links, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.M | re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block and where it stands."""

    place: str
    language: str
    text: str


def pages() -> list[Path]:
    """Return every Markdown page of the repository."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def text(path: str) -> str:
    """Return a page of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """Return every code block in one of these languages."""
    return [b for page in pages() for b in _blocks(page) if b.language in languages]


def _blocks(page: Path) -> Iterator[Block]:
    content = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(content):
        line = content.count("\n", 0, match.start()) + 1
        yield Block(f"{page.relative_to(ROOT)}:{line}", match[1], match[2])


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of all links and pictures of a page."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    found = re.findall(r"^#+ +(.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in found}


def sections(content: str) -> dict[str, str]:
    """Return the text below each level-two heading, by the heading without backquotes."""
    parts = re.split(r"^## +(.*)$", content, flags=re.M)
    return {
        h.replace("`", "").strip(): body for h, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def first_column(content: str) -> list[str]:
    """Return the quoted words in the first cell of every table row."""
    cells = re.findall(r"^\| *([^|]*?) *\|", content, re.M)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]
