"""Why this experiment: a trial, or a whole campaign, explained from the record alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.errors import InputRefusedError
from orchestrator.explain._campaign import campaign_document
from orchestrator.explain._subject import read_subject
from orchestrator.explain._text import explanation_text
from orchestrator.explain._trial import trial_document
from orchestrator.ledger import Ledger

DOCUMENT = "explain.json"


def explain_trial(ledger: Ledger, campaign: str, trial: int) -> dict[str, Any]:
    """Explain one trial.

    Raises:
        NotFoundError: no such campaign or trial.
        RecordError: the record is not as it was written.
    """
    return trial_document(read_subject(ledger, campaign), trial)


def explain_campaign(
    ledger: Ledger, campaign: str, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Explain a campaign; `say` hears of each part that takes a while.

    Raises:
        NotFoundError: no such campaign.
        RecordError: the record is not as it was written.
    """
    return campaign_document(read_subject(ledger, campaign), say)


def write_explanation(document: dict[str, Any], out: Path) -> list[Path]:
    """Write an explanation and its figures (PNG and SVG) into the folder `out`; return the files.

    The same document gives the same bytes. Other files in the folder stay.

    Raises:
        InputRefusedError: `out` cannot be a folder.
    """
    from orchestrator.explain._figures import drawings

    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    contents = {DOCUMENT: text.encode(), **drawings(document)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise InputRefusedError(
            f"--out must be a folder that can be written to, but {out} is not: {error}"
        ) from error
    return [out / name for name in contents]


__all__ = [
    "DOCUMENT",
    "explain_campaign",
    "explain_trial",
    "explanation_text",
    "write_explanation",
]
