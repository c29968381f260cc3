"""What runs of a worker draw, with the bottles of its station file, and whether these suffice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instruments import Station
from instruments.doses import Dose, Doses, total
from instruments.station import Consuming
from orchestrator.errors import DotpilotError
from orchestrator.worker._outbox import Outbox
from orchestrator.worker._station_file import StationFile

ROUNDING = 1e-6  # µL by which sums of doses may err
Labelled = dict[str, dict[str, Any]]


class BottleShortError(DotpilotError):
    """A run could not be finished with what there is; nothing has moved."""


class Bottles:
    """The bottles of a station file, drawn from by the runs of one outbox.

    Args:
        file: Names them.
        outbox: Keeps what was drawn.
    """

    def __init__(self, file: StationFile, outbox: Outbox) -> None:
        self._file, self._outbox = file, outbox
        self._lots = file.stores.stocks

    def labelled(self, doses: Doses) -> Labelled:
        """Return doses as they are reported, each with its bottle."""
        return {
            stock: {
                "least": dose.least,
                "most": dose.most,
                "lab": self._file.lab,
                "lot": self._lot(stock),
            }
            for stock, dose in doses.items()
        }

    def set_aside(
        self, lease: Mapping[str, Any], station: Station, recipes: Mapping[int, Mapping[str, Any]]
    ) -> dict[int, Labelled]:
        """Note what a run may draw before anything moves; return it by trial.

        Raises:
            BottleShortError: a bottle, or the station as it stands, does not suffice.
        """
        if not isinstance(station, Consuming):
            return {}
        needs = station.needs(list(recipes.values()))
        supplies = station.supplies()
        short = [p for stock, most in needs.items() if (p := self._short(stock, most, supplies))]
        if short:
            raise BottleShortError(
                f"a run must be finished with what there is, but {'; '.join(short)}; open a new "
                "bottle in the station file and start the worker again"
            )
        self._note(lease, needs)
        return {
            trial: self.labelled(
                {n: Dose(0.0, most) for n, most in station.needs([recipe]).items() if most > 0.0}
            )
            for trial, recipe in recipes.items()
        }

    def note_drawn(self, lease: Mapping[str, Any], doses: Sequence[Doses]) -> None:
        """Note what a run has drawn, where anybody knows."""
        if found := total(doses):
            self._note(lease, {stock: dose.most for stock, dose in found.items()})

    def _note(self, lease: Mapping[str, Any], volumes: Mapping[str, float]) -> None:
        drawn = {s: (self._lot(s), v) for s, v in volumes.items() if v > 0.0}
        self._outbox.note_doses(lease, drawn)

    def _lot(self, stock: str) -> str:
        found = self._lots.get(stock)
        return "" if found is None else found.lot

    def _short(self, stock: str, most: float, supplies: Mapping[str, float]) -> str:
        lot = self._lots.get(stock)
        left = supplies.get(stock, most)
        if lot is not None:
            left = min(left, lot.volume - self._outbox.drawn(stock, lot.lot))
        if most <= left + ROUNDING:
            return ""
        return (
            f"{stock} falls {most - left:.1f} µL short: up to {most:.1f} µL may be drawn and "
            f"{max(left, 0.0):.1f} µL are surely there"
        )
