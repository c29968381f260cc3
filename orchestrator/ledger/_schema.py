"""The schema's revision: a new database is created at head, an older one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, inspect, text

from orchestrator.errors import InputRefusedError, SchemaError
from orchestrator.ledger._engine import make_engine, parse_url, sqlite_path

HEAD = "v0_3_0"
REVISIONS = ("v0_1_0", "v0_2_0", "v0_3_0")


def revision_of(engine: Engine) -> str | None:
    """Return the revision that a database is at, or None for an empty one.

    Raises:
        SchemaError: a database with tables of something else.
    """
    with engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise SchemaError(
                "the database must be empty or dotpilot's own, but has the tables "
                f"{', '.join(sorted(tables)[:5])}; name another with --db"
            )
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def require_head(engine: Engine, url: str, *, create: bool = True) -> None:
    """Create an empty database at head; refuse one of another revision.

    Raises:
        SchemaError: older (the message names the command that upgrades) or newer.
    """
    found = revision_of(engine)
    if found is None and create:
        migrate(engine, HEAD)
    elif found != HEAD:
        raise SchemaError(other_revision(found, url))


def other_revision(found: str | None, url: str) -> str:
    """Say that a database is at another revision than head, and what helps."""
    if found is None or found in REVISIONS:
        return (
            f"the database must be at schema {HEAD}, but is at {found or 'none'}; upgrade it with "
            f"`dotpilot db upgrade --db {url}`"
        )
    return (
        f"the database must be at schema {HEAD}, but is at {found}, which this dotpilot does not "
        "know; use the newer dotpilot that made it"
    )


def migrate(engine: Engine, target: str) -> None:
    """Move a database to `target` (a revision, or "base") with Alembic."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:  # a WAL switch cannot stand inside a transaction
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        current = connection.dialect.has_table(connection, "alembic_version")
        down = target == "base" or (current and _is_older(target, connection))
        (command.downgrade if down else command.upgrade)(config, target)


def _is_older(target: str, connection: Any) -> bool:
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found in REVISIONS and REVISIONS.index(target) < REVISIONS.index(found)


def upgrade(url: str) -> None:
    """Bring a database to head.

    Raises:
        SchemaError: a newer database, or one that is not dotpilot's.
        InputRefusedError: no such SQLite file.
    """
    engine = existing(url)
    try:
        found = revision_of(engine)
        if found is not None and found not in REVISIONS:
            raise SchemaError(other_revision(found, url))
        migrate(engine, HEAD)
    finally:
        engine.dispose()


def schema_state(url: str) -> dict[str, str | None]:
    """Return {"revision", "head"} of a database."""
    engine = existing(url)
    try:
        return {"revision": revision_of(engine), "head": HEAD}
    finally:
        engine.dispose()


def existing(url: str) -> Engine:
    """Open a database that must be there.

    Raises:
        InputRefusedError: no such SQLite file.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None and not path.is_file():
        raise InputRefusedError(f"there is no database at {url}")
    return make_engine(parsed)
