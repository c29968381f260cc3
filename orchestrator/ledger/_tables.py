"""Tables of the ledger: the event log, its read tables, the array store, and liveness."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


event = Table(
    "event",
    metadata,
    _text("campaign"),
    Column("seq", Integer, nullable=False),
    _text("type"),
    Column("version", Integer, nullable=False),
    _text("at"),
    _text("actor"),
    _text("payload"),
    _text("prev_hash"),
    _text("hash"),
    PrimaryKeyConstraint("campaign", "seq"),
)
campaign = Table(
    "campaign",
    metadata,
    _text("id"),
    _text("name"),
    _text("state"),
    _text("stop_reason", null=True),
    _text("source"),
    _text("station"),
    _text("parent", null=True),
    Column("forked_at", Integer),
    Column("seed", BigInteger, nullable=False),
    Column("lab_seed", BigInteger, nullable=False),
    _text("declared"),
    _text("resolved"),
    _text("station_description"),
    _text("created_at"),
    _text("updated_at"),
    Column("event_count", Integer, nullable=False),
    _text("last_hash"),
    PrimaryKeyConstraint("id"),
)
trial = Table(
    "trial",
    metadata,
    _text("campaign"),
    Column("number", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    _text("state"),
    Column("attempt", Integer, nullable=False),
    _text("recipe"),
    _text("achieved"),
    _text("conditions"),
    _text("predicted"),
    _text("policy", null=True),
    Column("policy_value", Float(53)),
    _text("details"),
    _text("agent", null=True),
    _text("history_hash", null=True),
    Column("proposal_seed", BigInteger),
    _text("verdict", null=True),
    _text("failure", null=True),
    _text("station_state", null=True),
    _text("identities"),
    _text("warnings"),
    Column("lab_time", Float(53)),
    _text("origin"),
    Column("first_seq", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False),
    _text("updated_at"),
    PrimaryKeyConstraint("campaign", "number"),
)
observable = Table(
    "observable",
    metadata,
    _text("campaign"),
    Column("trial", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    _text("name"),
    Column("value", Float(53), nullable=False),
    Column("se", Float(53)),
    _text("unit"),
    _text("method"),
    PrimaryKeyConstraint("campaign", "trial", "attempt", "name"),
)
spectrum = Table(
    "spectrum",
    metadata,
    _text("campaign"),
    Column("trial", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    _text("name"),
    _text("axis_sha256"),
    _text("values_sha256"),
    _text("axis_unit"),
    _text("unit"),
    _text("settings"),
    PrimaryKeyConstraint("campaign", "trial", "attempt", "name"),
)
array = Table(
    "array",
    metadata,
    _text("sha256"),
    _text("dtype"),
    _text("shape"),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("sha256"),
)
owner = Table(
    "owner",
    metadata,
    _text("campaign"),
    Column("token", BigInteger, nullable=False),
    _text("holder", null=True),
    _text("host", null=True),
    Column("pid", Integer),
    Column("started", Float(53)),
    _text("boot", null=True),
    Column("expires", Float(53)),
    PrimaryKeyConstraint("campaign"),
)

READ_TABLES = {t.name: t for t in (campaign, trial, observable, spectrum)}
KEYS = {name: tuple(c.name for c in t.primary_key) for name, t in READ_TABLES.items()}
