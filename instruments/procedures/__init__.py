"""Procedures: the steps of a recipe, the same code on real and on simulated instruments."""

from instruments.procedures.flow import FlowGeometry, FlowPlan, FlowProcedure, FlowSettings

__all__ = ["FlowGeometry", "FlowPlan", "FlowProcedure", "FlowSettings"]
