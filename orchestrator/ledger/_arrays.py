"""Arrays as content-addressed blobs: little-endian bytes with dtype and shape."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import RecordError

DTYPES = ("<f4", "<f8", "<i4", "<i8", "<u2")


def encode_array(array: NDArray[Any]) -> dict[str, Any]:
    """Return the row of `array`: sha256 over dtype, shape and bytes, and these themselves.

    Raises:
        RecordError: a dtype that the store does not keep.
    """
    little = array.dtype.newbyteorder("<")
    if little.str not in DTYPES:
        raise RecordError(f"an array must be of {', '.join(DTYPES)}, but got {array.dtype}")
    data = np.ascontiguousarray(array, dtype=little).tobytes()
    shape = json.dumps(list(array.shape))
    return {
        "sha256": _digest(little.str, shape, data),
        "dtype": little.str,
        "shape": shape,
        "data": data,
    }


def _digest(dtype: str, shape: str, data: bytes) -> str:
    return hashlib.sha256(f"{dtype} {shape} ".encode() + data).hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """Return the address of an array."""
    return str(encode_array(array)["sha256"])


def decode_array(sha256: str, dtype: Any, shape: Any, data: Any) -> NDArray[Any]:
    """Rebuild an array from its row.

    Raises:
        RecordError: the row does not hash to its address.
    """
    try:
        if _digest(dtype, shape, bytes(data)) != sha256 or dtype not in DTYPES:
            raise RecordError(f"array {sha256[:12]} does not hash to its address")
        return np.frombuffer(bytes(data), dtype=dtype).reshape(json.loads(shape))
    except (TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"array {str(sha256)[:12]} cannot be read: {error}") from error
