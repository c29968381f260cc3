"""Which event may follow: the moves of an event against the states before it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator import events as ev
from orchestrator.errors import NotFoundError, TransitionError
from orchestrator.events import Payload
from orchestrator.ledger._projection import Change
from orchestrator.trial import ATTACHABLE, check_move

# State and attempt of a trial, or None where there is no such trial.
TrialStanding = tuple[str, int] | None
# Events that speak of the attempt under way; the others may begin a new one.
_OF_PRESENT_ATTEMPT = (
    ev.TrialDispatched,
    ev.TrialRunning,
    ev.TrialMeasured,
    ev.TrialCompleted,
    ev.TrialRejected,
    ev.TrialFailed,
    ev.TrialInDoubt,
    ev.TrialObserved,
)


def check_event(
    campaign: str,
    state: str,
    payload: Payload,
    found: Iterable[Change],
    standing: Callable[[int], TrialStanding],
) -> None:
    """Refuse an event whose changes do not follow from the present states.

    Args:
        campaign: Identifier, for the message.
        state: The campaign's present state.
        payload: The event's payload.
        found: What the event would change.
        standing: Looks up a trial's present state and attempt.

    Raises:
        NotFoundError: the event speaks of a trial that does not exist.
        TransitionError: an illegal move, a trial made twice, or an event of another attempt.
    """
    for change in found:
        if change.table == "campaign":
            _check_campaign(campaign, state, change)
        elif change.table == "trial":
            _check_trial(campaign, change, payload, standing(change.key[1]))


def _check_campaign(campaign: str, state: str, change: Change) -> None:
    if change.new:
        raise TransitionError(
            f"a campaign is created once, by its first event, but {campaign} exists; "
            "create another one instead"
        )
    if "state" in change.columns:
        check_move("campaign", campaign, state, change.columns["state"])


def _check_trial(campaign: str, change: Change, payload: Payload, before: TrialStanding) -> None:
    number = change.key[1]
    if change.new:
        if before is not None:
            raise TransitionError(
                f"a trial's number is given once, but campaign {campaign} has a trial {number}, "
                f"which is {before[0]}; number new trials from the next free one"
            )
        return
    if before is None:
        raise NotFoundError(f"campaign {campaign} has no trial {number}; propose it first")
    if "state" in change.columns:
        check_move("trial", str(number), before[0], change.columns["state"])
    elif before[0] not in ATTACHABLE:
        raise TransitionError(
            f"a later measurement belongs to a trial that is {', '.join(sorted(ATTACHABLE))}, but "
            f"trial {number} is {before[0]}"
        )
    if isinstance(payload, _OF_PRESENT_ATTEMPT) and payload.attempt != before[1]:
        raise TransitionError(
            f"an event must speak of its trial's present attempt, but trial {number} is at "
            f"attempt {before[1]} and the event at {payload.attempt}; read the trial again"
        )
