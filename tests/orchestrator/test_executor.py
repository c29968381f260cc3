"""Wherever calls run, their results, order and errors are the same, and nothing is left behind."""

from __future__ import annotations

import json
import math
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.cli import main
from orchestrator.errors import DotpilotError, InputRefusedError
from orchestrator.executor import (
    ONE_THREAD,
    Executor,
    InlineExecutor,
    PoolExecutor,
    RayExecutor,
    open_executor,
)
from orchestrator.ledger import Ledger
from tests.records import finished_campaign

KINDS: dict[str, Callable[[], Executor]] = {
    "inline": InlineExecutor,
    "pool": lambda: PoolExecutor(2),
    "ray": lambda: RayExecutor("auto"),
}
RAY = pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.filterwarnings("default")])
# Two tasks that would take an hour, and a line once both are under way.
LONG = """
import sys, time
from orchestrator.executor import PoolExecutor

if __name__ == "__main__":
    with PoolExecutor(2) as pool:
        list(pool.map(abs, (1, 2)))
        futures = [pool.submit(time.sleep, 3600.0) for _ in range(2)]
        print("under way", flush=True)
        [f.result() for f in futures]
"""


@pytest.fixture(params=["inline", "pool", RAY])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        pytest.importorskip("ray", reason="needs Ray (make ray-check)")
    with KINDS[request.param]() as made:
        yield made
    assert multiprocessing.active_children() == []


def test_results_come_in_order_and_errors_as_they_were_raised(executor: Executor) -> None:
    assert list(executor.map(pow, range(20), [2] * 20)) == [n * n for n in range(20)]
    assert sorted(executor.completed(math.factorial, range(6))) == [1, 1, 2, 6, 24, 120]
    assert executor.submit(math.hypot, 3.0, 4.0).result() == 5.0
    with pytest.raises(ZeroDivisionError):
        list(executor.map(operator.truediv, (1, 1), (1, 0)))
    with pytest.raises(KeyError, match="gone"):
        executor.submit(operator.getitem, {}, "gone").result()
    if not isinstance(executor, InlineExecutor):
        assert set(executor.map(os.getenv, ONE_THREAD)) == {"1"}


def test_how_many_processes_are_started() -> None:
    assert isinstance(open_executor(1), InlineExecutor)
    assert isinstance(open_executor(8, tasks=1), InlineExecutor)
    with open_executor(8, tasks=2) as made:
        assert isinstance(made, PoolExecutor)
    with pytest.raises(InputRefusedError, match="leave one of them out"):
        open_executor(2, "auto")


def test_ray_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputRefusedError, match=r"pip install 'dotpilot\[cluster\]'"):
        open_executor(ray="auto")


def test_a_process_that_dies_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(DotpilotError, match="fewer --jobs"), PoolExecutor(2) as pool:
        list(pool.map(os._exit, (3, 3)))
    assert multiprocessing.active_children() == []


def test_an_error_gives_up_what_still_runs() -> None:
    """Else one mistake in the first of many fits would be shown hours later."""
    with pytest.raises(ZeroDivisionError), PoolExecutor(2) as pool:
        pool.submit(signal.pause)
        pool.submit(operator.truediv, 1, 0).result()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, number: int) -> None:
    script = tmp_path / "long.py"
    script.write_text(LONG)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "under way\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert errors.count("Traceback") == (number == signal.SIGINT), errors


@pytest.mark.ray
@pytest.mark.filterwarnings("default")
def test_replay_pool_is_the_same_on_ray(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documented command, over processes and over a cluster, prints the same document."""
    pytest.importorskip("ray", reason="needs Ray (make ray-check)")
    database, goal = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "goal.yaml"
    goal.write_text("within: [{observable: peak, value: 520, tolerance: 1.5, unit: nm}]")
    with Ledger.open(database) as ledger:
        campaign = finished_campaign(ledger, trials=12)

    def replay(*options: str) -> str:
        words = ["replay", "pool", campaign, "--agent", "bayes", "--goal", str(goal)]
        with pytest.raises(SystemExit) as stop:
            main([*words, "--seeds", "3", "--json", "--db", database, *options])
        out = capsys.readouterr().out
        assert stop.value.code == 0
        return out

    ours = replay("--jobs", "2")
    assert replay("--ray", "auto") == ours
    assert len(json.loads(ours)["agents"]["bayes"]["picks"]) == 3
