"""What the anion exchange station declares, and the limits that no single parameter has."""

from __future__ import annotations

from instruments.procedures.anion_exchange import ALIQUOT
from instruments.station import ObservableDeclaration, ParameterDeclaration, Recipe, Violation

CUVETTE_ROOM = 500.0
"""Volume that may be added to a cuvette [uL], because a 3 mL filling leaves no more."""

_GIVEN = ("nanocrystal_source", ("given",))
_MADE = ("nanocrystal_source", ("synthesised",))
_FILMED = ("observation", ("single_particle",))
_SCANNED = ("observation", ("ensemble",))
_TIMED = ("observation", ("single_particle", "ensemble"))
_TITRATED = ("observation", ("titration",))


def _number(
    name: str,
    description: str,
    unit: str,
    limits: tuple[float, float],
    default: float,
    when: tuple[str, tuple[str, ...]] | None = None,
) -> ParameterDeclaration:
    low, high = limits
    return ParameterDeclaration(
        name, description, "continuous", unit, low, high, default=default, when=when
    )


def _choice(
    name: str,
    description: str,
    choices: tuple[str, ...],
    when: tuple[str, tuple[str, ...]] | None = None,
) -> ParameterDeclaration:
    return ParameterDeclaration(
        name, description, "categorical", choices=choices, default=choices[0], when=when
    )


PARAMETERS = (
    _choice("nanocrystal_source", "where the CsPbBr3 batch comes from", ("given", "synthesised")),
    _number("edge_length", "mean edge of the batch", "nm", (4.0, 16.0), 9.5, _GIVEN),
    _number(
        "size_dispersion",
        "standard deviation of the edges over their mean",
        "percent",
        (2.0, 20.0),
        15.0,
        _GIVEN,
    ),
    _number("zinc_bromide", "ZnBr2 in the lead flask", "mmol", (0.0, 2.6), 0.82, _MADE),
    _number(
        "synthesis_temperature", "injection temperature", "degC", (120.0, 195.0), 140.0, _MADE
    ),
    _number("synthesis_time", "time from injection to quench", "s", (5.0, 120.0), 88.0, _MADE),
    _choice(
        "washing",
        "which part of the crude batch is kept",
        ("antisolvent", "precipitate"),
        _MADE,
    ),
    _choice(
        "observation",
        "how the exchange is observed",
        ("single_particle", "ensemble", "titration"),
    ),
    _number(
        "tmsi_concentration",
        "TMSI that flows through the cell",
        "umol/L",
        (2.0, 100.0),
        20.0,
        _FILMED,
    ),
    _number(
        "tmsi_volume",
        "0.01 mol/L TMSI added to the cuvette",
        "uL",
        (5.0, 400.0),
        100.0,
        _SCANNED,
    ),
    _number("duration", "time that the exchange is followed", "s", (35.0, 3600.0), 420.0, _TIMED),
    ParameterDeclaration(
        "aliquots",
        "aliquots of 20 uL of 0.001 mol/L TMSI",
        "integer",
        low=1,
        high=30,
        default=12,
        when=_TITRATED,
    ),
)

OBSERVABLES = (
    ObservableDeclaration("measured_edge", "mean edge by electron microscopy", "nm"),
    ObservableDeclaration(
        "measured_dispersion", "standard deviation of the edges over their mean", ""
    ),
    ObservableDeclaration("switching_time", "mean 10 to 90 % rise of single particles", "s"),
    ObservableDeclaration(
        "switching_variation", "coefficient of variation of the switching times", ""
    ),
    ObservableDeclaration(
        "incubation_time", "from the arrival of TMSI until the field begins to brighten", "s"
    ),
    ObservableDeclaration(
        "incubation_variation", "coefficient of variation of the particles' own onsets", ""
    ),
    ObservableDeclaration("particle_intensity", "mean height of the particles' rises", "1/s"),
    ObservableDeclaration("switched_share", "share of particles with a complete rise", ""),
    ObservableDeclaration(
        "initial_emission", "maximum of the emission before the exchange", "nm", True
    ),
    ObservableDeclaration("initial_fwhm", "full width at half maximum before the exchange", "nm"),
    ObservableDeclaration("peak_emission", "maximum of the emission at the end", "nm", True),
    ObservableDeclaration("emission_fwhm", "full width at half maximum at the end", "nm"),
    ObservableDeclaration("emission_linewidth", "the same in energy", "meV"),
    ObservableDeclaration("intensity", "detected rate at the maximum at the end", "1/s"),
    ObservableDeclaration("exchange_time", "when the shift reaches 95 % of its largest", "s"),
    ObservableDeclaration(
        "saturation_volume", "TMSI solution at which the shift reaches 95 % of its largest", "uL"
    ),
)


def exchange_violations(recipe: Recipe) -> list[Violation]:
    """Return limits of a complete recipe that no single parameter has."""
    if recipe["observation"] != "titration":
        return []
    added = ALIQUOT * float(recipe["aliquots"])
    if added <= CUVETTE_ROOM:
        return []
    message = (
        f"a cuvette has room for {CUVETTE_ROOM:g} uL, but {recipe['aliquots']} aliquots of "
        f"{ALIQUOT:g} uL are {added:g} uL; add fewer"
    )
    return [Violation("added_volume", added, f"at most {CUVETTE_ROOM:g}", "uL", message)]
