"""Metrology: spectra to observables with standard errors, methods and a quality verdict."""

from instruments.metrology.flow import analyse as analyse_flow
from instruments.metrology.lineshape import FitError

__all__ = ["FitError", "analyse_flow"]
