"""Records trials in Optuna's RDB storage; answers {"url", "synchronous", "trials"} with seconds.

Runs in the peer's environment. The random sampler is the cheapest one, and reads no past trials.
"""

from __future__ import annotations

import json
import sys
import time

import optuna
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

PARAMETERS = 8
_studies: dict[str, tuple[optuna.Study, Engine]] = {}
_pragmas: tuple[str, ...] = ()


@event.listens_for(Engine, "connect")
def _same_settings(connection: object, _: object) -> None:
    for pragma in _pragmas:
        connection.execute(pragma)  # type: ignore[attr-defined]


def _study(url: str, synchronous: str | None) -> tuple[optuna.Study, Engine]:
    global _pragmas
    if url not in _studies:
        _pragmas = () if synchronous is None else (
            "PRAGMA journal_mode=WAL",
            "PRAGMA busy_timeout=30000",
            "PRAGMA foreign_keys=ON",
            f"PRAGMA synchronous={synchronous}",
        )  # fmt: skip
        storage = optuna.storages.RDBStorage(url)
        sampler = optuna.samplers.RandomSampler(seed=1)
        _studies[url] = optuna.create_study(storage=storage, sampler=sampler), storage.engine
    return _studies[url]


def _settings(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            names = ("PRAGMA journal_mode", "PRAGMA synchronous")
        else:
            names = ("SHOW fsync", "SHOW synchronous_commit")
        return {n.split()[1]: str(connection.execute(text(n)).scalar()) for n in names}


def _record(study: optuna.Study, trials: int) -> float:
    start = time.perf_counter()
    for _ in range(trials):
        trial = study.ask()
        values = [trial.suggest_float(f"p{i}", 0.0, 1.0) for i in range(PARAMETERS)]
        study.tell(trial, sum(values))
    return time.perf_counter() - start


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for line in sys.stdin:
        question = json.loads(line)
        study, engine = _study(question["url"], question["synchronous"])
        seconds = _record(study, question["trials"])
        answer = {"seconds": seconds, "settings": _settings(engine), "version": optuna.__version__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
