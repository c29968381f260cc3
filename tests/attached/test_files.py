"""What a campaign file may declare, and what a file of evidence is read as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orchestrator.campaign import (
    Campaign,
    LaterObservable,
    attached_values,
    check_campaign,
    from_resolved,
)
from orchestrator.errors import InputRefusedError
from tests.attached.campaigns import LATER, sizes
from tests.loop.campaigns import SMALL

SIZE = LaterObservable("tem_size", "nm", method="TEM", reader="mean")


def changed(**more: Any) -> dict[str, Any]:
    (first, *others) = LATER["observables"]
    return {**LATER, "observables": [{**first, **more}, *others]}


def test_an_objective_on_a_declared_observable_waits_for_its_values() -> None:
    campaign = check_campaign(LATER)
    assert [(o.observable, o.later) for o in campaign.objectives] == [
        ("peak_emission", False),
        ("tem_size", True),
    ]
    again: Campaign = from_resolved(campaign.declared, campaign.resolved())
    assert again == campaign, "a record must give the campaign that was checked"


def test_a_record_from_before_there_were_later_observables_is_read() -> None:
    old = check_campaign(SMALL).resolved()
    del old["observables"]
    for objective in old["objectives"]:
        del objective["later"]
    assert from_resolved(SMALL, old).resolved() == check_campaign(SMALL).resolved()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "plqy"}, "measures this itself; take another name"),
        ({"name": "lead_yield"}, "is declared twice"),
        ({"name": "tem size"}, "should match pattern"),
        ({"unit": "furlongish"}, "a unit must be one that pint knows"),
        ({"reader": "relative_spread"}, "same dimension"),
        ({"reader": "emission_peak", "unit": "kelvin"}, "dimension|must convert to 'kelvin'"),
        ({"reader": "median"}, "reader"),
        ({"reader": None, "column": "edge"}, "column belongs to the readers"),
        ({"colour": "red"}, "there is no such key"),
    ],
)
def test_a_mistake_in_a_declaration_is_named(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputRefusedError, match=said):
        check_campaign(changed(**more))


def test_an_objective_on_nothing_known_is_refused() -> None:
    with pytest.raises(InputRefusedError, match="cannot measure this; did you mean 'tem_size'"):
        goal = {"observable": "temsize", "goal": "minimise"}
        check_campaign({**LATER, "objectives": [goal]})


def test_a_table_of_sizes_gives_the_mean_with_its_error_and_count() -> None:
    data = b"size [nm]\n8\n9\n10\n9\n"
    values, read = attached_values([SIZE], data, "TEM", None)
    value = values["tem_size"]
    assert (value.value, value.unit, value.method) == (9.0, "nm", "TEM: mean@1")
    assert value.se == pytest.approx(np.sqrt(2.0 / 3.0) / 2.0)  # s / sqrt(n)
    assert read["tem_size"] == {"columns": ["size"], "count": 4}


def test_units_of_the_header_are_converted() -> None:
    data = b"particle,size [angstrom]\n1,80\n2,100\n"
    observable = LaterObservable("tem_size", "nm", reader="mean", column="size")
    value = attached_values([observable], data, "", None)[0]["tem_size"]
    assert value.value == pytest.approx(9.0) and value.se == pytest.approx(1.0)
    assert value.method == "mean@1"


def test_an_odd_header_is_a_name_like_any_other() -> None:
    """Line breaks, brackets and long blanks in a header are no reason to fail or to hang."""
    for header in (b'"si\nze [nm]"', b"a]b [nm]", b"a" + b" " * 100_000 + b"b [nm]", b"[nm]"):
        value = attached_values([SIZE], header + b"\n8\n10\n", "", None)[0]["tem_size"]
        assert value.value == 9.0
    with pytest.raises(InputRefusedError, match="a unit must be one that pint knows"):
        attached_values([SIZE], b"size [nm]]\n8\n10\n", "", None)


@pytest.mark.parametrize("reader", ["mean", "spread", "relative_spread"])
def test_stated_errors_are_those_of_repeated_samples(reader: Any) -> None:
    """Of many samples of fifty, the estimates scatter as much as each says of itself."""
    unit = "percent" if reader == "relative_spread" else "nm"
    observable = LaterObservable("x", unit, reader=reader)
    found = [
        attached_values([observable], sizes(9.0, 0.9, 50, seed), "", None)[0]["x"]
        for seed in range(400)
    ]
    scatter = np.std([v.value for v in found])
    assert np.mean([v.se or 0.0 for v in found]) == pytest.approx(scatter, rel=0.12)
    # of fifty values, a standard deviation comes out too small by half a per cent
    truth = {"mean": 9.0, "spread": 0.9, "relative_spread": 10.0}[reader]
    assert np.mean([v.value for v in found]) == pytest.approx(truth, rel=0.02)


def spectrum(peak: float, seed: int = 1, height: float = 4000.0) -> bytes:
    """A line of Gaussian shape in energy over a flat background, with shot noise."""
    axis = np.linspace(430.0, 700.0, 800)
    energy = 1239.841984 / axis
    line = (peak / axis) ** 2 * np.exp(-0.5 * ((energy - 1239.841984 / peak) / 0.04) ** 2)
    counts = np.random.default_rng(seed).poisson(200.0 + height * line)
    rows = "\n".join(f"{a:.4f},{c}" for a, c in zip(axis, counts, strict=True))
    return f"wavelength [nm],counts\n{rows}\n".encode()


def test_a_spectrum_gives_its_peak_by_the_stations_own_fit() -> None:
    observable = LaterObservable("peak_24h", "nm", spectral=True, reader="emission_peak")
    found = [
        attached_values([observable], spectrum(514.2, s), "", None)[0]["peak_24h"] for s in (1, 2)
    ]
    for value in found:
        assert abs(value.value - 514.2) < 3.0 * (value.se or 0.0)
        assert 0.1 <= (value.se or 0.0) < 0.2, "the calibration of a spectrometer, and little more"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe\x00", "comma-separated table in UTF-8"),
        (b"size [nm]\n", "at least 2 rows"),
        (b"size [nm]\n9\n", "at least 2 rows"),
        (b"9\n" * (4 * 2**20 + 1), "at most 8 MiB"),
        (b"a,b\0\n1,2\n3,4\n", "one column|comma-separated"),
        (b"size [nm]\n9\n8,7\n", "row 3 has 2"),
        (b"a,b\n1,2\n3,4\n", "one column"),
        (b"size [nm]\n9\nbroken\n", "row 2 below the header"),
        (b"size [nm]\n9\ninf\n", "finite"),
        (b"size [kelvin]\n9\n8\n", "same dimension"),
    ],
)
def test_a_table_that_gives_no_value_is_refused_with_its_reason(data: bytes, said: str) -> None:
    with pytest.raises(InputRefusedError, match=said):
        attached_values([SIZE], data, "TEM", None)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"wavelength [nm],counts\n500,1\n501,2\n", "25 pixels|no line|rise above"),
        (b"wavelength [um],counts\n0.5,1\n0.6,2\n", "wavelength in nm"),
        (b"wavelength [nm],counts\n500,1\n499,2\n", "rise in even steps"),
        (b"wavelength [nm]\n500\n501\n", "two columns"),
    ],
)
def test_a_spectrum_that_gives_no_peak_is_refused(data: bytes, said: str) -> None:
    observable = LaterObservable("peak", "nm", spectral=True, reader="emission_peak")
    with pytest.raises(InputRefusedError, match=said):
        attached_values([observable], data, "", None)


def test_sizes_of_zero_have_no_relative_spread() -> None:
    observable = LaterObservable("x", "percent", reader="relative_spread")
    with pytest.raises(InputRefusedError, match="above zero"):
        attached_values([observable], b"size [nm]\n0\n0\n", "", None)


def test_a_stated_value_is_converted_with_its_error() -> None:
    given = {"value": 91, "unit": "angstrom", "se": 4}
    value = attached_values([SIZE], b"x", "TEM", given)[0]["tem_size"]
    assert (value.value, value.se) == (pytest.approx(9.1), pytest.approx(0.4))
    assert value.method == "TEM: stated@person"
    with pytest.raises(InputRefusedError, match="same dimension"):
        attached_values([SIZE], b"x", "TEM", {"value": 1, "unit": "g"})
