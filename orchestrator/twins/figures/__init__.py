"""The papers' figures drawn again from the twins, with the published points and bands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from orchestrator.report._figure import png_bytes, settle, style
from orchestrator.twins.figures import _exchange, _flow, _larp, _micropipette, _overview, _topo
from orchestrator.twins.scoreboard import Score

DRAWN: Mapping[str, Callable[[], Figure]] = {
    "micropipette": _micropipette.draw,
    "topo_batch": _topo.draw,
    "larp_plate": _larp.draw,
    "anion_exchange": _exchange.draw,
    "flow_synthesis": _flow.draw,
}
"""What draws each twin's figure, on its nominal lab."""


def write_figures(folder: Path, scores: Sequence[Score]) -> list[Path]:
    """Write the overview and one figure for each twin that was scored, as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write(folder / "scoreboard.png", lambda: _overview.draw(scores))]
    scored = {s.row.twin for s in scores}
    for name, draw in DRAWN.items():
        if name in scored:
            written.append(_write(folder / f"{name}.png", draw))
    return written


def _write(path: Path, draw: Callable[[], Figure]) -> Path:
    with style():
        path.write_bytes(png_bytes(settle(draw())))
    return path


__all__ = ["DRAWN", "write_figures"]
