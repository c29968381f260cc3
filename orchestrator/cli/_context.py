"""Global options and output: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.ledger import Ledger

DEFAULT_DB = "sqlite:///dotpilot.db"


@dataclass
class Settings:
    """The global options of one invocation."""

    db: str = DEFAULT_DB
    json: bool = False
    quiet: bool = False
    verbose: int = 0

    @property
    def shown(self) -> str:
        """The database's URL without its password."""
        from sqlalchemy.engine import make_url

        return make_url(self.db).render_as_string(hide_password=True)

    def ledger(self, *, check: bool = True) -> Ledger:
        """Open the ledger; a missing or empty database is created at head.

        Args:
            check: Refuse another schema. Verify, which looks at damaged databases too, does not:
                for it a missing one is refused.

        Raises:
            NotFoundError: no such database, without `check`.
            SchemaError: an older or newer schema.
        """
        from orchestrator.errors import NotFoundError
        from orchestrator.ledger import Ledger

        if not check and not _database_exists(self.db):
            raise NotFoundError(
                f"there is no database at {self.shown}; name one with --db or DOTPILOT_DB, or "
                "create one with `dotpilot launch`"
            )
        return Ledger.open(self.db, check=check)


def _database_exists(url: str) -> bool:
    path = url.removeprefix("sqlite:///")
    return path == url or Path(path).is_file()


settings = Settings()


def configure(db: str | None, as_json: bool, quiet: bool, verbose: int) -> None:
    """Take over the global options."""
    settings.db = db or os.environ.get("DOTPILOT_DB") or DEFAULT_DB
    settings.json, settings.quiet, settings.verbose = as_json, quiet, verbose


def emit(document: dict[str, Any], human: Callable[[], None]) -> None:
    """Print the document with --json, else let `human` print what a person reads."""
    if settings.json:
        sys.stdout.write(
            json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        )
    else:
        human()


def say(text: str) -> None:
    """Print a line of progress on stderr unless --quiet."""
    if not settings.quiet:
        sys.stderr.write(text + "\n")
