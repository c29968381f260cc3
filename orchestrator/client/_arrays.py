"""Arrays as they travel: little-endian bytes in base64 with dtype and shape, or numbers."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_array(document: Any) -> NDArray[Any]:
    """Return the array of a document of the API, or of a list of numbers (float64).

    Raises:
        ValueError: shape and bytes do not fit each other.
    """
    if isinstance(document, list):
        return np.asarray(document, dtype=np.float64)
    data = base64.b64decode(document["base64"], validate=True)
    return np.frombuffer(data, dtype=document["dtype"]).reshape(document["shape"])
