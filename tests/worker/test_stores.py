"""Stocks and waste of a station file: names, quantities, and what the station reckons with."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from instruments import create_station, station_names
from instruments.stores import declared_stocks
from orchestrator.errors import InputRefusedError
from orchestrator.worker import StationFile, read_station_file

LOT = "{lot: A1, volume: 50 mL}"


def read(tmp_path: Path, text: str, station: str = "flow_synthesis") -> StationFile:
    path = tmp_path / "s.yaml"
    path.write_text(f"station: {station}\nlab: a\n{text}\n")
    return read_station_file(path)


def test_quantities_are_kept_in_microlitres(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "waste: {capacity: {value: 2, unit: L}}\n"
        "stocks:\n"
        "  lead_bromide:\n"
        "    lot: PB-1\n"
        "    volume: 50 mL\n"
        "    opened: 2026-11-02\n"
        "    expires: 2027-05-01\n"
        "    concentration: {lead: 0.08 mol/L}\n"
        "    solvent: toluene\n"
        "    hazards: [H225, H360FD, GHS02]\n"
        "    price: 900 EUR/L\n",
    ).stores
    lot = found.stocks["lead_bromide"]
    assert lot.volume == pytest.approx(50_000.0)
    assert (lot.opened, lot.expires) == (date(2026, 11, 2), date(2027, 5, 1))
    assert lot.concentration == {"lead": pytest.approx(80.0)}
    assert lot.price is not None
    assert (lot.price.value, lot.price.currency) == (pytest.approx(900e-6), "EUR")
    assert found.waste is not None and found.waste.capacity == pytest.approx(2e6)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"stocks: {{lead_bromid: {LOT}}}", "did you mean 'lead_bromide'"),
        ("stocks: {toluene: {lot: A, volume: 50}}", "a number with its unit"),
        ("stocks: {toluene: {lot: A, volume: 50 g}}", "dimension"),
        ("stocks: {toluene: {lot: A, volume: -50 mL}}", "greater than 0"),
        ("stocks: {toluene: {lot: A, volume: .nan mL}}", "a number with its unit"),
        ("stocks: {toluene: {lot: A, volume: 5 mL, colour: red}}", "colour"),
        ("stocks: {toluene: {lot: A, volume: 5 mL, price: 9 L}}", "EUR/L"),
        ("stocks: {toluene: {lot: A, volume: 5 mL, hazards: [flammable]}}", "hazards"),
        ("stocks: {toluene: {lot: A, volume: 5 mL, expires: soon}}", "expires"),
        ("stocks: {toluene: {lot: A, volume: 5 mL, solvent: hexane}}", "reckons with toluene"),
        (
            "stocks: {lead_bromide: {lot: A, volume: 5 mL, concentration: {lead: 70 mmol/L}}}",
            "80 mmol/L",
        ),
        ("waste: {capacity: 2}", "a number with its unit"),
    ],
)
def test_what_cannot_be_so_is_refused(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(InputRefusedError, match=re.escape(word)):
        read(tmp_path, text)


def test_all_mistakes_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError) as caught:
        read(tmp_path, f"stocks: {{one: {LOT}, two: {LOT}}}")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("station", station_names())
def test_a_lot_of_every_declared_stock_is_taken(tmp_path: Path, station: str) -> None:
    names = [stock.name for stock in declared_stocks(create_station(station))]
    assert names and len(set(names)) == len(names)
    text = "stocks: {" + ", ".join(f"{name}: {LOT}" for name in names) + "}"
    assert list(read(tmp_path, text, station).stores.stocks) == names
