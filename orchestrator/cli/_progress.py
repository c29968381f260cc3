"""Live progress on stderr: a bar on a terminal, one line a trial elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from orchestrator.cli._context import say, settings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from orchestrator.campaign import Campaign
    from orchestrator.events import StepProposed
    from orchestrator.ledger import Ledger, TrialRow


class ProgressObserver:
    """Tells a person how the campaign goes: trial k of n, best so far, predicted and measured."""

    def __init__(self, ledger: Ledger, campaign_id: str, campaign: Campaign) -> None:
        self._ledger, self._id, self._campaign = ledger, campaign_id, campaign
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._ended, self._first_end, self._told = 0, 0.0, False

    def __enter__(self) -> ProgressObserver:
        if sys.stderr.isatty() and not settings.quiet:
            self._open_bar()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._bar = Progress(*columns, console=Console(stderr=True, emoji=False, markup=False))
        self._task = self._bar.add_task(self._campaign.name, total=self._campaign.trials, note="")
        self._bar.start()

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            say(text)

    def _note(self, text: str) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, note=text)

    def proposed(self, step: StepProposed) -> None:
        """Show what is going to be tried."""
        self._note(f"step {step.step}: {step.proposals[0].policy}")

    def running(self, trial: TrialRow) -> None:
        """Show the trial that runs."""
        if not self._told and self._ended == 0 and trial.number == 1:
            self._told = True
            self._line("the first trial takes longer: models are compiled at their first use")
        self._note(f"trial {trial.number} runs")

    def progress(self, text: str) -> None:
        """Show the station's own words."""
        self._note(text)
        if settings.verbose:
            self._line(f"    {text}")

    def ended(self, trial: TrialRow) -> None:
        """Show what came of a trial, beside what was predicted."""
        self._ended += 1
        if self._ended == 1:
            self._first_end = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=trial.number)
        self._line(self._sentence(trial))

    def _sentence(self, trial: TrialRow) -> str:
        total = f" of {self._campaign.trials}" if self._campaign.trials else ""
        head = f"trial {trial.number}{total}: {trial.state}"
        if trial.failure:
            head += f" ({trial.failure})"
        parts = [head, *(self._value(trial, name) for name in self._names(trial))]
        if (best := self._best()) is not None:
            parts.append(f"best so far {best}")
        if (left := self._left(trial.number)) is not None:
            parts.append(f"about {left} left")
        return " | ".join(parts)

    def _names(self, trial: TrialRow) -> list[str]:
        wanted = dict.fromkeys(o.observable for o in self._campaign.objectives)
        return [name for name in wanted if name in trial.observables]

    def _value(self, trial: TrialRow, name: str) -> str:
        seen = trial.observables[name]
        text = f"{name} {seen.value:.4g} {seen.unit}".rstrip()
        expected = trial.predicted.get(name)
        if expected:
            text += f" (predicted {expected['mean']:.4g} ± {expected['sd']:.2g})"
        return text

    def _best(self) -> int | None:
        from orchestrator.campaign import best_trial
        from orchestrator.loop import outcomes

        done = outcomes(self._ledger.trials(self._id))
        return best_trial(done, self._campaign.objectives, self._campaign.confidence)

    def _left(self, number: int) -> str | None:
        # the first trial is no measure of the rest: it compiles the models
        if self._campaign.trials is None or self._ended < 2:
            return None
        seconds = (time.monotonic() - self._first_end) / (self._ended - 1)
        return f"{seconds * max(0, self._campaign.trials - number):.0f} s"

    def finished(self, state: str, detail: str) -> None:
        """Say why the loop let go."""
        self._line(f"campaign {self._id} is {state}: {detail}")
