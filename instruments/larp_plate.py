"""The reprecipitation plate: up to 96 wells of CsPbBr3 by ligand-assisted reprecipitation.

The station is simulated: its instruments act on one LarpPlant. Wells are filled by a robot and
read every 10 min for 12 h, after Sanchez et al. (seed 002).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from instruments import plate_deck
from instruments.bench import Bench
from instruments.contacts import plate_contacts
from instruments.doses import Doses, note_batch_doses
from instruments.drivers.transcript import Transcript
from instruments.errors import InstrumentError, RecipeRefusedError
from instruments.hazards import Contact
from instruments.metrology.plate import analyse_plate
from instruments.plate_bench import plate_bench, plate_wiring, wired
from instruments.plate_deck import stock_declarations
from instruments.plate_doses import CountingRobot
from instruments.plate_recipe import (
    OBSERVABLES,
    PARAMETERS,
    achieved,
    amine_violations,
    ligand_concentration,
    plan,
)
from instruments.procedures.plate import (
    WELLS,
    PlateSettings,
    WellPlan,
    WellRecord,
    layout,
    run_plate,
    well_name,
)
from instruments.recipe_check import declaration_violations
from instruments.rehearsal import Now, unwatched
from instruments.simulated.lab import hidden_seed
from instruments.simulated.noise import instrument_generator
from instruments.simulated.plate import reader_optics, simulated_plate_rig
from instruments.station import (
    Analysis,
    AttemptKey,
    Measurement,
    Recipe,
    StationDescription,
    Violation,
)
from instruments.stopping import make_all_safe
from instruments.stores import StockDeclaration
from surrogate_sim.parameters import TwinParameters, twin_parameters
from surrogate_sim.plants.larp_plate import LarpPlant

DESCRIPTION = StationDescription(
    name="larp_plate",
    version="2",
    description=(
        "CsPbBr3 nanocrystals by ligand-assisted reprecipitation in a 96-well plate, read for "
        "12 h by a fluorescence plate reader"
    ),
    parameters=PARAMETERS,
    observables=OBSERVABLES,
    simulated=True,
    repeatable=True,
    max_batch=WELLS,
)


class LarpPlateStation:
    """A simulated plate line behind the station contract.

    What carries from run to run is the virtual clock and the number of plates, on which a hidden
    lab's batches and lamp depend.

    Args:
        lab: {"hidden": SEED} draws a laboratory that differs from the nominal one;
            {"instruments": PARTS} puts real drivers on emulated wires between procedure and
            plant (`instruments.wiring`); None is the nominal laboratory with simulated
            instruments.
        seed: Keys the noise where no hidden seed is given.
        parameters: The lab's constants, in place of those that `lab` stands for.

    Attributes:
        transcript: Keeps what goes over the wires that are opened from then on.

    Raises:
        InstrumentError: an unknown key in `lab`, or a seed that is not a whole number >= 0.
    """

    def __init__(
        self,
        lab: Mapping[str, Any] | None = None,
        seed: int = 0,
        *,
        parameters: TwinParameters | None = None,
    ) -> None:
        given = dict(lab or {})
        self._wiring = plate_wiring(given.pop("instruments", None) or {})
        self._bench: Bench | None = None
        self.transcript: Transcript | None = None
        hidden = hidden_seed(given, "larp_plate")
        self._parameters = parameters or twin_parameters("larp_plate", hidden)
        self._lab_seed = seed if hidden is None else hidden
        self._state: dict[str, Any] = {}
        self._truth: tuple[LarpPlant, int] | None = None
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
        return stock_declarations()

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids that a complete recipe brings about."""
        return plate_contacts(recipe)

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig through `watched` before it is used; see `instruments.rehearsal`."""
        self._watched = watched

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a complete recipe; pure, cheap, moves nothing."""
        return declaration_violations(PARAMETERS, recipe) or amine_violations(recipe)

    def open(self) -> None:
        """Connect to the drivers, if any; the simulated instruments are always there.

        Raises:
            InstrumentError: every device that cannot be reached or identified.
        """
        if self._wiring.parts and self._bench is None:
            bench = self.bench()
            bench.open_whole()
            self._bench = bench
        self._open = True

    def bench(self) -> Bench:
        """Return the wires of its drivers, not yet open; none of them for a simulated station."""
        return plate_bench(self._wiring, reader_optics(self._parameters.own), self.transcript)

    def devices(self) -> Mapping[str, Any]:
        """Its drivers by name, for a stop from any thread; the simulated instruments rest."""
        return {} if self._bench is None else self._bench.by_name

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with ({} is a new laboratory)."""
        taken = json.loads(json.dumps(dict(state)))
        LarpPlant(self._parameters, taken or None)  # refuses a state that it cannot take up
        self._state = taken

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe, on a plate with one well; see `instruments.station`.

        Raises:
            RecipeRefusedError: before anything moves.
            InstrumentError: the station is not open.
        """
        return self.run_batch([recipe], [key], progress)[0]

    def run_batch(
        self,
        recipes: Sequence[Recipe],
        keys: Sequence[AttemptKey],
        progress: Callable[[str], None] | None = None,
    ) -> Sequence[Measurement]:
        """Make and measure recipes on one plate, in wells drawn at random from the first key.

        Raises:
            RecipeRefusedError: any recipe breaks a limit, or there are too many; nothing moved.
            InstrumentError: the station is not open, or keys and recipes differ in number.
        """
        if not self._open:
            raise InstrumentError("a station must be opened before it runs; call open()")
        self._refuse(recipes, keys)
        c = self._parameters.own
        plant = LarpPlant(self._parameters, self._state or None)
        drawn = instrument_generator(self._lab_seed, keys[0], "layout").integers(2**31)
        wells = layout(len(recipes), int(drawn))
        rig = simulated_plate_rig(
            plant, wells, keys, self._lab_seed, c, self._parameters.materials
        )
        if self._bench is not None:
            rig = wired(rig, self._bench)
        rig = self._watched(rig, rig.clock.now)
        settings = PlateSettings(c["transfer_time"], c["frame_interval"])
        plans = [plan(r, c) for r in recipes]
        # asked before anything moves: a plate that is read must not be lost to a question
        identities = tuple(i.identify() for i in rig.instruments().values())
        robot = CountingRobot(rig.robot)
        rig = replace(rig, robot=robot)
        try:
            records = run_plate(rig, plans, wells, settings, progress)
        except BaseException as error:
            note_batch_doses(error, robot.doses(plans))
            raise
        self._state, self._truth = plant.state(), (plant, wells[-1])
        return [
            replace(
                _measurement(recipe, made, record, int(drawn), len(recipes), self._state),
                identities=identities,
                doses=doses,
            )
            for recipe, made, record, doses in zip(
                recipes, plans, records, robot.doses(plans), strict=True
            )
        ]

    def needs(self, recipes: Sequence[Recipe]) -> Mapping[str, float]:
        """What a plate of these recipes draws of each liquid [µL]; see `Consuming`."""
        return plate_deck.demands([plan(r, self._parameters.own) for r in recipes])

    def supplies(self) -> Mapping[str, float]:
        """What may be drawn of each liquid of the deck as it is dressed [µL]."""
        settings = self._wiring.settings.get("robot")
        dressed = getattr(settings, "dressed", plate_deck.full)
        return dict(dressed())

    def settled(self) -> Mapping[AttemptKey, Doses]:
        """Nothing: a robot that broke off does not tell later what it had drawn."""
        return {}

    def _refuse(self, recipes: Sequence[Recipe], keys: Sequence[AttemptKey]) -> None:
        if len(keys) != len(recipes):
            raise InstrumentError(
                f"each recipe needs its key, but got {len(recipes)} recipes and {len(keys)} keys"
            )
        problems = [v for r in recipes for v in self.check(r)]
        if not 1 <= len(recipes) <= WELLS:
            problems.append(
                Violation(
                    "batch",
                    float(len(recipes)),
                    f"1 to {WELLS}",
                    "wells",
                    f"a plate takes 1 to {WELLS} recipes, but got {len(recipes)}; split the batch",
                )
            )
        if problems:
            raise RecipeRefusedError(problems)

    def truth(self) -> Mapping[str, float]:
        """Return the hidden state of the last recipe's well, as plain numbers by name."""
        if self._truth is None:
            return {}
        plant, well = self._truth
        return {n: v for n, v in plant.truth(well).items() if math.isfinite(v)}

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return analyse_plate(measurement)

    def close(self) -> None:
        """Bring every instrument to its safe state and let go of it.

        Raises:
            StationStoppedError: devices that did not confirm it.
        """
        bench, self._bench, self._open = self._bench, None, False
        if bench is None:
            return
        try:
            make_all_safe(bench.by_name)
        finally:
            bench.close()


def _measurement(
    recipe: Recipe,
    made: WellPlan,
    record: WellRecord,
    drawn: int,
    count: int,
    state: Mapping[str, Any],
) -> Measurement:
    conditions = {
        "plate_row": {"value": record.well // 12 + 1, "unit": ""},
        "plate_column": {"value": record.well % 12 + 1, "unit": ""},
        "layout_seed": {"value": drawn, "unit": ""},
        "wells_on_plate": {"value": count, "unit": ""},
        "age_at_first_read": {"value": record.age, "unit": "s"},
        "ligand_concentration": {"value": ligand_concentration(recipe), "unit": "mol/L"},
    }
    first = record.spectra[0]
    labelled = type(first)(
        first.name,
        first.axis,
        first.values,
        first.axis_unit,
        first.unit,
        {**first.settings, "well": well_name(record.well)},
    )
    return Measurement(
        requested=dict(recipe),
        achieved=achieved(made),
        conditions=conditions,
        spectra=(labelled, *record.spectra[1:]),
        station_state=dict(state),
    )
