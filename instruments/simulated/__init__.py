"""Simulated instruments: they act on one shared plant and satisfy the real capabilities."""
