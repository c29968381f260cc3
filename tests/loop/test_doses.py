"""What the record says was drawn is what the pumps moved, whatever the wire loses."""

from collections import defaultdict

import pytest

from instruments import create_station
from orchestrator.campaign import check_campaign
from orchestrator.errors import InputRefusedError
from orchestrator.events import (
    CampaignResumed,
    DosesSettled,
    StoresDeclared,
    TrialDispatched,
    TrialInDoubt,
)
from orchestrator.inventory import (
    check_prices,
    check_stores,
    correct_stock,
    empty_waste,
    read_inventory,
)
from orchestrator.ledger import Ledger, check_integrity, dose_rows
from orchestrator.loop import CampaignLoop, create_campaign, drive, recorded_campaign
from orchestrator.replay import fork_campaign
from tests.loop.campaigns import Silent
from tests.loop.test_devices import CAMPAIGN

ONE_MICROLITRE = 1.0


class Watched:
    """A station whose emulated pumps' own count is kept when it closes."""

    def __init__(self, station):
        self._station = station
        self.dispensed = {}

    def __getattr__(self, name):
        return getattr(self._station, name)

    def close(self):
        end = self._station._bench.end("pumps")  # what the emulator itself has moved
        self.dispensed = end.emulator.dispensed()
        self._station.close()


def run_watched(ledger, faults, **more):
    part = {"driver": "harvard_elite11", "timeout": 0.2, "faults": faults}
    lab = {"hidden": 3, "instruments": {"pumps": part}}
    made = create_campaign(ledger, check_campaign({**CAMPAIGN, "lab": lab, **more}))
    row = ledger.campaign(made)
    campaign = recorded_campaign(row)
    station = Watched(create_station(campaign.station, campaign.lab, seed=campaign.lab_seed))
    with ledger.acquire(made) as owner:
        loop = CampaignLoop(ledger, made, campaign, station, owner.token, Silent())
        state = loop.run()
    return made, state, station.dispensed


def drawn(ledger):
    least, most = defaultdict(float), defaultdict(float)
    for row in dose_rows(ledger, ""):
        for stock, dose in row.doses.items():
            least[stock] += dose.least
            most[stock] += dose.most
    return least, most


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("mute", "half", "lost", "garbage")]


@pytest.mark.parametrize("kind", ["late", *SLOW])
def test_the_sum_of_doses_is_what_the_pumps_moved_to_the_microlitre(tmp_path, kind):
    faults = {"seed": 4, "spare": 100, kind: 0.008}  # so many that trials are lost
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, _, moved = run_watched(ledger, faults)
        least, most = drawn(ledger)
        assert "trial.in_doubt" in {e.type for e in ledger.events(made)}
        assert {s for s, v in moved.items() if v > 0.0} == {s for s, v in most.items() if v > 0.0}
        for stock, volume in moved.items():
            assert least[stock] - ONE_MICROLITRE <= volume <= most[stock] + ONE_MICROLITRE, stock
        unknown = sum(most.values()) - sum(least.values())
        assert unknown < 0.1 * sum(most.values())  # most doubts ended when pumps were asked again
        assert check_integrity(ledger, made).findings == []


def stores(**volumes):
    lots = {name: {"lot": "L1", "volume": volume} for name, volume in volumes.items()}
    return StoresDeclared(lab="north", station="flow_synthesis", stocks=lots)


def launched(ledger, stores, **more):
    made = create_campaign(
        ledger, check_campaign({**CAMPAIGN, "lab": {"hidden": 3}, **more}), stores=stores
    )
    return made, drive(ledger, made, Silent())


def reason(ledger, made):
    return ledger.events(made)[-1].read().reason


def test_a_trial_that_a_bottle_does_not_allow_is_not_begun(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, state = launched(ledger, stores(lead_bromide=500.0))
        assert state == "paused"
        assert "lead_bromide falls" in reason(ledger, made)
        rows = ledger.trials(made)
        assert [r.state for r in rows][-1] == "proposed"
        assert not ledger.events_of(made, ("trial.dispatched",), rows[-1].number)
        held = read_inventory(ledger, "north").holdings["lead_bromide", "L1"]
        assert held.left_least == pytest.approx(500.0 - held.drawn_most)
        assert held.left_least > 0.0


def test_a_new_bottle_lets_it_go_on_with_the_same_results(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, _ = launched(ledger, stores(lead_bromide=500.0))
        ledger.append(
            made,
            StoresDeclared(
                lab="north",
                station="flow_synthesis",
                stocks={"lead_bromide": {"lot": "L2", "volume": 5000.0}},
            ),
            actor="person",
        )
        assert drive(ledger, made, Silent()) == "finished"
        plain, _ = launched(ledger, None, name="plain")
        same = [(r.recipe, r.achieved) for r in ledger.trials(plain)]
        assert [(r.recipe, r.achieved) for r in ledger.trials(made)] == same
        held = read_inventory(ledger, "north").holdings
        assert held["lead_bromide", "L1"].draws + held["lead_bromide", "L2"].draws == len(same)


def test_full_waste_stops_a_run_until_somebody_has_emptied_it(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        full = stores().model_copy(update={"waste_capacity": 20_000.0})
        made, state = launched(ledger, full)
        assert state == "paused"
        assert "waste" in reason(ledger, made)
        empty_waste(ledger, "north", "into the canister")
        assert read_inventory(ledger, "north").waste_most == 0.0
        drive(ledger, made, Silent())
        assert sum(r.state == "completed" for r in ledger.trials(made)) > 1


def test_a_correction_is_kept_beside_what_was_drawn(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        launched(ledger, stores(lead_bromide=50_000.0))
        before = read_inventory(ledger, "north").holdings["lead_bromide", "L1"]
        correct_stock(ledger, "north", "lead_bromide", "L1", 1234.0, "weighed")
        after = read_inventory(ledger, "north").holdings["lead_bromide", "L1"]
        assert after.left_most == pytest.approx(1234.0)
        assert after.drawn_most == before.drawn_most
        assert after.weighed
        with pytest.raises(InputRefusedError, match="opened with"):
            correct_stock(ledger, "north", "lead_bromide", "L1", 1e9, "nonsense")


def test_two_campaigns_of_one_lab_draw_from_one_bottle(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        launched(ledger, stores(lead_bromide=50_000.0))
        once = read_inventory(ledger, "north").holdings["lead_bromide", "L1"].drawn_most
        launched(ledger, stores(lead_bromide=50_000.0), name="again", seed=6)
        held = read_inventory(ledger, "north").holdings["lead_bromide", "L1"]
        assert held.drawn_most > once
        assert held.lot.volume == 50_000.0  # a bottle that two files name is one bottle


PLATE = {
    "name": "plate",
    "station": "larp_plate",
    "space": [{"name": "amine_acid_ratio", "low": 0.2, "high": 1.0}],
    "objectives": [{"observable": "intensity", "goal": "maximise"}],
    "agent": {"name": "sobol"},
    "batch": 4,
    "budget": {"trials": 4},
    "seed": 5,
}


@pytest.mark.parametrize(("short", "state"), [(50.0, "paused"), (0.0, "finished")])
def test_a_plate_for_which_a_stock_falls_50_microlitres_short_is_refused(tmp_path, short, state):
    station = create_station("larp_plate", {"hidden": 3})
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        probe = create_campaign(ledger, check_campaign({**PLATE, "lab": {"hidden": 3}}))
        drive(ledger, probe, Silent())
        needed = station.needs([r.recipe for r in ledger.trials(probe)])["oleic_acid"]
        lots = {"oleic_acid": {"lot": "A", "volume": needed - short}}
        declared = StoresDeclared(lab="north", station="larp_plate", stocks=lots)
        campaign = check_campaign({**PLATE, "name": "short", "lab": {"hidden": 3}})
        made = create_campaign(ledger, campaign, stores=declared)
        assert drive(ledger, made, Silent()) == state
        if short:
            assert "oleic_acid falls 50.0 µL short" in reason(ledger, made)
            assert not ledger.events_of(made, ("trial.dispatched",))
        else:
            held = read_inventory(ledger, "north").holdings["oleic_acid", "A"]
            assert held.left_least == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("budget", "what"),
    [
        ({"stocks": {"lead_bromide": "0.45 mL"}}, "lead_bromide"),
        ({"species": {"lead": "40 µmol"}}, "lead"),
        ({"money": "0.02 EUR"}, "money"),
    ],
)
def test_a_budget_of_matter_or_money_is_never_exceeded(tmp_path, budget, what):
    price = {"price": {"value": 5e-5, "currency": "EUR"}}
    lot = {"lot": "L1", "volume": 50_000.0, "details": price}
    declared = StoresDeclared(lab="north", station="flow_synthesis", stocks={"lead_bromide": lot})
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, state = launched(ledger, declared, budget={"trials": 6, **budget})
        row = ledger.campaign(made)
        assert (state, row.stop_reason) == ("finished", "budget_spent")
        last = ledger.events(made)[-1].read()
        assert last.detail.startswith(f"{what}: ")
        rows = ledger.trials(made)
        assert 1 <= sum(r.state == "completed" for r in rows) < 6
        drawn_most = read_inventory(ledger, "north").holdings["lead_bromide", "L1"].drawn_most
        assert drawn_most <= 450.0


def test_a_budget_names_stocks_and_species_of_the_station():
    bad = {"trials": 6, "stocks": {"led": "1 mL"}, "species": {"lead": "1 mL"}, "money": "much"}
    with pytest.raises(InputRefusedError) as refused:
        check_campaign({**CAMPAIGN, "budget": bad})
    said = "\n".join(refused.value.problems)
    assert "budget.stocks.led" in said
    assert "budget.species.lead" in said
    assert "budget.money" in said


def test_a_fork_draws_from_its_parents_bottles(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, _ = launched(ledger, stores(lead_bromide=50_000.0))
        before = read_inventory(ledger, "north").holdings["lead_bromide", "L1"].drawn_most
        fork = fork_campaign(ledger, made, 14)
        drive(ledger, fork, Silent())
        assert read_inventory(ledger, "north").holdings["lead_bromide", "L1"].drawn_most > before
        assert not [r for r in dose_rows(ledger, "") if r.doses]


def test_an_attempt_under_way_counts_with_all_that_it_planned(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, _ = launched(ledger, stores(lead_bromide=500.0))
        number = ledger.trials(made)[-1].number
        free = read_inventory(ledger, "north").holdings["lead_bromide", "L1"].left_least
        planned = {"lead_bromide": {"least": 0.0, "most": 250.0, "lab": "north", "lot": "L1"}}
        ledger.append(made, CampaignResumed(), actor="test")
        intent = TrialDispatched(
            trial=number, attempt=1, station="flow_synthesis", planned=planned
        )
        ledger.append(made, intent, actor="test")
        held = read_inventory(ledger, "north")
        assert held.holdings["lead_bromide", "L1"].left_least == pytest.approx(free - 250.0)
        assert [d.kind for d in held.doubts] == ["planned"]


def test_what_somebody_weighed_holds_whatever_was_in_doubt_before(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        made, _ = launched(ledger, stores(lead_bromide=500.0))
        number = ledger.trials(made)[-1].number
        ledger.append(made, CampaignResumed(), actor="test")
        intent = TrialDispatched(trial=number, attempt=1, station="flow_synthesis")
        ledger.append(made, intent, actor="test")
        doubtful = {"lead_bromide": {"least": 0.0, "most": 50.0, "lab": "north", "lot": "L1"}}
        doubt = ledger.append(
            made,
            TrialInDoubt(
                trial=number, attempt=1, found="dispatched", reason="test", doses=doubtful
            ),
            actor="test",
        )
        correct_stock(ledger, "north", "lead_bromide", "L1", 123.0, "weighed")
        known = {"lead_bromide": {"least": 5.0, "most": 5.0, "lab": "north", "lot": "L1"}}
        settled = DosesSettled(trial=number, attempt=1, doubt=doubt.seq, doses=known)
        ledger.append(made, settled, actor="test")
        held = read_inventory(ledger, "north").holdings["lead_bromide", "L1"]
        assert held.left_least == held.left_most == 123.0
        assert check_integrity(ledger, made).findings == []


def test_one_volume_in_other_words_is_one_bottle(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        launched(ledger, stores(lead_bromide=50_000.0))
        check_stores(ledger, stores(lead_bromide=50_000.00000000001))
        with pytest.raises(InputRefusedError, match="opened once"):
            check_stores(ledger, stores(lead_bromide=40_000.0))


def test_a_budget_of_money_needs_prices():
    campaign = check_campaign({**CAMPAIGN, "budget": {"trials": 2, "money": "5 USD"}})
    for declared in (None, stores(lead_bromide=1.0)):
        with pytest.raises(InputRefusedError, match="price in USD"):
            check_prices(campaign, declared)
