"""Planners beside one another on the same problems: `python -m benchmarks.planners --help`."""

import os

# Set before numpy and torch are loaded: sums depend on the thread count, and so do proposals.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
