"""A campaign after its file was checked: everything in the station's units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from agents import (
    Categorical,
    Condition,
    Continuous,
    Feature,
    Fixed,
    LinearConstraint,
    Objective,
    Parameter,
    Space,
    Value,
)
from orchestrator.campaign._later import LaterObservable
from orchestrator.campaign._matter import MatterBudget

_KINDS: dict[str, type[Continuous] | type[Categorical] | type[Fixed]] = {
    "continuous": Continuous,
    "categorical": Categorical,
    "fixed": Fixed,
}


@dataclass(frozen=True, slots=True)
class Campaign:
    """One goal pursued on one station, as the loop needs it.

    Attributes:
        declared: The file as it was given.
        observables: What the station does not measure and is attached to trials later.
        space: In station units, complete: what the file leaves out is fixed at its default.
        lab: `{"hidden": seed}` or None.
        lab_seed: Keys the noise of a simulated laboratory.
        hours: Budget on the station's clock [h].
        confidence: Of the target stop rule, or None without one.
        in_doubt: What becomes of an interrupted trial, or None for the station's own policy.
        labs: The labs whose workers may run its trials; empty means any.
        matter: What it may draw of stocks, and what that may cost.
    """

    declared: Mapping[str, Any]
    name: str
    station: str
    space: Space
    objectives: tuple[Objective, ...]
    agent: str
    agent_options: Mapping[str, Any] = field(default_factory=dict)
    lab: Mapping[str, Any] | None = None
    lab_seed: int = 0
    batch: int = 1
    trials: int | None = None
    hours: float | None = None
    confidence: float | None = None
    no_improvement: int | None = None
    approval: bool = False
    in_doubt: str | None = None
    seed: int = 0
    labs: tuple[str, ...] = ()
    observables: tuple[LaterObservable, ...] = ()
    matter: MatterBudget = field(default_factory=MatterBudget)

    def resolved(self) -> dict[str, Any]:
        """Return the campaign as a JSON document that `from_resolved` takes."""
        document = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("declared", "space", "objectives")
        }
        document["lab"] = dict(self.lab) if self.lab else None
        document["agent_options"] = dict(self.agent_options)
        document["space"] = [_parameter_document(p) for p in self.space.parameters]
        document["features"] = [asdict(f) for f in self.space.features]
        document["constraints"] = [asdict(c) for c in self.space.constraints]
        document["objectives"] = [asdict(o) for o in self.objectives]
        document["labs"] = list(self.labs)
        document["observables"] = [o.document() for o in self.observables]
        document["matter"] = self.matter.document()
        return document


def from_resolved(declared: Mapping[str, Any], document: Mapping[str, Any]) -> Campaign:
    """Rebuild a campaign from its recorded documents."""
    fields = dict(document)
    parameters = tuple(_parameter(p) for p in fields.pop("space"))
    constraints = tuple(
        LinearConstraint(tuple((n, w) for n, w in c["terms"]), c["bound"], c["text"])
        for c in fields.pop("constraints")
    )
    features = tuple(Feature(**f) for f in fields.pop("features", []))
    objectives = tuple(Objective(**o) for o in fields.pop("objectives"))
    fields["labs"] = tuple(fields.get("labs", ()))
    fields["observables"] = tuple(LaterObservable(**o) for o in fields.get("observables", ()))
    fields["matter"] = MatterBudget(**fields.get("matter", {}))
    return Campaign(
        declared=declared,
        space=Space(parameters, constraints, features=features),
        objectives=objectives,
        **fields,
    )


def _parameter_document(parameter: Parameter) -> dict[str, Any]:
    kind = next(k for k, v in _KINDS.items() if isinstance(parameter, v))
    return {"kind": kind, **asdict(parameter)}


def _parameter(document: Mapping[str, Any]) -> Parameter:
    fields = dict(document)
    kind = _KINDS[fields.pop("kind")]
    when = fields.pop("when")
    condition = Condition(when["parameter"], tuple(when["choices"])) if when else None
    if "choices" in fields:
        fields["choices"] = tuple(fields["choices"])
    return kind(**fields, when=condition)


def quantity(value: Value, unit: str) -> Any:
    """Return a value as the contract shows it: a categorical as text, a number with its unit."""
    return value if isinstance(value, str) else {"value": value, "unit": unit}
