"""Makes the upgrade fixture of the present schema: `python -m tests.ledger.make_fixture`.

Run it once when a schema is released and commit the file; never make an old one again.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator import events as ev
from orchestrator.ledger import HEAD, Ledger
from tests.records import created, proposed, run_trial

if __name__ == "__main__":
    path = Path(__file__).parent / "fixtures" / f"{HEAD}.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        campaign = ledger.create_campaign(created(), actor="fixture")
        ledger.append(campaign, ev.CampaignStarted(), actor="fixture")
        for number in (1, 2):
            ledger.append(campaign, proposed(number, number), actor="fixture")
            run_trial(ledger, campaign, number)
        with ledger.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.connection.cursor().execute("PRAGMA journal_mode=DELETE")
    print(path)
