"""Every driver keeps the promises of the suite, and the page tells how each meets a fault."""

from pathlib import Path

import pytest

from instruments.drivers.testing import DriverConformance, row, within
from instruments.drivers.trials import ELSEWHERE, TRIALS
from instruments.wiring import driver_kind, driver_names

PAGE = Path(__file__).parents[3] / "docs/reference/drivers/README.md"


def _suite(name):
    return type(f"Test_{name}", (DriverConformance,), {"trial": TRIALS[name]})


globals().update({f"Test_{name}": _suite(name) for name in TRIALS})


def test_every_driver_with_an_emulator_is_tried():
    emulated = {n for n in driver_names() if driver_kind(n).emulate is not None}
    assert emulated <= set(TRIALS) | set(ELSEWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRIALS))
def test_the_page_tells_how_a_driver_meets_each_fault(name):
    """If not: `python -m instruments.drivers.testing docs/reference/drivers/README.md`."""
    assert row(TRIALS[name]) in within(PAGE.read_text(encoding="utf-8")).splitlines()
