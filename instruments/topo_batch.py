"""The TOPO/PbBr2 batch station: CsPbBr3 dots watched by X-rays and light as they form.

The station is simulated: its instruments act on one TopoPlant. The same procedure and metrology
serve a real beamline, for which only the rig differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instruments.contacts import topo_contacts
from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.hazards import Contact
from instruments.metrology.topo_batch import analyse
from instruments.procedures.topo_batch import (
    BatchPlan,
    BatchProcedure,
    BatchRecord,
    BatchRig,
    BatchSettings,
)
from instruments.recipe_check import declaration_violations
from instruments.rehearsal import Now, unwatched
from instruments.simulated.lab import hidden_seed
from instruments.simulated.topo_batch import simulated_batch_rig
from instruments.station import (
    Analysis,
    AttemptKey,
    Measurement,
    ObservableDeclaration,
    ParameterDeclaration,
    Recipe,
    StationDescription,
    Violation,
)
from instruments.stock_lists import TOPO
from instruments.stores import StockDeclaration
from surrogate_sim.parameters import TwinParameters, twin_parameters
from surrogate_sim.plants.topo_batch import TopoPlant
from surrogate_sim.population import PopulationError

TWIN = "topo_batch"
_P, _O = ParameterDeclaration, ObservableDeclaration
PARAMETERS = (
    _P("caesium_ligand", "what caesium comes with: diisooctylphosphinate (DOPA) or oleate",
       "categorical", choices=("dopa", "oleate"), default="dopa"),
    _P("caesium_concentration", "caesium after injection, before dilution", "continuous",
       "mmol/L", 0.2, 8.0, default=2.0),
    _P("lead_concentration", "lead bromide after injection, before dilution", "continuous",
       "mmol/L", 0.5, 24.0, default=6.0),
    _P("topo_concentration", "trioctylphosphine oxide after injection, before dilution",
       "continuous", "mmol/L", 3.0, 200.0, default=30.0),
    _P("dilution", "how many times everything is diluted with solvent", "continuous", "",
       1.0, 50.0, default=1.0),
    _P("temperature", "temperature of the vessel", "continuous", "degC", 20.0, 110.0,
       default=25.0),
    _P("reaction_time", "from injection to the last frame", "continuous", "s", 2.0, 1200.0,
       default=300.0),
)  # fmt: skip
OBSERVABLES = (
    _O("mean_size", "mean diameter of the dots by number, small-angle scattering", "nm"),
    _O("size_dispersion", "standard deviation of the diameter, small-angle scattering", "nm"),
    _O("number_concentration", "dots in the vessel, small-angle scattering", "µmol/L"),
    _O("optical_concentration", "dots in the vessel, absorbance at 400 nm", "µmol/L"),
    _O("yield", "share of the caesium in dots", ""),
    _O("first_exciton", "first excitonic absorption", "eV", spectral=True),
    _O("exciton_fwhm", "full width at half maximum of the first exciton", "meV"),
    _O("structure_spacing", "centre to centre in stacks, where dots have assembled", "nm"),
)
DESCRIPTION = StationDescription(
    name=TWIN,
    version="1",
    description=(
        "CsPbBr3 nanocrystals from TOPO, PbBr2 and a caesium ligand in a stirred vessel, watched "
        "by small- and wide-angle X-ray scattering and absorbance while they form"
    ),
    parameters=PARAMETERS,
    observables=OBSERVABLES,
    simulated=True,
    repeatable=True,
)
ADDUCT = 2.0
"""TOPO that dissolves one lead bromide."""
SPARE_TOPO = 1.1
"""TOPO over what lead binds, below which lead bromide stays undissolved."""
LONG_PATH, SHORT_PATH, FROM_DILUTION = 10.0, 1.0, 4.0
"""Optical paths [mm] and the dilution from which the long one is taken."""


class TopoBatchStation:
    """A simulated batch vessel in a beam behind the station contract.

    What carries from trial to trial is the plant's state alone, so a station that never stopped
    and one restored from the record continue alike, bit by bit.

    Args:
        lab: {"hidden": SEED} draws a laboratory that differs from the nominal one; None is the
            nominal laboratory.
        seed: Keys the noise where no hidden seed is given.
        parameters: Constants to use instead of those that `lab` names.
        settings: How the procedure is carried out.

    Raises:
        InstrumentError: an unknown key in `lab`, or a seed that is not a whole number >= 0.
    """

    def __init__(
        self,
        lab: Mapping[str, Any] | None = None,
        seed: int = 0,
        *,
        parameters: TwinParameters | None = None,
        settings: BatchSettings | None = None,
    ) -> None:
        hidden = hidden_seed(lab, TWIN)
        self._lab_seed = seed if hidden is None else hidden
        self._parameters = parameters or twin_parameters(TWIN, hidden)
        self._settings = settings or BatchSettings()
        self._state: dict[str, Any] = {}
        self._truth: dict[str, float] = {}
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

    def stocks(self) -> tuple[StockDeclaration, ...]:
        """Every stock that it draws from, in a fixed order."""
        return TOPO

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids that a complete recipe brings about."""
        return topo_contacts(recipe)

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig through `watched` before it is used; see `instruments.rehearsal`."""
        self._watched = watched

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a complete recipe; pure, cheap, moves nothing."""
        found = declaration_violations(PARAMETERS, recipe)
        if found:
            return found
        lead, topo = float(recipe["lead_concentration"]), float(recipe["topo_concentration"])
        least = SPARE_TOPO * ADDUCT * lead
        if topo >= least:
            return []
        message = (
            f"lead bromide dissolves with at least {SPARE_TOPO * ADDUCT:g} TOPO each, "
            f"{least:.3g} mmol/L for {lead:g} mmol/L of lead, but got {topo:g} mmol/L; add TOPO "
            "or use less lead"
        )
        return [Violation("topo_concentration", topo, f">= {least:.3g}", "mmol/L", message)]

    def open(self) -> None:
        """Connect; the simulated instruments are always there."""
        self._open = True

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with ({} is a new laboratory)."""
        kept = json.loads(json.dumps(dict(state)))
        TopoPlant(self._parameters, kept)  # refuses a state that the plant cannot take up
        self._state = kept

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe; see `instruments.station.Station.run`.

        Raises:
            RecipeRefusedError: before anything moves.
            TrialFailedError: `precipitated`; carries the station's state.
            StationStoppedError: the vessel does not warm.
            InstrumentError: the station is not open.
        """
        if not self._open:
            raise InstrumentError("a station must be opened before it runs; call open()")
        problems = self.check(recipe)
        if problems:
            raise RecipeRefusedError(problems)
        plant = TopoPlant(self._parameters, self._state or None)
        rig = simulated_batch_rig(
            plant, self._parameters.own, _path(recipe), self._lab_seed, key, self.lab_time
        )
        rig = self._watched(rig, rig.clock.now)
        try:
            record = BatchProcedure(rig, self._settings, progress).run(_plan(recipe))
        except PopulationError as error:
            self._keep(plant)
            message = f"the dots outgrow what stays dispersed: {error}"
            raise TrialFailedError("precipitated", message, self._state) from error
        self._keep(plant)
        return _measurement(recipe, record, rig, self._state)

    def _keep(self, plant: TopoPlant) -> None:
        self._state = json.loads(json.dumps(plant.state()))
        self._truth = plant.truth()

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return analyse(measurement)

    def truth(self) -> Mapping[str, float]:
        """Hidden state that the last run ended with, as plain numbers; empty before the first."""
        return dict(self._truth)

    def close(self) -> None:
        """Let go of the instruments; the vessel is empty between runs."""
        self._open = False


def _path(recipe: Recipe) -> float:
    return LONG_PATH if float(recipe["dilution"]) >= FROM_DILUTION else SHORT_PATH


def _plan(recipe: Recipe) -> BatchPlan:
    dilution = float(recipe["dilution"])
    return BatchPlan(
        ligand=str(recipe["caesium_ligand"]),
        caesium=float(recipe["caesium_concentration"]) / dilution,
        lead=float(recipe["lead_concentration"]) / dilution,
        topo=float(recipe["topo_concentration"]) / dilution,
        temperature=float(recipe["temperature"]),
        reaction_time=float(recipe["reaction_time"]),
    )


def _measurement(
    recipe: Recipe, record: BatchRecord, rig: BatchRig, state: Mapping[str, Any]
) -> Measurement:
    dilution = float(recipe["dilution"])
    achieved: dict[str, Any] = {n: v * dilution for n, v in record.weighed.items()}
    achieved["temperature"] = record.temperature
    instruments = (rig.vessel, rig.small_angle, rig.wide_angle, rig.spectrometer)
    caesium = record.weighed["caesium_concentration"]
    return Measurement(
        requested=dict(recipe),
        achieved=achieved,
        conditions={
            "caesium_in_vessel": {"value": caesium, "unit": "mmol/L"},
            "optical_path": {"value": _path(recipe), "unit": "mm"},
            "warming_time": {"value": record.warming, "unit": "s"},
        },
        spectra=record.spectra,
        station_state=state,
        identities=tuple(i.identify() for i in instruments),
    )
