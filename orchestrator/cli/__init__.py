"""The command line. Heavy libraries are imported by the commands that need them."""

from orchestrator.cli._main import app, main

__all__ = ["app", "main"]
