"""What an explanation is drawn from: the checked record, its space, and who models it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from agents import Agent, PastTrial, Recipe, Space
from agents.encoding import Encoding
from agents.errors import AgentError
from agents.explain import Explainable, Surrogate, reference_surrogate
from instruments import InstrumentError
from orchestrator.errors import RecordError
from orchestrator.ledger import Ledger, check_integrity
from orchestrator.loop import feasibility, history, make_agent, station_of
from orchestrator.report._record import Record, read_record


@dataclass(frozen=True)
class Subject:
    """A campaign to be explained.

    Attributes:
        record: The campaign with its trials and events.
        space: Its space, with the station's own check where the station is at hand.
        agent: Its planner; None where that is not installed, or never was one.
        warnings: What a reader should know of how it was read.
    """

    record: Record
    space: Space
    agent: Agent | None
    warnings: tuple[str, ...] = ()

    @cached_property
    def encoding(self) -> Encoding:
        """The space in numbers."""
        return Encoding(self.space)

    @cached_property
    def past(self) -> tuple[PastTrial, ...]:
        """The whole history."""
        return history(self.record.trials)

    @property
    def own(self) -> bool:
        """Whether the agent has a model of its own."""
        return isinstance(self.agent, Explainable)

    def surrogate(
        self, past: Sequence[PastTrial], observables: Sequence[str], seed: int
    ) -> Surrogate:
        """Fit the agent's model, or Gaussian processes in its place, to a history."""
        fit = self.agent.surrogate if isinstance(self.agent, Explainable) else reference_surrogate
        return fit(self.space, self.record.objectives, past, observables, seed)

    def model_document(self) -> dict[str, str]:
        """Say whose model explains."""
        name = self.record.campaign.agent
        if self.agent is not None and self.own:
            text = f"the models by which agent {name} {self.agent.version} chooses, fitted again"
            return {"kind": "agent", "agent": name, "text": text}
        why = "has no model" if self.agent is not None else "is no installed agent"
        text = f"Gaussian processes fitted to the record; agent {name} {why}"
        if self.record.row.source == "imported":
            text = "Gaussian processes fitted to the record, which was imported and has no agent"
        return {"kind": "reference", "agent": name, "text": text}


def read_subject(ledger: Ledger, campaign_id: str) -> Subject:
    """Read and check a campaign.

    Raises:
        NotFoundError: no such campaign.
        RecordError: its record is not as it was written.
    """
    row = ledger.campaign(campaign_id)
    if findings := check_integrity(ledger, row.id).findings:
        first = findings[0]
        raise RecordError(
            f"an explanation needs a record that is as it was written, but {first.where} "
            f"{first.what}; see the rest with `dotpilot replay verify {row.id}`"
        )
    record = read_record(ledger, row.id)
    space, warnings = _space(record)
    return Subject(record, space, _agent(record), tuple(warnings))


def _agent(record: Record) -> Agent | None:
    try:
        return make_agent(record.campaign)
    except AgentError:
        return None


def _space(record: Record) -> tuple[Space, list[str]]:
    space, row = record.campaign.space, record.row
    if row.source == "imported":
        return space, []
    try:
        station = station_of(record.campaign, row.station_description)
    except InstrumentError as error:
        return space, [f"what the station cannot make is not considered: {error}"]
    now, then = station.description.version, row.station_description["version"]
    warnings = []
    if now != then:
        warnings = [f"what can be made is checked by version {now} of the station, not {then}"]
    return replace(space, infeasible=feasibility(station)), warnings


def recipe_document(record: Record, recipe: Recipe) -> dict[str, object]:
    """Return a recipe as the reference has it."""
    return {
        name: value
        if isinstance(value, str)
        else {"value": value, "unit": record.units.get(name, "")}
        for name, value in recipe.items()
    }


def wanted_document(record: Record, observable: str) -> list[float | None] | None:
    """Return the bounds [low, high] that the campaign wants of an observable; None of no wish."""
    ends = [o.bounds() for o in record.wishes(observable)]
    lows = [low for low, _ in ends if low is not None]
    highs = [high for _, high in ends if high is not None]
    if not lows and not highs:
        return None
    return [max(lows, default=None), min(highs, default=None)]
