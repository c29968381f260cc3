"""The page: one file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from orchestrator.report._figure import (
    NARROW,
    WIDE,
    Illustration,
    png_bytes,
    settle,
    style,
    svg_uri,
)
from orchestrator.report._section import Section


@dataclass(frozen=True)
class Rendered:
    """An illustration as HTML, and as the PNG that lies beside the page."""

    html: str
    png: bytes


def render(illustration: Illustration) -> Rendered:
    """Draw an illustration for wide and for narrow screens, and as PNG."""
    with style():
        wide, slim = (settle(illustration.draw(layout)) for layout in (WIDE, NARROW))
        png, narrow, broad = png_bytes(wide), svg_uri(slim), svg_uri(wide)
    alt = escape(illustration.alt, quote=True)
    html = (
        f'<figure id="figure-{illustration.name}"><picture>'
        f'<source media="(max-width: 620px)" srcset="{narrow}">'
        f'<img src="{broad}" alt="{alt}"></picture>'
        f"<figcaption>{escape(illustration.caption)} "
        f'<span class="quiet">({illustration.name}.png)</span></figcaption></figure>'
    )
    return Rendered(html, png)


def assemble(
    name: str, head: str, sections: Sequence[Section], figures: dict[str, Rendered]
) -> str:
    """Return the whole page."""
    style_sheet = files("orchestrator.report").joinpath("page.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{s.slug}">{escape(s.title)}</a>' for s in sections)
    parts = "".join(_section(s, figures) for s in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="{_icon()}">'
        f"<title>{escape(name)}: dotpilot report</title><style>{style_sheet}</style></head>\n"
        f'<body><main>{head}<nav aria-label="Parts of this page">{links}</nav>\n{parts}'
        "<footer><p>Written by dotpilot from the campaign’s record alone.</p></footer>"
        "</main></body></html>\n"
    )


def _section(section: Section, figures: dict[str, Rendered]) -> str:
    drawn = "".join(figures[i.name].html for i in section.figures)
    return (
        f'<section id="{section.slug}"><h2>{escape(section.title)}</h2>'
        f"{section.before}{drawn}{section.after}</section>\n"
    )


def _icon() -> str:
    dot = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        '<circle cx="8" cy="8" r="6" fill="#009e73"/></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(dot.encode()).decode("ascii")
