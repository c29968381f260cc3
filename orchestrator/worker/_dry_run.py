"""A rehearsal of recipes on a station: every command, every volume, and every refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

from instruments import (
    AttemptKey,
    BatchStation,
    InstrumentError,
    RecipeRefusedError,
    Station,
    StationStoppedError,
    TrialFailedError,
    Value,
    create_station,
)
from instruments.draws import draws_of
from instruments.place import stale
from instruments.rehearsal import Command, Recorder, RehearsedStation, plain
from orchestrator.errors import InputRefusedError
from orchestrator.worker._station_file import StationFile

Recipes = Sequence[Mapping[str, Value]]


def rehearse(file: StationFile, recipes: Recipes, today: date) -> dict[str, Any]:
    """Run recipes through the station's own procedure on simulated instruments.

    The rehearsal is on the nominal laboratory without drivers, so no wire is opened.

    Args:
        file: The station in its place.
        recipes: Complete; several only where the station takes a batch.
        today: For calibrations and lots.

    Raises:
        InputRefusedError: every limit, rule, calibration, lot and stock that forbids the run.
    """
    station = create_station(file.station, file.surroundings or None)
    if not isinstance(station, RehearsedStation):
        raise InputRefusedError(
            f"{file.station} cannot be watched, so it has no rehearsal; give it `watch` "
            "(instruments.rehearsal)"
        )
    problems = stale(file.place, today)
    limits = [f"{_nth(i, recipes)}{v.message}" for i, r in enumerate(recipes)
              for v in station.check(r)]  # fmt: skip
    if limits:
        raise InputRefusedError([*problems, *limits])
    recorder = Recorder(lambda command, given: draws_of(file.station, command, given))
    station.watch(recorder.rig)
    warnings, failure = _run(station, recipes)
    recorder.finish()
    problems += _short(file, recorder.volumes)
    if problems:
        raise InputRefusedError(problems)
    return {
        "station": file.station,
        "lab": file.lab,
        "recipes": [dict(r) for r in recipes],
        "duration": {"value": station.lab_time, "unit": "s"},
        "commands": [_command(c) for c in recorder.commands],
        "volumes": _volumes(file, recorder.volumes),
        "waste": {"value": sum(recorder.volumes.values()), "unit": "µL"},
        "tubing": {n: {"value": t.volume, "unit": "µL"} for n, t in file.tubing.items()},
        "warnings": warnings,
        "failure": failure,
    }


def _nth(index: int, recipes: Recipes) -> str:
    return f"recipe {index + 1}: " if len(recipes) > 1 else ""


def _run(station: Station, recipes: Recipes) -> tuple[list[str], str | None]:
    """Warnings of the rehearsal, and how the nominal laboratory failed, if it did.

    Raises:
        InputRefusedError: the station refuses the recipes together.
    """
    keys = [AttemptKey(trial + 1, 1) for trial in range(len(recipes))]
    station.open()
    try:
        if station.description.max_batch > 1:
            made = cast(BatchStation, station).run_batch(recipes, keys)
        elif len(recipes) == 1:
            made = [station.run(recipes[0], keys[0])]
        else:
            raise InputRefusedError(
                f"{station.description.name} runs one recipe at a time, but got {len(recipes)}; "
                "rehearse them one by one"
            )
    except RecipeRefusedError as error:
        raise InputRefusedError([v.message for v in error.violations]) from error
    except (TrialFailedError, StationStoppedError) as error:
        return [], str(error)
    except InstrumentError as error:
        raise InputRefusedError(str(error)) from error
    finally:
        station.close()
    return list(dict.fromkeys(w for m in made for w in m.warnings)), None


def _short(file: StationFile, volumes: Mapping[str, float]) -> list[str]:
    """Every lot that holds less than is drawn, and a waste that does not hold all of it."""
    found = [
        f"stock {name!r} must last for the run: it takes {volumes[name]:.4g} µL, but lot "
        f"{lot.lot!r} holds {lot.volume:.4g} µL; put up more, or ask for less"
        for name, lot in file.stocks.items()
        if volumes.get(name, 0.0) > lot.volume
    ]
    total = sum(volumes.values())
    if file.waste is not None and total > file.waste.capacity:
        found.append(
            f"the waste must hold what leaves the station: up to {total:.4g} µL, but it holds "
            f"{file.waste.capacity:.4g} µL; empty it, or ask for less"
        )
    return found


def _volumes(file: StationFile, volumes: Mapping[str, float]) -> dict[str, Any]:
    lots = {name: lot.lot for name, lot in file.stocks.items()}
    return {
        name: {"value": volume, "unit": "µL", "lot": lots.get(name)}
        for name, volume in volumes.items()
    }


def _command(command: Command) -> dict[str, Any]:
    return {
        "time": command.time,
        "instrument": command.instrument,
        "command": command.command,
        "arguments": plain(command.arguments),
        "duration": command.duration,
        "volumes": command.volumes,
    }
