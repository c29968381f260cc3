"""Proposes recipes with a sampler of Optuna at its defaults; runs in the peer's environment.

{"begin": {"sampler", "seed", "parameters"}} opens a study; {"propose": {"told": [...]}} tells it
the trials since and answers {"recipe", "seconds"}. A trial told is {"recipe", "value",
"constraints"}; a null value is a failed trial. What the study proposed last is told to that trial.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import optuna


class Study:
    """A study with the parameters of one problem."""

    def __init__(self, sampler: str, seed: int, parameters: list[dict[str, Any]]) -> None:
        kind = getattr(optuna.samplers, sampler)
        self.study = optuna.create_study(sampler=kind(seed=seed))
        self.parameters = parameters
        self.asked: Any = None

    def propose(self, told: list[dict[str, Any]]) -> dict[str, Any]:
        """Tell finished trials, then ask for a recipe."""
        begun = time.perf_counter()
        for entry in told:
            self._tell(entry)
        self.asked = self.study.ask()
        recipe = self._suggested(self.asked)
        return {"recipe": recipe, "seconds": time.perf_counter() - begun}

    def _tell(self, entry: dict[str, Any]) -> None:
        trial = self.asked
        if trial is None:
            self.study.enqueue_trial(entry["recipe"])
            trial = self.study.ask()
            self._suggested(trial)
        self.asked = None
        if entry["value"] is None:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        for place, excess in enumerate(entry["constraints"]):
            trial.set_constraint(f"bound {place}", excess)
        self.study.tell(trial, entry["value"])

    def _suggested(self, trial: Any) -> dict[str, Any]:
        recipe: dict[str, Any] = {}
        for p in self.parameters:
            when = p["when"]
            if when is not None and recipe.get(when["parameter"]) not in when["choices"]:
                continue
            recipe[p["name"]] = _suggest(trial, p)
        return recipe


def _suggest(trial: Any, p: dict[str, Any]) -> Any:
    if p["kind"] == "categorical":
        return trial.suggest_categorical(p["name"], p["choices"])
    if p["integer"]:
        return trial.suggest_int(p["name"], round(p["low"]), round(p["high"]), log=p["log"])
    return trial.suggest_float(p["name"], p["low"], p["high"], log=p["log"], step=p["step"])


def main() -> None:
    """Answer questions, a line each."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study: Study | None = None
    for line in sys.stdin:
        question = json.loads(line)
        if "begin" in question:
            study, answer = Study(**question["begin"]), {"version": optuna.__version__}
        elif study is not None:
            answer = study.propose(**question["propose"])
        else:
            raise SystemExit("a study must begin before it proposes; send begin first")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
