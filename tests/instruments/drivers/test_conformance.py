"""Every driver keeps the promises of the suite, and the page tells how each meets a fault."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from instruments.drivers.testing import DriverConformance, row, within
from instruments.drivers.trials import ELSEWHERE, TRIALS
from instruments.errors import InstrumentError
from instruments.wiring import driver_kind, driver_names

PAGE = Path(__file__).parents[3] / "docs/reference/drivers/README.md"


NEEDS = {"detector_files": "ptufile", "sila2_pumps": "sila2", "sila2_temperature": "sila2"}


def _needs(name):
    library = NEEDS.get(name)
    absent = library is not None and find_spec(library) is None
    return pytest.mark.skipif(absent, reason=f"{name} needs {library}, which is not installed")


def _suite(name):
    return _needs(name)(type(f"Test_{name}", (DriverConformance,), {"trial": TRIALS[name]}))


def _emulated(name):
    """Also where its library is absent: then nobody can tell, so it must be tried, too."""
    try:
        return driver_kind(name).emulate is not None
    except InstrumentError:
        return True


globals().update({f"Test_{name}": _suite(name) for name in TRIALS})


def test_every_driver_with_an_emulator_is_tried():
    emulated = {n for n in driver_names() if _emulated(n)}
    assert emulated <= set(TRIALS) | set(ELSEWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=_needs(n)) for n in sorted(TRIALS)])
def test_the_page_tells_how_a_driver_meets_each_fault(name):
    """If not: `python -m instruments.drivers.testing docs/reference/drivers/README.md`."""
    assert row(TRIALS[name]) in within(PAGE.read_text(encoding="utf-8")).splitlines()
