"""One lease on the station: from recipes to what is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from instruments import (
    AttemptKey,
    BatchStation,
    DeviceError,
    Measurement,
    RecipeRefusedError,
    Station,
    StationStoppedError,
    TrialFailedError,
)
from instruments.doses import batch_doses_of, doses_of
from orchestrator.errors import DotpilotError
from orchestrator.wire import result_document
from orchestrator.worker._bottles import Bottles
from orchestrator.worker._outbox import Route

Progress = Callable[[str], None]


class BrokenOffError(DotpilotError):
    """The run was given up between two steps of its procedure; nobody knows what it made."""


@dataclass(frozen=True)
class Outcome:
    """What came of a lease.

    Attributes:
        route: How it is reported.
        body: What is reported.
        problem: The exception that ended the run, where it says nothing of what happened, or
            where the station needs a person.
    """

    route: Route
    body: dict[str, Any]
    problem: BaseException | None = None


def members(lease: Mapping[str, Any]) -> list[tuple[AttemptKey, dict[str, Any]]]:
    """Return the attempts of a lease with their recipes, in the order of the run."""
    return [
        (AttemptKey(int(m["trial"]), int(m["attempt"])), dict(m["recipe"]))
        for m in lease["members"]
    ]


def run_lease(
    lease: Mapping[str, Any], station: Station, progress: Progress, bottles: Bottles
) -> Outcome:
    """Run what a lease holds on an open, restored station; every exception becomes an outcome."""
    work = members(lease)
    found = _outcome(lease, station, progress, bottles)
    if isinstance(found, Outcome):
        return found
    outcome, error = found
    doses = [doses_of(error)] if len(work) == 1 else batch_doses_of(error, len(work))
    bottles.note_drawn(lease, doses)
    drawn = {
        str(key.trial): bottles.labelled(d) for (key, _), d in zip(work, doses, strict=True) if d
    }
    return replace(outcome, body={**outcome.body, "doses": drawn})


def _outcome(
    lease: Mapping[str, Any], station: Station, progress: Progress, bottles: Bottles
) -> Outcome | tuple[Outcome, BaseException]:
    """Return what came of a run, with the exception that ended it, if one did."""
    work = members(lease)
    fence = int(lease["fence"])
    try:
        made = _measurements(station, work, progress)
    except RecipeRefusedError as error:
        return failure(fence, "refused", "refused_by_station", str(error)), error
    except TrialFailedError as error:
        body = failure(fence, "failed", error.reason, str(error)).body
        state = None if error.station_state is None else dict(error.station_state)
        body = {**body, "lab_time": station.lab_time, "station_state": state}
        return Outcome("fail", body), error
    except DeviceError as error:
        lost = f"{type(error).__name__}: {error}"
        return failure(fence, "unknown", "device_lost", lost), error
    except StationStoppedError as error:
        return failure(fence, "stopped", "station_stopped", str(error), error), error
    except BrokenOffError as error:
        return failure(fence, "unknown", "broken_off", str(error)), error
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
        return failure(fence, "unknown", "interrupted", said, error), error
    bottles.note_drawn(lease, [m.doses for m in made])
    results = [
        result_document(m, key.trial, key.attempt, station.lab_time, bottles.labelled(m.doses))
        for (key, _), m in zip(work, made, strict=True)
    ]
    return Outcome("result", {"fence": fence, "results": results})


def failure(
    fence: int, kind: str, reason: str, message: str, problem: BaseException | None = None
) -> Outcome:
    """Return a failure of this kind: failed, refused, unknown or stopped."""
    body = {"fence": fence, "kind": kind, "reason": reason[:200], "message": message[:4000]}
    return Outcome("fail", body, problem)


def _measurements(
    station: Station, work: Sequence[tuple[AttemptKey, dict[str, Any]]], progress: Progress
) -> Sequence[Measurement]:
    keys, recipes = [k for k, _ in work], [r for _, r in work]
    if len(work) == 1 and station.description.max_batch == 1:
        return [station.run(recipes[0], keys[0], progress)]
    found = cast(BatchStation, station).run_batch(recipes, keys, progress)
    if len(found) != len(work):
        raise DotpilotError(
            f"station {station.description.name} must return one measurement per recipe, but "
            f"returned {len(found)} for {len(work)}"
        )
    return found
