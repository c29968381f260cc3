"""A person as the instrument: ask for a recipe, tell what came of it, some of it days later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.campaign import quantity, reported_observables, reported_parameters
from orchestrator.errors import InputRefusedError, NotFoundError
from orchestrator.events import canonical
from orchestrator.worker._desk import Desk

DAY = 86_400.0  # s
LONGEST_NOTE = 4000  # characters of what is known so far, which travel as a lease's progress
SAFE_WITHIN = 60.0  # s; a person is asked for nothing in that time, but a worker declares one


class Spectrum(BaseModel):
    """A spectrum that a person attaches; kept as raw data."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    axis: list[float]
    values: list[float]
    axis_unit: str
    unit: str
    settings: dict[str, Any] = {}


class Failed(BaseModel):
    """The recipe failed in a way that says something about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: str = Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")
    message: str = ""


class ResultsFile(BaseModel):
    """What a person writes about one trial.

    Attributes:
        observables: `{name: {value, unit, se}}`, in any unit of the declared dimension.
        conditions: Further numbers, `{name: {value, unit}}`.
        spectra: Raw data, where there are any.
        warnings: Sentences for people.
        failed: Instead of observables: a word such as `no_emission`, and what happened.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    observables: dict[str, Any] = {}
    conditions: dict[str, dict[str, Any]] = {}
    spectra: list[Spectrum] = []
    warnings: list[str] = []
    failed: Failed | None = None


def person(lab: str, station: str) -> str:
    """Return the name of the worker that the people of a lab are."""
    return f"people-{lab}-{station}"


def ask(
    desk: Desk, campaign: str, station: Mapping[str, Any], lab: str, days: float, another: bool
) -> dict[str, Any] | None:
    """Lease a trial for a person; the one that the lab holds already, unless another is wanted.

    Args:
        desk: Where to ask.
        campaign: Identifier.
        station: Its description.
        lab: Name of the place.
        days: Length of the lease [d].
        another: Lease a further trial although one is held.

    Returns:
        What to make and what to report, or None where nothing waits.
    """
    name = person(lab, station["name"])
    desk.register_worker(
        name,
        {
            "lab": lab,
            "station": station["name"],
            "version": "by hand",
            "safe_within": SAFE_WITHIN,
            "details": {"kind": "person"},
        },
    )
    held = [] if another else [x for x in desk.leases(name) if x["campaign"] == campaign]
    lease = held[0] if held else desk.lease(name, lease_s=days * DAY, campaign=campaign)
    return None if lease is None else _sheet(lease, station)


def _sheet(lease: Mapping[str, Any], station: Mapping[str, Any]) -> dict[str, Any]:
    units = {p["name"]: p["unit"] for p in station["parameters"]}
    (member,) = lease["members"]
    recipe = {n: quantity(v, units.get(n, "")) for n, v in member["recipe"].items()}
    return {
        "campaign": lease["campaign"],
        "trial": member["trial"],
        "attempt": member["attempt"],
        "recipe": recipe,
        "observables": [{"name": o["name"], "unit": o["unit"]} for o in station["observables"]],
        "known": _known(lease),
        "lab": lease["lab"],
        "lease": lease["lease"],
        "fence": lease["fence"],
        "expires_in": lease["expires_in"],
    }


def _known(lease: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was told of a trial so far, which its lease carries as progress."""
    try:
        found = json.loads(lease.get("progress") or "{}")
    except ValueError:
        return {}
    return dict(found) if isinstance(found, dict) else {}


def tell(
    desk: Desk,
    campaign: str,
    number: int,
    station: Mapping[str, Any],
    lab: str,
    results: Mapping[str, Any],
    achieved: Mapping[str, Any],
    partial: bool,
) -> None:
    """Report what came of a trial that the lab holds; with `partial`, the rest comes later.

    Raises:
        InputRefusedError: mistakes in what was written; nothing is recorded.
        NotFoundError: the lab holds no such trial.
    """
    if not station.get("declared"):
        raise InputRefusedError(
            f"only values of a declared station are told, but {station['name']} derives its "
            "observables from raw data; report those with a worker or over the API"
        )
    file, told = _read(station, results, achieved, partial)
    lease = _lease(desk, campaign, number, person(lab, station["name"]), lab)
    (member,) = lease["members"]
    before = _known(lease)
    for part in ("conditions", "achieved"):
        told[part] = {**before.get(part, {}), **told[part]}
    told["warnings"] = [*before.get("warnings", []), *told["warnings"]]
    if partial:
        _keep(desk, lease, told)
        return
    if file.failed is not None:
        body = {"fence": lease["fence"], "kind": "failed", **file.failed.model_dump()}
        desk.send_failure(lease["lease"], body)
        return
    if not any(o["name"] in told["conditions"] for o in station["observables"]):
        raise InputRefusedError(
            "no observable is known of this trial; give one, or `failed: {reason, message}`"
        )
    result = {
        "trial": member["trial"],
        "attempt": member["attempt"],
        **told,
        "spectra": [s.model_dump() for s in file.spectra],
        "identities": [{"instrument": "people", "lab": lab, "simulated": False}],
    }
    desk.send_result(lease["lease"], {"fence": lease["fence"], "results": [result]})


def _read(
    station: Mapping[str, Any],
    results: Mapping[str, Any],
    achieved: Mapping[str, Any],
    partial: bool,
) -> tuple[ResultsFile, dict[str, Any]]:
    """Check both files; return the first, and what they say in declared units."""
    try:
        file = ResultsFile.model_validate(results)
    except ValidationError as error:
        raise InputRefusedError(
            [
                f"results: {'.'.join(map(str, e['loc']))}: {e['msg']}"
                for e in error.errors(include_url=False)
            ]
        ) from error
    problems: list[str] = []
    read: dict[str, Any] = {}
    if file.observables:
        read = reported_observables(station["observables"], file.observables, problems.append)
    made = reported_parameters(station["parameters"], achieved, problems.append)
    known = {o["name"] for o in station["observables"]}
    problems += [f"conditions: {n} is an observable" for n in file.conditions if n in known]
    if file.failed is not None and (file.observables or partial):
        problems.append("failed: a trial that failed has no observables, and no rest to come")
    if partial and file.spectra:
        problems.append("spectra: give them with the last values, not with --partial")
    if problems:
        raise InputRefusedError(problems)
    conditions = {**file.conditions, **read}
    return file, {
        "conditions": conditions, "achieved": made, "warnings": list(file.warnings)
    }  # fmt: skip


def _lease(desk: Desk, campaign: str, number: int, name: str, lab: str) -> dict[str, Any]:
    for lease in desk.leases(name):
        members = [m["trial"] for m in lease["members"]]
        if lease["campaign"] == campaign and number in members:
            return lease
    raise NotFoundError(
        f"lab {lab} holds no trial {number} of campaign {campaign}; `dotpilot ask` gives one, and "
        "`dotpilot trials` shows which are in doubt because a lease ran out"
    )


def _keep(desk: Desk, lease: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    text = canonical(dict(told))
    if len(text) > LONGEST_NOTE:
        raise InputRefusedError(
            f"what is known before the rest comes may take {LONGEST_NOTE} characters, but takes "
            f"{len(text)}; keep the longer notes for the last values"
        )
    left = lease["expires_in"] or 0.0
    desk.heartbeat(lease["lease"], lease["fence"], text, lease_s=max(left, 14.0 * DAY))
