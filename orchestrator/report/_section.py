"""One part of the page: words, figures, more words; or the reason why it is left out."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.report._figure import Illustration
from orchestrator.report._words import paragraph


@dataclass(frozen=True)
class Section:
    """A part of the page; `before` and `after` are HTML."""

    slug: str
    title: str
    before: str = ""
    figures: tuple[Illustration, ...] = ()
    after: str = ""


def absent(slug: str, title: str, reason: str) -> Section:
    """A part that the record has nothing for, with one sentence that says why."""
    return Section(slug, title, paragraph(reason, "absent"))
