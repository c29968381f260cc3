"""Arrays and measurements as they travel between a lab and the server.

A worker needs neither database nor agents, so this stands alone.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments import Measurement


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """Return an array bit for bit: little-endian bytes in C order, as base64."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {
        "dtype": little.dtype.str,
        "shape": list(values.shape),
        "base64": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def result_document(
    measurement: Measurement,
    trial: int,
    attempt: int,
    lab_time: float,
    doses: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a measurement as the API takes it.

    Args:
        measurement: What a run brought back.
        trial: Number of the trial.
        attempt: Number of its attempt.
        lab_time: The station's clock after it [s].
        doses: What the run drew, by stock, with the bottles.
    """
    spectra = [
        {
            "name": s.name,
            "axis": packed(s.axis),
            "values": packed(s.values),
            "axis_unit": s.axis_unit,
            "unit": s.unit,
            "settings": dict(s.settings),
        }
        for s in measurement.spectra
    ]
    return {
        "trial": trial,
        "attempt": attempt,
        "achieved": dict(measurement.achieved),
        "conditions": {k: dict(v) for k, v in measurement.conditions.items()},
        "spectra": spectra,
        "station_state": dict(measurement.station_state),
        "identities": [dict(i) for i in measurement.identities],
        "warnings": list(measurement.warnings),
        "lab_time": lab_time,
        "doses": dict(doses or {}),
    }


def read_array(document: Any) -> NDArray[Any]:
    """Return the array of a document of the API, or of a list of numbers (float64).

    Raises:
        ValueError: shape and bytes do not fit each other.
    """
    if isinstance(document, list):
        return np.asarray(document, dtype=np.float64)
    data = base64.b64decode(document["base64"], validate=True)
    return np.frombuffer(data, dtype=document["dtype"]).reshape(document["shape"])
