"""A file that is not written over."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

from instruments.errors import DetectorFileError


def new_file(path: Path) -> BinaryIO:
    """Open a file that must not be there yet.

    Raises:
        DetectorFileError: it is there, or its folder is not.
    """
    try:
        return cast(BinaryIO, path.open("xb"))
    except OSError as error:
        raise DetectorFileError(
            f"a measurement's file must be new, in a folder that is there, but {error}; name "
            "another folder"
        ) from error
