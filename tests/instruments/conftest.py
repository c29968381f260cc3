import pytest
from plant_double import PlantDouble

from instruments.capabilities import FlowLimits
from instruments.flow_line import GEOMETRY
from instruments.formulation import Contents, Stock
from instruments.procedures.flow import FlowPlan, FlowProcedure, FlowSettings
from instruments.simulated.rig import simulated_rig
from instruments.station import AttemptKey

STOCKS = [
    Stock(name, Contents(), "synthesis", FlowLimits(0.005, 20.0)) for name in ("a", "b", "toluene")
]
PLAN = FlowPlan({"a": 1.5, "b": 1.5, "toluene": 2.0}, "none", 0.0, 60.0, 1000.0)


class Bench:
    """A plant double with instruments around it."""

    def __init__(self, plant=None, key=(1, 1), lab_seed=7):
        self.plant = plant or PlantDouble()
        self.rig = simulated_rig(
            self.plant,
            STOCKS,
            lab_seed,
            AttemptKey(*key),
            start=0.0,
            photon_rate=self.plant.photon_rate,
        )

    def run(self, plan=PLAN, **settings):
        return FlowProcedure(self.rig, GEOMETRY, FlowSettings(**settings)).run(plan)


@pytest.fixture
def bench():
    return Bench


@pytest.fixture
def plan():
    return PLAN
