"""What a plate draws of each liquid: a robot's fills, counted as they are confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instruments import plate_deck
from instruments.doses import Dose
from instruments.procedures.plate import Robot, WellPlan


class CountingRobot:
    """A robot whose confirmed fills are counted; it is otherwise the one inside.

    Args:
        robot: Does the work.
    """

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._filled: list[WellPlan] = []
        self._begun: WellPlan | None = None

    def identify(self) -> Mapping[str, Any]:
        """Say what the robot is."""
        return self._robot.identify()

    def new_plate(self, plans: Sequence[WellPlan]) -> None:
        """Take a fresh plate."""
        self._robot.new_plate(plans)

    def fill(self, well: int, plan: WellPlan) -> None:
        """Fill a well; until the robot confirms it, its doses are in doubt."""
        self._begun = plan
        self._robot.fill(well, plan)
        self._filled.append(plan)
        self._begun = None

    def doses(self, plans: Sequence[WellPlan]) -> list[dict[str, Dose]]:
        """Return the doses of each of these wells, which are filled in their order [µL]."""
        done = len(self._filled)
        begun = 1 if self._begun is not None else 0
        known = [_doses(plan) for plan in plans[:done]]
        doubtful = [_doses(plan, least=0.0) for plan in plans[done : done + begun]]
        return [*known, *doubtful, *({} for _ in plans[done + begun :])]


def _doses(plan: WellPlan, least: float | None = None) -> dict[str, Dose]:
    demanded = {n: v for n, v in plate_deck.demands([plan]).items() if v > 0.0}
    return {n: Dose(v if least is None else least, v) for n, v in demanded.items()}
