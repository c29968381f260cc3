"""Times one proposal of Ax's Client; runs in the peer's own environment, not in dotpilot's.

Reads {"parameters", "objective", "constraints", "trials", "seed"} on stdin and prints the seconds
of one `get_next_trials(1)` after all trials were attached (the rebuild is not timed).
"""

import json
import sys
import time
import warnings

import torch
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

warnings.filterwarnings("ignore")


def client_of(job):
    """Return a client that holds the job's trials, at Ax's documented defaults."""
    client = Client(random_seed=job["seed"])
    parameters = [
        ChoiceParameterConfig(
            name=p["name"], values=p["choices"], parameter_type="str", is_ordered=False
        )
        if "choices" in p
        else RangeParameterConfig(
            name=p["name"],
            bounds=(p["low"], p["high"]),
            parameter_type="float",
            scaling="log" if p["log"] else "linear",
        )
        for p in job["parameters"]
    ]
    client.configure_experiment(parameters=parameters)
    client.configure_optimization(
        objective=job["objective"], outcome_constraints=job["constraints"]
    )
    client.configure_generation_strategy(
        method="fast", initialization_budget=len(job["trials"]), initialize_with_center=False
    )
    for trial in job["trials"]:
        index = client.attach_trial(parameters=trial["recipe"])
        data = {name: tuple(pair) for name, pair in trial["data"].items()}
        client.complete_trial(trial_index=index, raw_data=data)
    return client


def main():
    """Answer one job a line until standard input ends."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        client = client_of(json.loads(line))
        begun = time.perf_counter()
        made = client.get_next_trials(max_trials=1)
        seconds = time.perf_counter() - begun
        print(json.dumps({"seconds": seconds, "made": len(made)}), flush=True)


if __name__ == "__main__":
    main()
