"""The station in this process: built for a laboratory, opened, restored, and made safe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from instruments import Station, create_station
from instruments.guarded import GuardedStation
from instruments.kept import KeptStation, kept
from instruments.rounds import without_memory
from instruments.stopping import make_safe
from orchestrator.worker._run import members
from orchestrator.worker._station_file import StationFile, refuse_stale


class StationBay:
    """Holds the one station of a worker; used by one thread.

    Args:
        file: Which station this place owns.
        dispense_log: Gets one JSON line for each attempt that a simulated station dispenses.
        create: Makes a station by name; the installed ones, if left out.
        transcripts: Folder in which what goes over its wires is kept, in one for each campaign.
        today: Tells the day, for calibrations and lots; nobody asks for it where it is left out.
    """

    def __init__(
        self,
        file: StationFile,
        dispense_log: Path | None = None,
        create: Callable[..., Station] = create_station,
        transcripts: Path | None = None,
        today: Callable[[], date] | None = None,
    ) -> None:
        self._file, self._log, self._create = file, dispense_log, create
        self._transcripts, self._today = transcripts, today
        self._station: Station | None = None
        self._built_for = ""
        self._remembers = False
        self._spare: Any = None
        self._open = False

    def prepare(self, lease: Mapping[str, Any]) -> Station:
        """Return the station, open, as the laboratory that the lease names, in its last state.

        Raises:
            InputRefusedError: a calibration that the station demands, or a lot, is too old.
        """
        if self._today is not None:
            refuse_stale(self._file.place, self._today())
        laboratory = {
            **(lease.get("simulated") or {}),
            **self._file.laboratory,
            **self._file.wiring,
            **self._file.surroundings,
        }
        wanted = json.dumps([laboratory, lease["lab_seed"]], sort_keys=True)
        if self._station is None or wanted != self._built_for:
            self.make_safe()
            self._station = self._create(
                self._file.station, laboratory or None, seed=int(lease["lab_seed"])
            )
            self._built_for = wanted
            self._remembers = isinstance(self._station, GuardedStation)
            if self._transcripts is not None:
                self._station = kept(self._station, self._transcripts)
        if isinstance(self._station, KeptStation) and self._transcripts is not None:
            self._station.record.into(self._transcripts / str(lease["campaign"]))
        if not self._open:
            self._station.open()
            self._open = True
        state = lease.get("restore") or {}
        if not self._remembers:  # the file may have had procedures once
            state = without_memory(state)
        self._station.restore(state)
        return self._station

    def make_safe(self) -> None:
        """Bring every instrument to its safe state and let go of it; may be called twice."""
        if self._station is not None and self._open:
            self._open = False
            self._station.close()

    def warm(self) -> None:
        """Have at hand what an idle worker needs to reach its devices; opens nothing."""
        if self._spare is None and self._file.instruments:
            laboratory = self._file.laboratory | self._file.wiring
            self._spare = self._create(self._file.station, laboratory)

    def stop(self) -> tuple[list[str], dict[str, str]]:
        """Bring every device to its safe state at once; may be called from another thread.

        Returns:
            Devices that confirmed it, and why not for each of the others.
        """
        station = self._station
        if station is not None and self._open:
            devices = devices_of(station)
            problems = make_safe(devices)
            return [n for n in devices if n not in problems], problems
        self.warm()
        if self._spare is None:
            return [], {}
        bench = self._spare.bench()
        try:
            bench.open(identify=False)
            problems = {r.name: r.problem for r in bench.reached if r.problem}
            problems |= make_safe(bench.by_name)
            return [n for n in bench.by_name if n not in problems], problems
        finally:
            bench.close()

    def note_dispense(self, lease: Mapping[str, Any], worker: str, station: Station) -> None:
        """Write what is about to be dispensed, where a log is kept and the station simulated."""
        if self._log is None or not station.description.simulated:
            return
        lines = [
            json.dumps(
                {
                    "campaign": lease["campaign"],
                    "trial": key.trial,
                    "attempt": key.attempt,
                    "lease": lease["lease"],
                    "fence": lease["fence"],
                    "lab": self._file.lab,
                    "worker": worker,
                    "station": self._file.station,
                    "recipe": recipe,
                }
            )
            for key, recipe in members(lease)
        ]
        with self._log.open("a", encoding="utf-8") as file:  # one write, so lines never mingle
            file.write("".join(line + "\n" for line in lines))


def devices_of(station: Any) -> Mapping[str, Any]:
    """Return a station's instruments that have a safe state, as far as it names them."""
    named = getattr(station, "devices", None)
    return named() if named is not None else {}
