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
from instruments.capabilities import Carrier, FlowRig, SafeState
from instruments.doses import DoseMeter, Doses, note_doses, total_volume
from instruments.drivers.transcript import Transcript
from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.flow_bench import fading, flow_bench, flow_wiring, troubles, wired
from instruments.formulation import (
    Formulation,
    achieved_recipe,
    formulate,
    reservoir_violations,
)
from instruments.metrology import analyse_flow
from instruments.procedures.flow import FlowPlan, FlowProcedure, FlowRecord, FlowSettings
from instruments.procedures.flow_needs import flow_needs
from instruments.recipe_check import declaration_violations
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
from surrogate_sim import hydrodynamics
from surrogate_sim.flow_formation import MODELS, Model
from surrogate_sim.parameters import FlowParameters, TwinParameters, draw, nominal
from surrogate_sim.plants.flow import Composition, FlowPlant, Line

PHOTONS = 30_000
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
            wires between procedure and plant (`instruments.wiring`); None is the nominal
            laboratory with simulated instruments.
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
        self._lab_seed = seed if hidden is None else hidden
        self._parameters: FlowParameters = nominal() if hidden is None else draw(hidden)
        if parameters is not None:
            self._parameters = FlowParameters(
                parameters.materials, parameters.own, parameters.seed
            )
        self._measured: FlowPlant | None = None
        self._settings = settings or FlowSettings()
        self._stocks = flow_line.all_stocks()
        self._inlets = {s.name: Composition(**asdict(s.contents)) for s in self._stocks}
        self._state: dict[str, Any] = {}
        self._rig: FlowRig | None = None
        self._wiring = flow_wiring((lab or {}).get("instruments") or {})
        self._bench: Bench | None = None
        self._meter: DoseMeter[AttemptKey] = DoseMeter()
        self.transcript: Transcript | None = None
        self._open = False

    @property
    def description(self) -> StationDescription:
        """What the station declares."""
        return DESCRIPTION

    @property
    def lab_time(self) -> float:
        """Seconds on the virtual clock."""
        return float(self._state.get("clock", 0.0))

    def stocks(self) -> tuple[StockDeclaration, ...]:
        """Every stock that it draws from, in a fixed order."""
        return flow_line.stock_declarations()

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a complete recipe; pure, cheap, moves nothing."""
        found = declaration_violations(flow_line.PARAMETERS, recipe)
        if found:
            return found
        carrier = flow_line.CARRIER[str(recipe["flow_format"])]
        made = _formulation(recipe)
        velocity = float(recipe["flow_velocity"])
        solvent = flow_line.solvent_of(recipe)
        return [
            *made.violations,
            *_reservoirs(recipe, made, self._settings),
            *feasibility.flow_violations(carrier, velocity, flow_line.GEOMETRY, solvent),
            *feasibility.temperature_violations(carrier, float(recipe["temperature"]), solvent),
            *_exchange_violations(carrier, recipe, solvent),
            *feasibility.position_violations(recipe, flow_line.GEOMETRY),
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

        procedure = FlowProcedure(rig, flow_line.GEOMETRY, self._settings, progress, measured)
        self._meter.begin(key, rig.pumps, self.needs([recipe]))
        try:
            record = procedure.run(_plan(recipe))
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
        return _measurement(recipe, record, rig, self._state, self._model, doses)

    def needs(self, recipes: Sequence[Recipe]) -> Mapping[str, float]:
        """Most that a run of these recipes may draw of each stock [µL]; see `Consuming`."""
        return total_volume(
            flow_needs(_plan(r), flow_line.GEOMETRY, self._settings) for r in recipes
        )

    def supplies(self) -> Mapping[str, float]:
        """What one run can draw of a stock at most [µL]: `check` sees to the reservoirs."""
        return {}

    def settled(self) -> Mapping[AttemptKey, Doses]:
        """Return doses that were in doubt and have become known since."""
        return self._meter.settle({} if self._rig is None else self._rig.pumps)

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return analyse_flow(measurement)

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

    def _keep(self, plant: FlowPlant) -> None:
        self._state = json.loads(json.dumps(plant.state()))

    def _plant(self) -> FlowPlant:
        geometry = flow_line.GEOMETRY
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
        return rig if self._bench is None else wired(rig, self._bench)

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
    unknown = sorted(set(given) - {"hidden", "model", "instruments"})
    if unknown:
        raise InstrumentError(
            "a lab of flow_synthesis takes 'hidden', 'model' and 'instruments', but got "
            f"{', '.join(unknown)}; remove or correct it"
        )
    seed, model = given.get("hidden"), given.get("model") or "reduced"
    if model not in MODELS:
        raise InstrumentError(f"model must be one of {', '.join(MODELS)}, but got {model!r}")
    return None if seed is None else checked_seed(seed), "full" if model == "full" else "reduced"


def _exchange_violations(
    carrier: Carrier, recipe: Recipe, solvent: hydrodynamics.Solvent
) -> list[Violation]:
    """The second reactor's temperature, where there is one."""
    if "exchange_temperature" not in recipe:
        return []
    value = float(recipe["exchange_temperature"])
    return feasibility.temperature_violations(carrier, value, solvent, "exchange_temperature")


def _formulation(recipe: Recipe) -> Formulation:
    return formulate(
        flow_line.synthesis_stocks(recipe),
        flow_line.exchange_stocks(recipe),
        recipe,
        area=flow_line.GEOMETRY.area,
        liquid_fraction=flow_line.LIQUID_FRACTION[str(recipe["flow_format"])],
        solubility=flow_line.SOLUBILITY,
    )


def _reservoirs(recipe: Recipe, made: Formulation, settings: FlowSettings) -> list[Violation]:
    """Volume drawn in the longest wait that the procedure may take."""
    volume = flow_line.GEOMETRY.volume_to(float(recipe["probe_position"]))
    total = float(recipe["flow_velocity"]) * flow_line.GEOMETRY.area
    seconds = settings.settle + volume / total * (
        settings.wait_volumes + settings.extra_volumes + 1.0
    )
    stocks = (*flow_line.synthesis_stocks(recipe), *flow_line.exchange_stocks(recipe))
    return reservoir_violations(stocks, made.flows, seconds)


def _carrier(recipe: Recipe) -> Carrier:
    return flow_line.CARRIER[str(recipe["flow_format"])]


def _plan(recipe: Recipe) -> FlowPlan:
    made = _formulation(recipe)
    return FlowPlan(
        flows=made.flows,
        carrier=_carrier(recipe),
        carrier_flow=made.carrier_flow,
        temperature=float(recipe["temperature"]),
        position=float(recipe["probe_position"]),
        solvent=flow_line.solvent_of(recipe),
        exchange_temperature=_second_stage(recipe),
        scan=_scan(recipe),
        lines=int(recipe["lines"]),
        photons=PHOTONS if recipe["characterisation"] == flow_line.WITH_LIFETIME else 0,
    )


def _second_stage(recipe: Recipe) -> float | None:
    value = recipe.get("exchange_temperature")
    return None if value is None else float(value)


def _scan(recipe: Recipe) -> tuple[float, ...]:
    """Positions that divide the tube up to the probe, behind the junction where salt joins."""
    count = int(recipe["scan_positions"])
    last = float(recipe["probe_position"])
    first = flow_line.GEOMETRY.junction if recipe["halide_salt"] != "none" else 0.0
    return tuple(first + (last - first) * (i + 1) / count for i in range(count))


def _measurement(
    recipe: Recipe,
    record: FlowRecord,
    rig: FlowRig,
    state: Mapping[str, Any],
    model: Model,
    doses: Doses,
) -> Measurement:
    readings = record.readings
    stocks = flow_line.synthesis_stocks(recipe), flow_line.exchange_stocks(recipe)
    achieved: dict[str, float] = {}
    if min(record.flows.values()) > 0.0:  # a stock that brings air leaves no ratios
        achieved |= achieved_recipe(*stocks, record.flows)
    achieved["flow_velocity"] = readings["velocity"]
    achieved["temperature"] = readings["temperature"]
    achieved["probe_position"] = readings["position"]
    conditions = feasibility.flow_conditions(
        _carrier(recipe),
        readings["velocity"],
        readings["position"],
        flow_line.GEOMETRY,
        flow_line.solvent_of(recipe),
    )
    warnings = (*record.warnings, *feasibility.damkohler_warning(conditions))
    return Measurement(
        requested=dict(recipe),
        achieved=achieved,
        conditions={
            **conditions,
            **_procedure_conditions(record),
            "model": {"value": model, "unit": ""},
        },
        spectra=record.spectra,
        station_state=state,
        identities=tuple(i.identify() for i in rig.instruments().values()),
        warnings=warnings,
        doses=doses,
    )


def _procedure_conditions(record: FlowRecord) -> dict[str, dict[str, Any]]:
    units = {"flushed": "", "waited": "", "waited_time": "s", "change": "", "flow_departure": ""}
    found = {
        f"line_volumes_{n}" if n in ("flushed", "waited") else n: {
            "value": v,
            "unit": units.get(n, "s"),
        }
        for n, v in record.waits.items()
    }
    found["carrier_flow"] = {"value": record.readings["carrier_flow"], "unit": "µL/s"}
    for name, flow in record.flows.items():
        found[f"flow_{name}"] = {"value": flow, "unit": "µL/s"}
    return found
