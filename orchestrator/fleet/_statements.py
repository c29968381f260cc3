"""SQL of leases, for the driver's cursor of either database; only the database's clock counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect

_POSTGRESQL = {
    "now": "extract(epoch FROM clock_timestamp())::float8",
    "skip": "FOR UPDATE OF l SKIP LOCKED",
    "position": "strpos",
    "text": "::text",
    "greatest": "greatest",
    "first": "(lease.members::json->0->>0)::int",
    "of_worker": "worker.details::json->>'instance'",
    "of_new": "excluded.details::json->>'instance'",
    "of_w": "w.details::json->>'instance'",
}
_SQLITE = {
    "now": "((julianday('now') - 2440587.5) * 86400.0)",
    "skip": "",
    "position": "instr",
    "text": "",
    "greatest": "max",
    "first": "json_extract(lease.members, '$[0][0]')",
    "of_worker": "json_extract(worker.details, '$.instance')",
    "of_new": "json_extract(excluded.details, '$.instance')",
    "of_w": "json_extract(w.details, '$.instance')",
}
COLUMNS = (
    "id", "campaign", "members", "station", "hidden", "state", "fence", "worker", "lab",
    "progress", "cancel", "digest",
)  # fmt: skip
_SHOWN = ", ".join(COLUMNS)

# `IS TRUE` keeps PostgreSQL from finding a lease by its state, among the dead rows of all others.
_SQL = {
    # One statement picks the oldest offer that fits, takes it, and raises the fence. Conditions
    # are subqueries, not joins, so that PostgreSQL walks the index and sorts no queue.
    "grant": f"""
        UPDATE lease SET state = 'leased', fence = fence + 1, worker = :worker,
            lab = (SELECT w.lab FROM worker w WHERE w.id = :worker), granted = {{now}},
            expires = {{now}} + :lease_s, progress = NULL, cancel = false, digest = NULL
        WHERE id = (
            SELECT l.id FROM lease l
            WHERE l.state = 'offered'
              AND l.station = (SELECT w.station FROM worker w
                               WHERE w.id = :worker AND w.state = 'ready' AND coalesce(
                                   {{of_w}} = :instance{{text}}, {{of_w}} IS NULL))
              AND (SELECT c.state FROM campaign c WHERE c.id = l.campaign) = 'running'
              AND (:campaign{{text}} IS NULL OR l.campaign = :campaign)
              AND (l.labs IS NULL OR {{position}}(l.labs, :edge || (
                       SELECT w.lab FROM worker w WHERE w.id = :worker) || :edge) > 0)
              AND (l.hidden IS NULL OR l.hidden = coalesce((
                       SELECT w.hidden FROM worker w WHERE w.id = :worker), l.hidden))
            ORDER BY l.offered, l.id LIMIT 1 {{skip}})
        RETURNING {_SHOWN}, expires - {{now}}""",
    "running": """
        SELECT payload FROM event
        WHERE campaign = :campaign AND type = 'trial.running' AND payload LIKE :ending
        ORDER BY seq DESC LIMIT 1""",
    "beat": f"""
        UPDATE lease SET expires = {{now}} + :lease_s, progress = :progress
        WHERE id = :id AND fence = :fence AND (state = 'leased') IS TRUE
        RETURNING {_SHOWN}, expires - {{now}},
            (SELECT c.state FROM campaign c WHERE c.id = lease.campaign),
            (SELECT t.state FROM trial t
             WHERE t.campaign = lease.campaign AND t.number = {{first}}),
            (SELECT w.seen < {{now}} - 5.0 FROM worker w WHERE w.id = lease.worker)""",
    "end": f"""
        UPDATE lease SET state = :state, digest = :digest, expires = NULL
        WHERE id = :id AND fence = :fence AND (state = 'leased') IS TRUE
        RETURNING {_SHOWN}, NULL""",
    "return": f"""
        UPDATE lease SET state = 'offered', offered = {{now}}, worker = NULL, lab = NULL,
            granted = NULL, expires = NULL, progress = NULL
        WHERE id = :id AND fence = :fence AND (state = 'leased') IS TRUE
        RETURNING {_SHOWN}, NULL""",
    "lapse": f"""
        UPDATE lease SET state = 'lapsed', fence = fence + 1, expires = NULL
        WHERE id = (SELECT l.id FROM lease l WHERE l.state = 'leased' AND l.expires < {{now}}
                    ORDER BY l.expires LIMIT 1 {{skip}})
        RETURNING {_SHOWN}, NULL""",
    "find": f"SELECT {_SHOWN}, expires - {{now}} FROM lease WHERE id = :id",
    "lab": "SELECT lab FROM lease WHERE id = :id",
    "open": "SELECT id, members FROM lease WHERE campaign = :campaign "
    "AND state IN ('offered', 'leased')",
    "listed": f"""
        SELECT {_SHOWN}, expires - {{now}} FROM lease
        WHERE (:campaign{{text}} IS NULL OR campaign = :campaign)
          AND (:worker{{text}} IS NULL OR worker = :worker)
          AND (:campaign{{text}} IS NOT NULL OR state IN ('offered', 'leased'))
        ORDER BY offered, id""",
    # one campaign's offers are granted in the order of its trials, however quickly they are made
    "offer": """
        INSERT INTO lease (id, campaign, members, station, labs, hidden, state, fence, offered,
            cancel)
        VALUES (:id, :campaign, :members, :station, :labs, :hidden, 'offered', 0,
            {greatest}({now}, (SELECT coalesce(max(o.offered) + 0.001, 0) FROM lease o
                               WHERE o.campaign = :campaign)), false)""",
    "withdraw": "UPDATE lease SET state = 'withdrawn' WHERE campaign = :campaign "
    "AND state = 'offered'",
    "drop": "UPDATE lease SET state = 'withdrawn' WHERE id = :id AND state = 'offered'",
    "cancel": "UPDATE lease SET cancel = true WHERE campaign = :campaign AND state = 'leased'",
    "member": """
        SELECT t.recipe, t.state, t.attempt, c.lab_seed, c.state
        FROM trial t JOIN campaign c ON c.id = t.campaign
        WHERE t.campaign = :campaign AND t.number = :number""",
    "station": "SELECT station_description FROM campaign WHERE id = :campaign",
    "restore": """
        SELECT station_state FROM trial
        WHERE campaign = :campaign AND station_state IS NOT NULL AND (lab = :lab OR lab IS NULL)
        ORDER BY coalesce(lab_time, 0) DESC, number DESC LIMIT 1""",
    "late": """
        INSERT INTO late_result (id, lease, campaign, trial, attempt, worker, at, body, digest)
        VALUES (:id, :lease, :campaign, :trial, :attempt, :worker, :at, :body, :digest)""",
    "late_same": "SELECT id FROM late_result WHERE lease = :lease AND trial = :trial "
    "AND digest = :digest",
    "late_listed": """
        SELECT id, lease, trial, attempt, worker, at, body FROM late_result
        WHERE campaign = :campaign AND trial = :trial ORDER BY at, id""",
    "worker": """
        INSERT INTO worker (id, lab, station, hidden, details, version, token, registered_at,
            seen, safe_within, state)
        VALUES (:id, :lab, :station, :hidden, :details, :version, :token, :at, {now},
            :safe_within, 'ready')
        ON CONFLICT (id) DO UPDATE SET lab = excluded.lab, station = excluded.station,
            hidden = excluded.hidden, details = excluded.details, version = excluded.version,
            token = excluded.token, registered_at = excluded.registered_at, seen = excluded.seen,
            safe_within = excluded.safe_within, state = 'ready'
        WHERE {of_worker} IS NULL OR {of_worker} = {of_new} OR worker.seen < {now} - :silence""",
    "seen": "UPDATE worker SET seen = {now} WHERE id = :id AND seen < {now} - 5.0",
    "polled": """
        UPDATE worker SET seen = {now} WHERE id = :id AND seen < {now} - 5.0
            AND coalesce({of_worker} = :instance{text}, {of_worker} IS NULL)""",
    "stopped": "UPDATE worker SET state = 'stopped' WHERE id = :id",
    "workers": """
        SELECT id, lab, station, hidden, version, safe_within, details, state, registered_at,
            {now} - seen, token FROM worker
        WHERE (:id{text} IS NULL OR id = :id) ORDER BY lab, id""",
}
EDGE = "\n"
Row = tuple[Any, ...]


def edged(labs: Sequence[str]) -> str | None:
    """Return lab names as the text that the grant searches; None admits any lab."""
    return EDGE + EDGE.join(labs) + EDGE if labs else None


class LeaseStatements:
    """Runs the statements of leases on a cursor of one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        sqlite = dialect.name == "sqlite"
        words = _SQLITE if sqlite else _POSTGRESQL
        texts = {name: sql.format_map(words) for name, sql in _SQL.items()}
        self._sql = texts if sqlite else {n: _psycopg(s) for n, s in texts.items()}

    def run(self, cursor: Any, name: str, values: Mapping[str, Any]) -> Any:
        """Execute a statement and return the cursor."""
        return cursor.execute(self._sql[name], values)

    def one(self, cursor: Any, name: str, values: Mapping[str, Any]) -> Row | None:
        """Execute a statement and return its first row."""
        row = self.run(cursor, name, values).fetchone()
        return None if row is None else tuple(row)

    def all(self, cursor: Any, name: str, values: Mapping[str, Any]) -> list[Row]:
        """Execute a statement and return its rows."""
        return [tuple(row) for row in self.run(cursor, name, values).fetchall()]


def _psycopg(sql: str) -> str:
    """Turn `:name` into `%(name)s`, but leave casts such as `::text` alone."""
    return re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", sql.replace("%", "%%"))
