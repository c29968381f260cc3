"""Run the service under fire and say what became of it: `make chaos`.

`python -m tests.chaos [--trials 500] [--seed N] [--rate 0.1] [--pause 5.0] [--keep DIR]` starts
PostgreSQL, two API processes, two loop runners, a faulty proxy and several workers, kills one of
them again and again at random moments, and afterwards compares the record with the laboratories'
own logs. It prints one JSON document and exits 1 where something is lost, doubled or untrue.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from tests.chaos.run import Plan, run


def main() -> None:
    """Read the options, run, print, exit."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--campaigns", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--pause", type=float, default=5.0)
    parser.add_argument("--keep", type=Path, default=None)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if given.seed is None else given.seed
    sys.stderr.write(f"chaos with --seed {seed}\n")
    document = run(
        Plan(
            given.trials, seed, given.workers, given.campaigns, given.rate, given.pause, given.keep
        )
    )
    print(json.dumps(document, indent=2))
    sys.exit(1 if document["problems"] else 0)


if __name__ == "__main__":
    main()
