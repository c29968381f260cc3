"""The flow synthesis station: room-temperature CsPbBr3 in a tube, with in-line halide exchange.

The station is simulated: its instruments act on one FlowPlant. The same procedure, formulation
and metrology serve a real line, for which only the rig differs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from instruments import feasibility, flow_line
from instruments.bench import Bench
from instruments.capabilities import FlowRig, SafeState
from instruments.carry_over import contamination, remainder
from instruments.contacts import flow_contacts
from instruments.doses import DoseMeter, Doses, note_doses, total_volume
from instruments.drivers.transcript import Transcript
from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.flow_bench import fading, flow_bench, flow_wiring, troubles, wired
from instruments.flow_recipe import (
    exchange_violations,
    formulation,
    measurement_of,
    plan_of,
    reservoirs,
)
from instruments.formulation import mixed
from instruments.hazards import Contact
from instruments.metrology import analyse_flow
from instruments.metrology.contamination import judged
from instruments.procedures import flow_care
from instruments.procedures.flow import (
    FlowProcedure,
    FlowSettings,
)
from instruments.procedures.flow_care import CareRecord, FlowCare
from instruments.procedures.flow_needs import flow_needs
from instruments.recipe_check import declaration_violations
from instruments.rehearsal import Now, unwatched
from instruments.simulated.flow_extras import flow_extras
from instruments.simulated.lab import checked_seed
from instruments.simulated.rig import simulated_rig
from instruments.station import (
    Analysis,
    AttemptKey,
    Measurement,
    Recipe,
    StationDescription,
    Violation,
)
from instruments.stores import StockDeclaration
from surrogate_sim.flow_formation import MODELS, Model
from surrogate_sim.parameters import FlowParameters, TwinParameters, draw, nominal
from surrogate_sim.plants.flow import Composition, FlowPlant, Line

DESCRIPTION = StationDescription(
    name="flow_synthesis",
    version="3",
    description=(
        "CsPbBr3 nanocrystals made in a flow tube, at room temperature or heated, optionally with "
        "an in-line halide exchange stage, measured by emission, absorption and lifetime"
    ),
    parameters=flow_line.PARAMETERS,
    observables=flow_line.OBSERVABLES,
    simulated=True,
    repeatable=True,
)


class FlowSynthesisStation:
    """A simulated flow line behind the station contract.

    What carries from trial to trial is the plant's state alone: every run takes the line up from
    it, rinsed with solvent, so a station that never stopped and one restored from the record
    continue alike, bit by bit.

    Args:
        lab: {"hidden": SEED} draws a laboratory that differs from the nominal one;
            {"model": "full"} solves the population balance where the default, "reduced",
            follows its characteristics; {"instruments": PARTS} puts real drivers on emulated
            wires between procedure and plant (`instruments.wiring`); {"tubing": TUBES} are its
            tubes as built, {"flush_volumes": V} how much rinses it before a recipe; None
            is the nominal laboratory with simulated instruments.
        seed: Keys the noise where no hidden seed is given.
        settings: How the procedure is carried out.
        parameters: Constants of the laboratory; those of `lab` if absent.

    Attributes:
        transcript: Keeps what goes over the wires that are opened from then on.

    Raises:
        InstrumentError: an unknown key, model or part in `lab`, or a seed that is not a whole
            number of at least 0.
    """

    def __init__(
        self,
        lab: Mapping[str, Any] | None = None,
        seed: int = 0,
        *,
        settings: FlowSettings | None = None,
        parameters: TwinParameters | None = None,
    ) -> None:
        hidden, self._model = _laboratory(lab)
        self._geometry = flow_line.geometry((lab or {}).get("tubing") or {})
        self._lab_seed = seed if hidden is None else hidden
        self._parameters: FlowParameters = nominal() if hidden is None else draw(hidden)
        if parameters is not None:
            self._parameters = FlowParameters(
                parameters.materials, parameters.own, parameters.seed
            )
        self._measured: FlowPlant | None = None
        self._settings = settings or FlowSettings()
        if (volumes := (lab or {}).get("flush_volumes")) is not None:
            self._settings = replace(self._settings, flush_volumes=float(volumes))
        self._stocks = flow_line.all_stocks()
        self._inlets = {s.name: Composition(**asdict(s.contents)) for s in self._stocks}
        self._state: dict[str, Any] = {}
        self._rig: FlowRig | None = None
        self._wiring = flow_wiring((lab or {}).get("instruments") or {})
        self._bench: Bench | None = None
        self._identities: tuple[Mapping[str, Any], ...] | None = None
        self._meter: DoseMeter[AttemptKey] = DoseMeter()
        self.transcript: Transcript | None = None
        self._open = False
        self._watched: Callable[[Any, Now], Any] = unwatched

    @property
    def description(self) -> StationDescription:
        """What the station declares."""
        return DESCRIPTION

    @property
    def lab_time(self) -> float:
        """Seconds on the virtual clock."""
        return float(self._state.get("clock", 0.0))

    def tubes(self) -> tuple[str, ...]:
        """Names of its tubes."""
        return flow_line.TUBES

    def stocks(self) -> tuple[StockDeclaration, ...]:
        """Every stock that it draws from, in a fixed order."""
        return flow_line.stock_declarations()

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids that a complete recipe brings about."""
        return flow_contacts(recipe)

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig through `watched` before it is used; see `instruments.rehearsal`."""
        self._watched = watched

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a complete recipe; pure, cheap, moves nothing."""
        found = declaration_violations(flow_line.PARAMETERS, recipe)
        if found:
            return found
        carrier = flow_line.CARRIER[str(recipe["flow_format"])]
        made = formulation(recipe, self._geometry)
        velocity = float(recipe["flow_velocity"])
        solvent = flow_line.solvent_of(recipe)
        return [
            *made.violations,
            *reservoirs(recipe, made, self._settings, self._geometry),
            *feasibility.flow_violations(carrier, velocity, self._geometry, solvent),
            *feasibility.temperature_violations(carrier, float(recipe["temperature"]), solvent),
            *exchange_violations(carrier, recipe, solvent),
            *feasibility.position_violations(recipe, self._geometry),
        ]

    def open(self) -> None:
        """Connect to the drivers, if any; the simulated instruments are always there.

        Raises:
            InstrumentError: every device that cannot be reached or identified.
        """
        if self._wiring.parts and self._bench is None:
            _compile(self._plant())
            bench = self.bench()
            bench.open_whole()
            self._bench = bench
        self._open = True

    def bench(self) -> Bench:
        """Return the wires of its drivers, not yet open; none of them for a simulated station."""
        return flow_bench(self._wiring, self.transcript)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with ({} is a new laboratory)."""
        self._state = json.loads(json.dumps(dict(state)))
        self._plant()  # refuses a state that the plant cannot take up

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe; see `instruments.station.Station.run`.

        Raises:
            RecipeRefusedError: before anything moves.
            TrialFailedError: `clogged`; carries the station's state.
            StationStoppedError: a person is needed.
            InstrumentError: the station is not open.
        """
        if not self._open:
            raise InstrumentError("a station must be opened before it runs; call open()")
        problems = self.check(recipe)
        if problems:
            raise RecipeRefusedError(problems)
        plant = self._plant()
        rig = self._build_rig(plant, key)
        self._rig = rig
        self._measured = None

        def measured() -> None:
            self._measured = plant.snapshot()

        procedure = FlowProcedure(rig, self._geometry, self._settings, progress, measured)
        identities = self._identified(rig)
        self._meter.begin(key, rig.pumps, self.needs([recipe]))
        try:
            record = procedure.run(plan_of(recipe, self._geometry))
        except TrialFailedError as error:
            self._keep(plant)
            failed = TrialFailedError(error.reason, str(error), self._state)
            note_doses(failed, self._meter.end(rig.pumps))
            raise failed from error
        except BaseException as error:
            note_doses(error, self._meter.end(rig.pumps))
            raise
        doses = self._meter.end(rig.pumps)
        self._keep(plant)
        return replace(
            measurement_of(recipe, record, identities, self._state, self._model, self._geometry),
            doses=doses,
        )

    def _identified(self, rig: FlowRig) -> tuple[Mapping[str, Any], ...]:
        """What every instrument says that it is, asked once while the station is open."""
        if self._identities is None:
            self._identities = tuple(i.identify() for i in rig.instruments().values())
        return self._identities

    def needs(self, recipes: Sequence[Recipe]) -> Mapping[str, float]:
        """Most that a run of these recipes may draw of each stock [µL]; see `Consuming`."""
        return total_volume(
            flow_needs(plan_of(r, self._geometry), self._geometry, self._settings) for r in recipes
        )

    def supplies(self) -> Mapping[str, float]:
        """What one run can draw of a stock at most [µL]: `check` sees to the reservoirs."""
        return {}

    def settled(self) -> Mapping[AttemptKey, Doses]:
        """Return doses that were in doubt and have become known since."""
        return self._meter.settle({} if self._rig is None else self._rig.pumps)

    def procedures(self) -> tuple[str, ...]:
        """Names of what is done beside trials."""
        return flow_care.NAMES

    def care(
        self,
        name: str,
        progress: Callable[[str], None] | None = None,
        stocks: Sequence[str] = (),
    ) -> CareRecord:
        """Carry a procedure out; see `instruments.around.CaredStation`.

        Raises:
            InstrumentError: no such procedure or stock, or the station is not open.
        """
        if not self._open:
            raise InstrumentError("a station must be opened before it is cared for; call open()")
        unknown = sorted(set(stocks) - {s.name for s in self._stocks})
        if name not in flow_care.NAMES or unknown or (name == "prime") != bool(stocks):
            raise InstrumentError(
                f"a procedure must be one of {', '.join(flow_care.NAMES)}, prime with stocks of "
                f"the line and the others without, but got {name!r} with "
                f"{', '.join(stocks) or 'none'}"
            )
        plant = self._plant()
        rig = self._rig = self._build_rig(plant, AttemptKey(0, int(self.lab_time)))
        record = FlowCare(rig, self._geometry, self._settings, progress).run(name, stocks)
        self._keep(plant)
        return record

    def carry_over(self, before: Recipe, now: Recipe) -> float:
        """Largest relative error of a concentration that the recipe before makes in this one."""
        first, plan = plan_of(before, self._geometry), plan_of(now, self._geometry)
        velocity = float(now["flow_velocity"])
        share = remainder(plan, self._geometry, self._settings, velocity)
        return contamination(
            share, mixed(self._stocks, first.flows), mixed(self._stocks, plan.flows)
        )

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return judged(analyse_flow(measurement), measurement)

    def devices(self) -> Mapping[str, Any]:
        """Its instruments by name that have a safe state, for a stop from any thread."""
        rig, bench = self._rig, self._bench
        if rig is not None:
            return {n: i for n, i in rig.instruments().items() if isinstance(i, SafeState)}
        return {} if bench is None else bench.by_name

    def truth(self) -> Mapping[str, float]:
        """Hidden state of the stream that the last run measured; empty where none was."""
        if self._measured is None:
            return {}
        return {name: float(value) for name, value in self._measured.truth().items()}

    def close(self) -> None:
        """Bring every instrument to its safe state and let go of it."""
        try:
            if self._rig is not None:
                self._rig.to_safe_state()
        finally:
            if self._bench is not None:
                self._bench.close()
            self._rig, self._bench, self._open = None, None, False
            self._identities = None

    def _keep(self, plant: FlowPlant) -> None:
        self._state = json.loads(json.dumps(plant.state()))

    def _plant(self) -> FlowPlant:
        geometry = self._geometry
        return FlowPlant(
            Line(**asdict(geometry)),
            self._inlets,
            {s.name: s.stage for s in self._stocks},
            self._parameters,
            self._state or None,
            model=self._model,
            octadecene=frozenset(s.name for s in self._stocks if s.solvent == "octadecene"),
        )

    def _build_rig(self, plant: FlowPlant, key: AttemptKey) -> FlowRig:
        rig = simulated_rig(
            plant,
            self._stocks,
            self._lab_seed,
            key,
            start=self.lab_time,
            photon_rate=self._parameters.flow["photon_rate"] * self._lamp(),
            fading=fading(self._wiring),
        )
        plant.suffer(troubles(self._wiring, key))
        rig = replace(rig, extras=flow_extras(plant, self._lab_seed, key))
        rig = rig if self._bench is None else wired(rig, self._bench)
        seen: FlowRig = self._watched(rig, rig.clock.now)
        return seen

    def _lamp(self) -> float:
        """Excitation left after a hidden lab's drift: line and reference dye share the source."""
        if self._parameters.seed is None:
            return 1.0
        return math.exp(-self._parameters.flow["lamp_drift"] * self.lab_time / 86400.0)


def _compile(plant: FlowPlant) -> None:
    """Have the models compiled before a device that they stand behind is waited for."""
    for stock in ("lead_bromide", "caesium_c18", "zinc_iodide_acid"):
        plant.set_flow(stock, 5.0)
    plant.advance(600.0)
    light = np.array([450.0, 500.0])
    plant.emission(light)
    plant.absorbance(light)
    plant.decay(np.array([0.0, 1.0]))


def _laboratory(lab: Mapping[str, Any] | None) -> tuple[int | None, Model]:
    """Seed of the hidden laboratory, if any, and the model that solves formation."""
    given = lab or {}
    unknown = sorted(set(given) - {"hidden", "model", "instruments", "tubing", "flush_volumes"})
    if unknown:
        raise InstrumentError(
            "a lab of flow_synthesis takes 'hidden', 'model', 'instruments', 'tubing' and "
            "'flush_volumes', but got "
            f"{', '.join(unknown)}; remove or correct it"
        )
    seed, model = given.get("hidden"), given.get("model") or "reduced"
    if model not in MODELS:
        raise InstrumentError(f"model must be one of {', '.join(MODELS)}, but got {model!r}")
    return None if seed is None else checked_seed(seed), "full" if model == "full" else "reduced"
