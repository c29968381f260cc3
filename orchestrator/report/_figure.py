"""Figures without pyplot: palette, two layouts, and the same bytes for the same record."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Okabe and Ito 2008, "Color Universal Design"; told apart with every common colour blindness.
BLACK, GREY, PALE = "#222222", "#8a8a8a", "#cfcfcf"
BLUE, SKY, GREEN, ORANGE = "#0072b2", "#56b4e9", "#009e73", "#e69f00"
VERMILLION, PURPLE, YELLOW = "#d55e00", "#cc79a7", "#f0e442"
BAND = "#d7efe6"  # the target: bluish green, lightened

STYLE: dict[str, Any] = {
    "svg.hashsalt": "dotpilot",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide a drawing may be [inch] and how many panels stand side by side."""

    width: float
    columns: int
    narrow: bool


WIDE = Layout(8.0, 3, narrow=False)
NARROW = Layout(3.75, 1, narrow=True)
PNG_DPI = 160


@dataclass(frozen=True)
class Illustration:
    """A figure of the page: how to draw it, and what it says.

    `name` is the stem of its PNG; `draw` makes it for one layout; `alt` describes what is seen,
    `caption` says what to read off.
    """

    name: str
    draw: Callable[[Layout], Figure]
    alt: str
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """Set the look for drawing and saving, whatever the surrounding process has set."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]  # names are checked as set
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure [inch] that lays itself out."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(
    layout: Layout, count: int, height: float, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` axes in rows of at most the layout's columns."""
    across = 1 if layout.narrow else min(columns or layout.columns, count)
    down = -(-count // across)
    figure = new_figure(layout.width, height * down)
    grid = figure.subplots(down, across, squeeze=False)
    flat = [grid[i // across][i % across] for i in range(down * across)]
    for spare in flat[count:]:
        spare.set_visible(False)
    return figure, flat[:count]


def settle(figure: Figure) -> Figure:
    """Lay a finished figure out once, so that every format gets the same places."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def png_bytes(figure: Figure) -> bytes:
    """Return a settled figure as PNG."""
    buffer = io.BytesIO()
    figure.set_dpi(PNG_DPI)
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """Return a settled figure as SVG, without the time at which it was made."""
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def svg_uri(figure: Figure) -> str:
    """Return a settled figure as an SVG data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg_bytes(figure)).decode("ascii")
