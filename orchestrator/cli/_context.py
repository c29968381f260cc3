"""Global options and output: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.ledger import Ledger

DEFAULT_DB = "sqlite:///dotpilot.db"
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="How many processes [default: cores]"),
]
TranscriptOption = Annotated[
    Path | None,
    typer.Option("--transcript", metavar="DIR", help="Keep what goes over the wires of drivers."),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", help="Compute on this Ray cluster; auto finds or starts one."
    ),
]


def today() -> date:
    """The day (UTC), for what is too old; the one place where the command line asks for it."""
    return datetime.now(tz=UTC).date()


@dataclass
class Settings:
    """The global options of one invocation, where transcripts go and who hears alarms."""

    db: str = DEFAULT_DB
    url: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    transcript: Path | None = None
    alarms: Path | None = None

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
            InputRefusedError: a server was named instead.
            SchemaError: an older or newer schema.
        """
        from orchestrator.errors import InputRefusedError, NotFoundError
        from orchestrator.ledger import Ledger

        if self.url is not None:
            raise InputRefusedError(
                "this command works on a database itself, not over a server; leave --url out and "
                "name the database with --db"
            )
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


def configure(
    db: str | None, as_json: bool, quiet: bool, verbose: int, url: str | None = None
) -> None:
    """Take over the global options.

    Raises:
        InputRefusedError: both a database and a server.
    """
    if db is not None and url is not None:
        from orchestrator.errors import InputRefusedError

        raise InputRefusedError("name a database with --db or a server with --url, not both")
    settings.url = url
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
