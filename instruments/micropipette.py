"""The micropipette station: CsPbBr3 dots grown at a liquid-liquid interface (seed 000).

The station is simulated: its instruments act on one MicropipettePlant. Procedure and metrology
would serve a real bench, for which only the rig differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instruments.contacts import micropipette_contacts
from instruments.errors import InstrumentError, RecipeRefusedError
from instruments.hazards import Contact
from instruments.metrology.micropipette import analyse_growth
from instruments.procedures.micropipette import (
    GrowthPlan,
    GrowthRecord,
    MicropipetteRig,
    run_growth,
)
from instruments.recipe_check import declaration_violations
from instruments.rehearsal import Now, unwatched
from instruments.simulated.lab import hidden_seed
from instruments.simulated.micropipette import micropipette_rig
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
from instruments.stock_lists import MICROPIPETTE
from instruments.stores import StockDeclaration
from surrogate_sim.parameters import TwinParameters, twin_parameters
from surrogate_sim.plants.micropipette import MicropipettePlant

MOST_FRAMES = 5000
"""Frames of one record: what the spectrometer's memory holds (assumed), some 4.5 MB."""


def _number(
    name: str, description: str, unit: str, low: float, high: float, default: float
) -> ParameterDeclaration:
    return ParameterDeclaration(name, description, "continuous", unit, low, high, default=default)


PARAMETERS = (
    _number("tip_diameter", "diameter of the pipette's orifice", "nm", 400.0, 1.5e6, 1600.0),
    _number("lead_concentration", "lead acetate in DMF", "mmol/L", 2.0, 60.0, 20.0),
    _number("caesium_concentration", "caesium acetate in DMF", "mmol/L", 2.0, 90.0, 30.0),
    _number("laser_irradiance", "405 nm laser at the tip", "W/cm^2", 5.0, 200.0, 60.0),
    _number("pressure", "pressure in the pipette, relative to outside", "kPa", -10.0, 0.0, 0.0),
    _number("reaction_time", "time from laser on to retraction", "s", 1.0, 36000.0, 1500.0),
    _number("sampling_interval", "time between spectra", "s", 0.2, 60.0, 30.0),
    _number("integration_time", "exposure of a spectrum", "s", 0.05, 10.0, 0.6),
)
OBSERVABLES = (
    ObservableDeclaration("peak_emission", "peak at the end, of a Gaussian in nm", "nm", True),
    ObservableDeclaration("emission_fwhm", "full width at half maximum at the end", "nm"),
    ObservableDeclaration("emission_linewidth", "the same width in energy", "meV"),
    ObservableDeclaration("intensity", "detected rate in the line at the end", "counts/s"),
    ObservableDeclaration("initial_peak", "peak of the first spectrum with a line", "nm", True),
    ObservableDeclaration("peak_shift", "peak at the end less that at the start", "nm"),
    ObservableDeclaration("stage_1_duration", "time to the bend of the peak's red-shift", "s"),
    ObservableDeclaration("stage_2_duration", "from there to the narrowest line", "s"),
    ObservableDeclaration("narrowest_fwhm", "least width over the record", "nm"),
    ObservableDeclaration("lifetime", "amplitude-weighted mean lifetime", "ns"),
    ObservableDeclaration("lifetime_fast", "shortest component of the decay", "ns"),
    ObservableDeclaration("decay_components", "exponentials that the decay supports", ""),
    ObservableDeclaration("mean_size", "mean edge by electron microscopy", "nm"),
    ObservableDeclaration("size_dispersion", "standard deviation over mean size", "percent"),
    ObservableDeclaration("cs_pb_ratio", "caesium over lead by ICP-MS", ""),
)
DESCRIPTION = StationDescription(
    name="micropipette",
    version="1",
    description=(
        "CsPbBr3 dots grown at the interface of DMF and bromobenzene in a micropipette tip, "
        "watched by their emission and examined by decay, microscopy and mass spectrometry"
    ),
    parameters=PARAMETERS,
    observables=OBSERVABLES,
    simulated=True,
    repeatable=True,
)


class MicropipetteStation:
    """A simulated micropipette bench behind the station contract.

    Args:
        lab: {"hidden": SEED} draws a laboratory that differs from the nominal one; None is the
            nominal laboratory.
        seed: Keys the noise where no hidden seed is given.
        parameters: The lab's numbers themselves, in place of those that `lab` names.

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
        hidden = hidden_seed(lab, "micropipette")
        self._parameters = parameters or twin_parameters("micropipette", hidden)
        self._lab_seed = seed if hidden is None else hidden
        self._state: dict[str, Any] = {}
        self._plant: MicropipettePlant | None = None
        self._rig: MicropipetteRig | None = None
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
        return MICROPIPETTE

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids that a complete recipe brings about."""
        return micropipette_contacts(recipe)

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig through `watched` before it is used; see `instruments.rehearsal`."""
        self._watched = watched

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a complete recipe; pure, cheap, moves nothing."""
        found = declaration_violations(PARAMETERS, recipe)
        return found or _record_violations(recipe)

    def open(self) -> None:
        """Connect; the simulated instruments are always there."""
        self._open = True

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with ({} is a new laboratory)."""
        taken = json.loads(json.dumps(dict(state)))
        MicropipettePlant(self._parameters, taken or None)  # refuses what it cannot take up
        self._state = taken

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe; see `instruments.station.Station.run`.

        Raises:
            RecipeRefusedError: before anything moves.
            InstrumentError: the station is not open.
        """
        if not self._open:
            raise InstrumentError("a station must be opened before it runs; call open()")
        problems = self.check(recipe)
        if problems:
            raise RecipeRefusedError(problems)
        plant = MicropipettePlant(self._parameters, self._state or None)
        rig = micropipette_rig(plant, self._lab_seed, key)
        self._rig = rig = self._watched(rig, rig.clock.now)
        record = run_growth(rig, _plan(recipe), progress)
        self._state = json.loads(json.dumps(plant.state()))
        self._truth = plant.truth()
        return _measurement(recipe, record, rig, self._state)

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return analyse_growth(measurement)

    def truth(self) -> Mapping[str, float]:
        """Hidden state that the last run ended with; empty before the first."""
        return dict(self._truth)

    def close(self) -> None:
        """Shut the laser, take the pipette out, and let go."""
        if self._rig is not None:
            self._rig.to_safe_state()
        self._rig, self._open = None, False


def _record_violations(recipe: Recipe) -> list[Violation]:
    interval, exposure = float(recipe["sampling_interval"]), float(recipe["integration_time"])
    frames = float(recipe["reaction_time"]) / interval
    found = []
    if exposure > interval * (1.0 + 1e-9):
        message = (
            f"integration_time must not exceed the sampling interval of {interval:g} s, but is "
            f"{exposure:g} s; shorten the exposure or sample less often"
        )
        found.append(Violation("integration_time", exposure, f"<= {interval:g}", "s", message))
    if frames > MOST_FRAMES + 1e-6:
        message = (
            f"a record holds at most {MOST_FRAMES} spectra, but {frames:.0f} were asked for; "
            "sample less often or stop earlier"
        )
        found.append(Violation("frames", frames, f"<= {MOST_FRAMES}", "", message))
    return found


def _plan(recipe: Recipe) -> GrowthPlan:
    return GrowthPlan(
        tip=float(recipe["tip_diameter"]),
        lead=float(recipe["lead_concentration"]),
        caesium=float(recipe["caesium_concentration"]),
        irradiance=float(recipe["laser_irradiance"]),
        pressure=float(recipe["pressure"]),
        reaction_time=float(recipe["reaction_time"]),
        interval=float(recipe["sampling_interval"]),
        exposure=float(recipe["integration_time"]),
    )


def _measurement(
    recipe: Recipe, record: GrowthRecord, rig: MicropipetteRig, state: Mapping[str, Any]
) -> Measurement:
    frames = {"value": float(_plan(recipe).frames), "unit": ""}
    return Measurement(
        requested=dict(recipe),
        achieved=dict(record.readings),
        conditions={"frames": frames},
        spectra=record.spectra,
        station_state=state,
        identities=tuple(i.identify() for i in rig.instruments()),
    )
