"""One self-contained HTML page about a campaign, and each of its figures as PNG."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import InputRefusedError
from orchestrator.ledger import Ledger
from orchestrator.report._attached import attached
from orchestrator.report._calibration import calibration
from orchestrator.report._convergence import convergence
from orchestrator.report._films import films
from orchestrator.report._header import came_out, header, wanted
from orchestrator.report._page import assemble, render
from orchestrator.report._parallel import parallel
from orchestrator.report._record import Record, read_record
from orchestrator.report._samples import samples
from orchestrator.report._section import Section
from orchestrator.report._series import series
from orchestrator.report._spectra import spectra
from orchestrator.report._timeline import timeline
from orchestrator.report._tradeoff import tradeoff
from orchestrator.report._trials import provenance, trials

PAGE = "index.html"
FIGURES = (
    "convergence",
    "pareto",
    "predicted_measured",
    "calibration",
    "parallel_coordinates",
    "spectra",
    "frames",
    "samples",
    "series",
    "timeline",
)


def write_report(ledger: Ledger, campaign_id: str, out: Path) -> Path:
    """Write the page of a campaign and its figures into the folder `out`; return the page.

    The same record gives the same bytes. Figures of an earlier report that this record has
    nothing for are removed.

    Raises:
        NotFoundError: no such campaign.
        RecordError: an event or a spectrum that cannot be read.
        InputRefusedError: `out` cannot be a folder.
    """
    record = read_record(ledger, campaign_id)
    parts = sections(record)
    figures = {i.name: render(i) for part in parts for i in part.figures}
    page = assemble(record.row.name, header(record), parts, figures)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in FIGURES:
            target = out / f"{name}.png"
            if name in figures:
                target.write_bytes(figures[name].png)
            else:
                target.unlink(missing_ok=True)
        target = out / PAGE
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputRefusedError(
            f"--out must be a folder that can be written to, but {out} is not: {error}"
        ) from error
    return target


def sections(record: Record) -> list[Section]:
    """Return the parts of the page in their order."""
    raw = [figure for figure in (films(record), samples(record)) if figure is not None]
    parts = [
        wanted(record),
        came_out(record),
        convergence(record),
        tradeoff(record),
        calibration(record),
        parallel(record),
        spectra(record, raw),
        series(record),
        timeline(record),
        trials(record),
        attached(record),
        provenance(record),
    ]
    return [part for part in parts if part is not None]


__all__ = ["FIGURES", "PAGE", "write_report"]
