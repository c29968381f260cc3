"""The project's table of published figures, with every row that moved from held out to used."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from orchestrator.twins.catalogue import TWINS


@dataclass(frozen=True)
class PublishedRow:
    """One row of `data/validation_table.csv`.

    Attributes:
        id: Such as `MP-01`.
        twin: Which twin it asks.
        quantity: What was published, under which conditions.
        published: The figure with its spread.
        band: What is accepted.
        frozen_use: C, H, Z, D by part, as the table was frozen.
        use: The same after moves.
        tier: 1 gates a release, 2 is reported.
        moved_on: Date of the move from H to C; empty where nothing moved.
        moved_because: Its reason.
    """

    id: str
    twin: str
    quantity: str
    published: str
    band: str
    frozen_use: str
    use: str
    tier: int
    moved_on: str
    moved_because: str

    @property
    def uses(self) -> frozenset[str]:
        """Letters of its use: which of C, H, Z and D its parts have."""
        return frozenset(re.findall(r"\b[CHZD]\b", self.use))

    @property
    def held_out(self) -> bool:
        """Whether any part is held out."""
        return "H" in self.uses

    @property
    def diagnostic(self) -> bool:
        """Whether every part is diagnostic, so that the row never counts."""
        return self.uses == {"D"}


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Return every row of the table, in its order."""
    place = files("orchestrator.twins").joinpath("data", "validation_table.csv")
    by_seed = {t.seed: t.name for t in TWINS.values()}
    lines = place.read_text(encoding="utf-8").splitlines()
    return tuple(_row(entry, by_seed[entry["seed"]]) for entry in csv.DictReader(lines))


def _row(entry: dict[str, str], twin: str) -> PublishedRow:
    return PublishedRow(
        entry["id"],
        twin,
        entry["quantity_conditions"],
        entry["published_value_spread"],
        entry["acceptance_band"],
        entry["use"],
        entry["use_after_move"] or entry["use"],
        int(entry["tier"]),
        entry["moved_on"],
        entry["moved_because"],
    )
