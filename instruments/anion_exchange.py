"""The anion exchange station: CsPbBr3 nanocrystals turned to CsPbI3 by trimethylsilyl iodide.

The station is simulated: its instruments act on one ExchangePlant. Single nanocrystals are filmed
in a flow cell, or an ensemble is scanned in a cuvette, after Zhang et al. (seed 003).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instruments.contacts import exchange_contacts
from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.exchange_recipe import OBSERVABLES, PARAMETERS, exchange_violations
from instruments.hazards import Contact
from instruments.metrology.anion_exchange import analyse_exchange
from instruments.procedures.anion_exchange import run_exchange
from instruments.recipe_check import declaration_violations
from instruments.rehearsal import Now, unwatched
from instruments.simulated.exchange_bench import identities, simulated_bench
from instruments.simulated.lab import hidden_seed
from instruments.simulated.noise import instrument_generator
from instruments.station import (
    Analysis,
    AttemptKey,
    Measurement,
    Recipe,
    StationDescription,
    Violation,
)
from instruments.stock_lists import EXCHANGE
from instruments.stores import StockDeclaration
from surrogate_sim.parameters import TwinParameters, twin_parameters
from surrogate_sim.plants.anion_exchange import ExchangePlant

DESCRIPTION = StationDescription(
    name="anion_exchange",
    version="1",
    description=(
        "exchange of bromide for iodide in CsPbBr3 nanocrystals by trimethylsilyl iodide, filmed "
        "particle by particle in a flow cell or scanned as an ensemble in a cuvette"
    ),
    parameters=PARAMETERS,
    observables=OBSERVABLES,
    simulated=True,
    repeatable=True,
)
LEAST_PRODUCT = 0.3
"""Formula units [umol] below which a washed batch cannot be used."""


class AnionExchangeStation:
    """A simulated exchange bench behind the station contract.

    What carries from trial to trial is the bench's clock, on which a hidden lab's TMSI ages and
    its lamp drifts.

    Args:
        lab: {"hidden": SEED} draws a laboratory that differs from the nominal one; None is the
            nominal laboratory.
        seed: Keys the noise where no hidden seed is given.
        parameters: The lab's constants, in place of those that `lab` stands for.

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
        hidden = hidden_seed(lab, "anion_exchange")
        self._lab_seed = seed if hidden is None else hidden
        self._parameters = parameters or twin_parameters("anion_exchange", hidden)
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
        return EXCHANGE

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """Every meeting of liquids that a complete recipe brings about."""
        return exchange_contacts(recipe)

    def watch(self, watched: Callable[[Any, Now], Any]) -> None:
        """Pass each rig through `watched` before it is used; see `instruments.rehearsal`."""
        self._watched = watched

    def check(self, recipe: Recipe) -> Sequence[Violation]:
        """Every broken limit of a complete recipe; pure, cheap, moves nothing."""
        return declaration_violations(PARAMETERS, recipe) or exchange_violations(recipe)

    def open(self) -> None:
        """Connect; the simulated instruments are always there."""
        self._open = True

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state that a recorded measurement ended with ({} is a new laboratory)."""
        kept = json.loads(json.dumps(dict(state)))
        self._plant(AttemptKey(0, 0), kept)  # refuses a state that the plant cannot take up
        self._state = kept

    def run(
        self, recipe: Recipe, key: AttemptKey, progress: Callable[[str], None] | None = None
    ) -> Measurement:
        """Make and measure one recipe; see `instruments.station.Station.run`.

        Raises:
            RecipeRefusedError: before anything moves.
            TrialFailedError: `no_product`: washing left no crystals.
            InstrumentError: the station is not open.
        """
        if not self._open:
            raise InstrumentError("a station must be opened before it runs; call open()")
        problems = self.check(recipe)
        if problems:
            raise RecipeRefusedError(problems)
        plant = self._plant(key, self._state)
        nominal = twin_parameters("anion_exchange").own
        bench = simulated_bench(
            plant,
            self._lab_seed,
            key,
            front_time=nominal["dead_volume"] / nominal["injection_rate"],
            shaking_time=nominal["shaking_time"],
        )
        bench = self._watched(bench, lambda: plant.clock)
        bench.maker.prepare(recipe)
        if plant.batch.formula_units < LEAST_PRODUCT:
            self._keep(plant)
            raise TrialFailedError(
                "no_product",
                f"a washed batch must hold {LEAST_PRODUCT:g} umol of CsPbBr3, but this one holds "
                f"{plant.batch.formula_units:.2g}; wash the other way or change the synthesis",
                self._state,
            )
        spectra = run_exchange(bench, recipe, progress)
        self._keep(plant)
        return Measurement(
            requested=dict(recipe),
            achieved=dict(recipe),
            conditions={"lab_time": {"value": plant.clock, "unit": "s"}},
            spectra=spectra,
            station_state=self._state,
            identities=identities(bench),
        )

    def analyse(self, measurement: Measurement) -> Analysis:
        """Derive observables and the verdict from raw data; deterministic."""
        return analyse_exchange(measurement)

    def truth(self) -> Mapping[str, float]:
        """Return the hidden state that the last run ended with."""
        return dict(self._truth)

    def close(self) -> None:
        """Let go of the instruments; simulated ones are safe by themselves."""
        self._open = False

    def _plant(self, key: AttemptKey, state: Mapping[str, Any]) -> ExchangePlant:
        nature = instrument_generator(self._lab_seed, key, "nanocrystals")
        return ExchangePlant(self._parameters, nature, state or None)

    def _keep(self, plant: ExchangePlant) -> None:
        self._state = json.loads(json.dumps(plant.state()))
        self._truth = plant.truth()
