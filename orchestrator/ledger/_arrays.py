"""Arrays as content-addressed blobs: little-endian bytes with dtype and shape."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, literal_column, select

from orchestrator.errors import RecordError
from orchestrator.ledger._tables import array

# untyped data: a damaged row may hold a number there, which the column's type would make bytes of
_FIND = select(
    array.c.sha256, array.c.dtype, array.c.shape, literal_column("data").label("data")
).where(array.c.sha256 == bindparam("sha256"))
DTYPES = ("<f4", "<f8", "<i4", "<i8", "<u2", "|u1")  # the last one: bytes of files


def encode_array(values: NDArray[Any]) -> dict[str, Any]:
    """Return the row of `array`: sha256 over dtype, shape and bytes, and these themselves.

    Raises:
        RecordError: a dtype that the store does not keep.
    """
    little = values.dtype.newbyteorder("<")
    if little.str not in DTYPES:
        raise RecordError(f"an array must be of {', '.join(DTYPES)}, but got {values.dtype}")
    data = np.ascontiguousarray(values, dtype=little).tobytes()
    shape = json.dumps(list(values.shape))
    return {
        "sha256": _digest(little.str, shape, data),
        "dtype": little.str,
        "shape": shape,
        "data": data,
    }


def _digest(dtype: str, shape: str, data: bytes) -> str:
    return hashlib.sha256(f"{dtype} {shape} ".encode() + data).hexdigest()


def array_digest(values: NDArray[Any]) -> str:
    """Return the address of an array."""
    return str(encode_array(values)["sha256"])


def decode_array(sha256: str, dtype: Any, shape: Any, data: Any) -> NDArray[Any]:
    """Rebuild an array from its row.

    Raises:
        RecordError: the row does not hash to its address.
    """
    where = f"array {str(sha256)[:12]}"
    if not (isinstance(data, bytes) and isinstance(dtype, str) and isinstance(shape, str)):
        raise RecordError(f"{where} must be bytes with the texts dtype and shape, but is not")
    if dtype not in DTYPES or _digest(dtype, shape, data) != sha256:
        raise RecordError(f"{where} does not hash to its address: dtype, shape or data differ")
    try:
        return np.frombuffer(data, dtype=dtype).reshape(json.loads(shape))
    except (TypeError, ValueError) as error:
        raise RecordError(f"{where} cannot be read: {error}") from error


def find_array(connection: Connection, sha256: str) -> NDArray[Any]:
    """Return an array of the store, read-only.

    Raises:
        RecordError: missing, or not hashing to its address.
    """
    row = connection.execute(_FIND, {"sha256": sha256}).first()
    if row is None:
        raise RecordError(f"array {sha256[:12]} is missing from the store")
    return decode_array(*row)
