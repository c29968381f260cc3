"""States of campaigns and trials, and the legal moves between them. Pure."""

from __future__ import annotations

from typing import Literal

from orchestrator.errors import TransitionError

TrialState = Literal[
    "proposed",
    "approved",
    "dispatched",
    "running",
    "measured",
    "completed",
    "rejected",
    "failed",
    "abandoned",
    "in_doubt",
]
CampaignState = Literal["draft", "running", "paused", "draining", "finished", "stopped", "failed"]
StopReason = Literal[
    "target_reached", "no_improvement", "budget_spent", "stopped", "station_stopped"
]

TRIAL_MOVES: dict[str, frozenset[str]] = {
    "proposed": frozenset({"proposed", "approved", "dispatched", "abandoned"}),
    "approved": frozenset({"dispatched", "abandoned"}),
    # back to approved, or abandoned: only where whoever holds the lease says that nothing moved
    "dispatched": frozenset({"running", "failed", "in_doubt", "approved", "abandoned"}),
    "running": frozenset({"measured", "failed", "in_doubt"}),
    "measured": frozenset({"completed", "rejected", "failed", "in_doubt"}),
    "in_doubt": frozenset({"completed", "approved", "abandoned"}),
    "rejected": frozenset({"approved"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "abandoned": frozenset(),
}
CAMPAIGN_MOVES: dict[str, frozenset[str]] = {
    "draft": frozenset({"running", "finished", "stopped"}),
    "running": frozenset({"running", "paused", "draining", "finished", "stopped", "failed"}),
    "paused": frozenset({"running", "draining", "stopped", "failed"}),
    "draining": frozenset({"paused", "running", "finished", "stopped", "failed"}),
    "failed": frozenset({"running", "stopped"}),
    "stopped": frozenset({"running"}),
    "finished": frozenset(),
}
IN_FLIGHT: frozenset[str] = frozenset({"dispatched", "running", "measured"})
# Something was made and its attempt is over, so that it can still be measured in other ways.
ATTACHABLE: frozenset[str] = frozenset({"completed", "rejected", "failed"})
ENDED: frozenset[str] = frozenset({"completed", "rejected", "failed", "abandoned"})


def check_move(kind: Literal["trial", "campaign"], name: str, old: str, new: str) -> None:
    """Refuse a move that the state diagram does not have.

    Raises:
        TransitionError: naming what, its state, and the states that it can move to.
    """
    legal = (TRIAL_MOVES if kind == "trial" else CAMPAIGN_MOVES).get(old, frozenset())
    if new not in legal:
        options = ", ".join(sorted(legal)) or "nothing: this state is final"
        raise TransitionError(
            f"{kind} {name} is {old} and can move to {options}, but {new} was asked for"
        )
