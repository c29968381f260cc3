"""Where a client's token comes from: the environment, or a file that only its owner reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import InputRefusedError, NotFoundError


def token_from_environment(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the token of `DOTPILOT_TOKEN`, or of the file that `DOTPILOT_TOKEN_FILE` names.

    Args:
        environment: Instead of the process's own.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: a file that others may read, or an empty one.
    """
    variables = os.environ if environment is None else environment
    if token := variables.get("DOTPILOT_TOKEN", "").strip():
        return token
    if name := variables.get("DOTPILOT_TOKEN_FILE", ""):
        return _read(Path(name))
    return None


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise InputRefusedError(
                    f"a token file must be readable by its owner alone (mode 0600), but {path} "
                    f"has mode {mode:04o}; run `chmod 600 {path}`, and revoke the token if others "
                    "may have read it"
                )
            token = file.read().strip()
    except FileNotFoundError as error:
        raise NotFoundError(f"DOTPILOT_TOKEN_FILE: there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefusedError(f"DOTPILOT_TOKEN_FILE: {path} cannot be read: {error}") from error
    if not token:
        raise InputRefusedError(f"DOTPILOT_TOKEN_FILE: {path} is empty; put the token in it")
    return token
