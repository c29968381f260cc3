"""Stations, instruments and metrology: from a recipe to a measurement to observables."""

from instruments.declared import DeclaredStation, declared_description
from instruments.errors import (
    DeviceError,
    InstrumentError,
    RecipeRefusedError,
    StationStoppedError,
    TrialFailedError,
    UnknownStationError,
)
from instruments.registry import create_station, station_names
from instruments.station import (
    Analysis,
    AttemptKey,
    BatchStation,
    Measurement,
    ObservableDeclaration,
    ObservableValue,
    ParameterDeclaration,
    Recipe,
    Series,
    SimulatedStation,
    Spectrum,
    Station,
    StationDescription,
    Value,
    Verdict,
    Violation,
)

__all__ = [
    "Analysis",
    "AttemptKey",
    "BatchStation",
    "DeclaredStation",
    "DeviceError",
    "InstrumentError",
    "Measurement",
    "ObservableDeclaration",
    "ObservableValue",
    "ParameterDeclaration",
    "Recipe",
    "RecipeRefusedError",
    "Series",
    "SimulatedStation",
    "Spectrum",
    "Station",
    "StationDescription",
    "StationStoppedError",
    "TrialFailedError",
    "UnknownStationError",
    "Value",
    "Verdict",
    "Violation",
    "create_station",
    "declared_description",
    "station_names",
]
