"""What workers report, read in the station's words and units before anything is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.campaign import reported_observables, reported_parameters
from orchestrator.errors import InputRefusedError
from orchestrator.fleet._models import Member, Result


def read_results(
    station: Mapping[str, Any], members: Sequence[Member], results: Sequence[Result]
) -> list[Result]:
    """Return results with the observables of a declared station in its units.

    Args:
        station: The description that the campaign was opened with.
        members: The attempts of the lease.
        results: What was sent.

    Raises:
        InputRefusedError: results that are not one for each attempt, values that the station has
            no place for, or numbers that nothing could be learned from.
    """
    wanted = {(m.trial, m.attempt) for m in members}
    given = [(r.trial, r.attempt) for r in results]
    if set(given) != wanted or len(given) != len(wanted):
        raise InputRefusedError(
            f"a lease needs one result for each attempt {sorted(wanted)}, but got {sorted(given)}"
        )
    return [read_result(station, r) for r in results]


def read_result(station: Mapping[str, Any], result: Result) -> Result:
    """Return one result with the observables of a declared station in its units.

    Raises:
        InputRefusedError: as `read_results`.
    """
    problems: list[str] = []
    reported_parameters(station["parameters"], result.achieved, problems.append)
    conditions = dict(result.conditions)
    if station.get("declared"):
        conditions |= _observables(station["observables"], conditions, problems)
    if problems:
        raise InputRefusedError([f"trial {result.trial}: {text}" for text in problems])
    return result.model_copy(update={"conditions": conditions})


def _observables(
    declared: Sequence[Mapping[str, Any]],
    conditions: Mapping[str, Mapping[str, Any]],
    problems: list[str],
) -> dict[str, dict[str, Any]]:
    """Return the observables among the conditions that came in another unit than declared."""
    units = {o["name"]: o["unit"] for o in declared}
    given = {name: entry for name, entry in conditions.items() if name in units}
    if not given:
        return {}
    read = reported_observables(declared, given, problems.append)
    return {n: e for n, e in read.items() if given[n].get("unit", "") != units[n]}
