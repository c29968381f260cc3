"""The same answers from PostgreSQL: pages, keys, leases, the trail and the counts."""

from __future__ import annotations

import pytest

from orchestrator.api import create_app
from orchestrator.ledger import Ledger
from tests.api.conftest import House, bench, bench_file
from tests.api.test_lab_routes import offer, result, take


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_campaigns_life_on_postgresql(database: str) -> None:
    with Ledger.open(database) as ledger:
        house = House(ledger, create_app(ledger))
        assert house.ask("GET", "/readyz").status_code == 200
        house.ask("PUT", "/v1/stations/bench", bench())
        key = {"Idempotency-Key": "k"}
        for name in ("cbench", "another"):
            made = house.ask("POST", "/v1/campaigns", {"file": bench_file(), "id": name})
            assert made.status_code == 201, made.text
        for _ in range(2):
            body = {"recipe": {"x": 3.0}}
            added = house.ask("POST", "/v1/campaigns/cbench/trials", body, headers=key)
            assert added.json()["trial"] == 1, added.text
        first = house.get("/v1/campaigns?limit=1")
        second = house.get(f"/v1/campaigns?limit=1&next={first['next']}")
        assert (first["campaigns"][0]["trials"], second["next"]) == (1, None)
        house.ask("PUT", "/v1/workers/hand", {"lab": "delft", "station": "bench"})
        assert (
            house.ask("POST", "/v1/leases", {"worker": "hand", "wait_s": 0.3}).status_code == 204
        )
        offer(house)
        lease = take(house)
        path = f"/v1/leases/{lease['lease']}"
        beat = house.ask("POST", f"{path}/heartbeat", {"fence": lease["fence"]})
        assert beat.status_code == 200, beat.text
        assert house.ask("PUT", f"{path}/result", result(lease)).status_code == 200
        assert house.get("/v1/campaigns/cbench/events?after=6&wait=5")["next"] == 6
        targets = [r["target"] for r in house.get("/v1/audit?limit=500")["audit"]]
        assert targets[0] == f"{path}/result" and targets[-1] == "/v1/stations/bench"
        page = house.ask("GET", "/metrics").text
        assert 'dotpilot_trials{state="measured"} 1.0' in page and "dotpilot_events 8.0" in page
