"""The plate station keeps the contract, and its metrology says how sure it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pint
import pytest

import instruments
from instruments.errors import InstrumentError, RecipeRefusedError
from instruments.larp_plate import LarpPlateStation
from instruments.metrology.gaussian import fit_gaussians
from instruments.plate_recipe import OBSERVABLES, PARAMETERS
from instruments.procedures.plate import OVERFLOW_MARK, layout, parse, well_name
from instruments.station import AttemptKey
from orchestrator.campaign import check_campaign, read_document
from surrogate_sim.parameters import twin_parameters

DEFAULT = {p.name: p.default for p in PARAMETERS}
ROOT = Path(__file__).resolve().parents[2]


def opened(lab=None, seed=0, state=None, parameters=None):
    station = LarpPlateStation(lab, seed, parameters=parameters)
    station.open()
    station.restore(state or {})
    return station


@pytest.fixture(scope="module")
def full():
    station = opened({"hidden": 5})
    return station, station.run({**DEFAULT, "characterisation": "full"}, AttemptKey(1, 1))


@pytest.fixture(scope="module")
def plate():
    station = opened(seed=2)
    recipes = [{**DEFAULT, "amine_acid_ratio": 0.3}] * 40
    made = station.run_batch(recipes, [AttemptKey(i + 1, 1) for i in range(40)])
    return [station.analyse(m) for m in made], made


def test_registry_units_and_defaults():
    station = instruments.create_station("larp_plate", {"hidden": 3})
    assert station.description.name == "larp_plate" and station.description.max_batch == 96
    assert station.check(DEFAULT) == []
    registry = pint.UnitRegistry()
    for declared in (*PARAMETERS, *OBSERVABLES):
        registry.Unit(declared.unit)


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ({"amine_acid_ratio": 3.5}, "amine_acid_ratio"),
        ({"amine_acid_ratio": 0.01}, "amine_acid_ratio"),
        ({"lead_concentration": 80.0}, "lead_concentration"),
        ({"ligand_solution_ratio": 0.5}, "ligand_solution_ratio"),
        ({"pbbr2_volume": 900.0}, "pbbr2_volume"),
        ({"duration": 30.0}, "duration"),
        ({"antisolvent": "hexane"}, "antisolvent"),
        ({"ligand_pair": "phosphonic"}, "ligand_pair"),
        ({"amine": 1.0}, "amine"),
    ],
)
def test_bad_recipes_are_refused_before_anything_moves(change, quantity):
    station = opened()
    with pytest.raises(RecipeRefusedError) as caught:
        station.run_batch([DEFAULT, {**DEFAULT, **change}], [AttemptKey(1, 1), AttemptKey(2, 1)])
    (violation,) = caught.value.violations
    assert violation.quantity == quantity and violation.limit and len(violation.message) > 40
    assert station.lab_time == 0.0 and station.truth() == {}


def test_too_many_recipes_and_missing_keys_are_refused():
    station = opened()
    with pytest.raises(RecipeRefusedError, match="1 to 96"):
        station.run_batch([DEFAULT] * 97, [AttemptKey(i, 1) for i in range(97)])
    with pytest.raises(InstrumentError, match="its key"):
        station.run_batch([DEFAULT] * 2, [AttemptKey(1, 1)])
    station.close()
    station.close()
    with pytest.raises(InstrumentError, match=r"call open\(\)"):
        station.run(DEFAULT, AttemptKey(1, 1))


@pytest.mark.parametrize("lab", [{"seed": 1}, {"hidden": -1}, {"hidden": True}, {"hidden": 1.5}])
def test_a_lab_of_another_kind_is_refused(lab):
    with pytest.raises(InstrumentError, match="hidden"):
        LarpPlateStation(lab)


def test_same_key_same_bytes_and_restored_stations_continue_alike():
    first = opened({"hidden": 7})
    one = first.run(DEFAULT, AttemptKey(1, 1))
    two = first.run({**DEFAULT, "amine_acid_ratio": 1.0}, AttemptKey(2, 1))
    again = opened({"hidden": 7}, state=json.loads(json.dumps(dict(one.station_state))))
    same = again.run({**DEFAULT, "amine_acid_ratio": 1.0}, AttemptKey(2, 1))
    assert two.spectra[0].values.tobytes() == same.spectra[0].values.tobytes()
    assert two.station_state == same.station_state and two.conditions == same.conditions
    assert first.lab_time == again.lab_time > 2 * 43200.0
    other = opened({"hidden": 7}).run(DEFAULT, AttemptKey(1, 2))
    assert not np.array_equal(one.spectra[0].values, other.spectra[0].values)
    judged, anew = first.analyse(one), opened({"hidden": 7}).analyse(one)
    assert judged.observables == anew.observables and judged.verdict == anew.verdict


def test_hidden_labs_differ_in_more_than_noise():
    peaks = {}
    for lab in (None, {"hidden": 1}, {"hidden": 2}):
        station = opened(lab, seed=1)
        made = station.run(DEFAULT, AttemptKey(1, 1))
        peaks[str(lab)] = station.truth()["mean_edge_nm"]
        assert made.station_state["plates"] == 1
    assert len({round(v, 3) for v in peaks.values()}) == 3


def test_a_full_well_brings_every_sample(full):
    station, made = full
    assert {s.name for s in made.spectra} == {"pl", "decay", "xrd", "tem"}
    emission = made.spectra[0]
    assert emission.values.shape == (73, 126) and emission.values.dtype == np.float32
    assert emission.settings["frame_interval"] == 600.0
    assert np.array_equal(emission.values, np.rint(emission.values))
    found = station.analyse(made)
    assert found.verdict.kind == "accept" and found.verdict.failure == ""
    declared = {o.name: o.unit for o in OBSERVABLES}
    assert {n: o.unit for n, o in found.observables.items()}.items() <= declared.items()
    assert {"peak_emission", "tem_length", "cs4_share", "mean_lifetime"} <= set(found.observables)
    assert all(o.se > 0.0 for o in found.observables.values())
    assert {s.name for s in found.series} == {"peak_emission", "emission_fwhm", "intensity"}
    assert all(s.time.shape == s.values.shape == (73,) for s in found.series)


def test_scatter_between_equal_wells_agrees_with_the_stated_errors(plate):
    analyses, _ = plate
    for name in ("peak_emission", "emission_fwhm", "intensity"):
        values = [a.observables[name].value for a in analyses]
        stated = float(np.mean([a.observables[name].se for a in analyses]))
        assert 0.7 * stated < float(np.std(values, ddof=1)) < 1.4 * stated, name


def test_wells_are_randomised_seeded_and_recorded(plate):
    _, made = plate
    rows = [int(m.conditions["plate_row"]["value"]) for m in made]
    columns = [int(m.conditions["plate_column"]["value"]) for m in made]
    seed = int(made[0].conditions["layout_seed"]["value"])
    wells = [12 * (r - 1) + c - 1 for r, c in zip(rows, columns, strict=True)]
    assert wells == list(layout(40, seed)) and len(set(wells)) == 40
    assert rows != sorted(rows) and len(set(rows)) > 4
    assert layout(40, seed + 1) != layout(40, seed)
    assert well_name(0) == "A1" and well_name(95) == "H12"


def test_a_recipe_meets_the_same_noise_beside_any_neighbour():
    # chemistry and noise belong to the recipe's own key; only time on the deck differs
    alone = opened(seed=3).run(DEFAULT, AttemptKey(4, 1))
    pair = opened(seed=3).run_batch([DEFAULT, DEFAULT], [AttemptKey(4, 1), AttemptKey(9, 1)])
    own, beside = (opened().analyse(m).observables["peak_emission"] for m in (alone, pair[0]))
    assert own.value == pytest.approx(beside.value, abs=0.05)


def test_overflow_is_text_at_the_reader_and_a_mark_in_the_record():
    assert parse(["OVRFLW", "1234"]) == [OVERFLOW_MARK, 1234.0]
    bright = twin_parameters("larp_plate").replacing(reader_gain=6.0e6)
    station = opened(parameters=bright)
    made = station.run(DEFAULT, AttemptKey(1, 1))
    assert np.any(made.spectra[0].values[0] == OVERFLOW_MARK)
    found = station.analyse(made)
    assert found.verdict.kind == "accept_wide" and "overflowed" in found.verdict.reasons[0]
    plain = opened().run(DEFAULT, AttemptKey(1, 1))
    peak = station.analyse(plain).observables["peak_emission"].value
    assert found.observables["peak_emission"].value == pytest.approx(peak, abs=2.0)


def test_a_failed_injection_is_no_emission():
    dripping = twin_parameters("larp_plate").replacing(dropout_chloroform=1.0)
    station = opened(parameters=dripping)
    made = station.run({**DEFAULT, "antisolvent": "chloroform"}, AttemptKey(1, 1))
    found = station.analyse(made)
    assert found.verdict.failure == "no_emission" and found.observables == {}
    assert np.all(made.spectra[0].values < 40)


def test_a_gaussian_is_found_through_noise_and_gaps():
    axis = np.arange(400.0, 651.0, 2.0)
    rng = np.random.default_rng(0)
    clean = 5000.0 * np.exp(-0.5 * ((axis - 513.0) / 11.0) ** 2) + 9.0
    counts = rng.poisson(np.repeat(clean[None, :], 200, axis=0)).astype(float)
    usable = np.ones(counts.shape, bool)
    usable[:, 54:58] = False
    lines = fit_gaussians(axis, counts, usable)
    assert float(lines.centre.mean()) == pytest.approx(513.0, abs=0.02)
    assert float(lines.fwhm.mean()) == pytest.approx(11.0 * 2.3548, abs=0.05)
    assert 0.8 < float(lines.centre.std() / lines.centre_se.mean()) < 1.25


def test_the_example_campaign_fits_the_station():
    campaign = check_campaign(read_document(ROOT / "examples" / "larp_plate.yaml"))
    assert campaign.station == "larp_plate" and campaign.batch > 1


def test_truth_is_plain_and_follows_the_last_run(full):
    station, _ = full
    truth = station.truth()
    assert truth["mean_edge_nm"] > 2.0 and all(isinstance(v, float) for v in truth.values())


def test_the_record_of_an_altered_spectrum_is_judged_by_itself(full):
    station, made = full
    dark = replace(made.spectra[0], values=np.full((73, 126), 8.0, np.float32))
    found = station.analyse(replace(made, spectra=(dark,)))
    assert found.verdict.failure == "no_emission"


def test_the_reference_names_every_parameter_and_observable():
    page = (ROOT / "docs" / "reference" / "larp-plate.md").read_text(encoding="utf-8")
    for p in PARAMETERS:
        limits = (
            ", ".join(f"`{c}`" for c in p.choices)
            if p.choices
            else f"{p.low:g} to {p.high:g} {p.unit}".rstrip()
        )
        default = f"`{p.default}`" if isinstance(p.default, str) else f"{p.default:g}"
        assert f"| `{p.name}` | {p.description} | {limits} | {default} |" in page
    for o in OBSERVABLES:
        assert f"| `{o.name}` | {o.description} | {o.unit or '-'} |" in page


def test_a_well_is_followed_for_its_duration_and_volume_alone_changes_no_chemistry():
    station = opened()
    short = {**DEFAULT, "duration": 1.0}
    scaled = {**DEFAULT, "pbbr2_volume": 150.0}
    made = station.run_batch([short, DEFAULT, scaled], [AttemptKey(i, 1) for i in (1, 2, 3)])
    assert [len(m.spectra[0].values) for m in made] == [7, 73, 73]
    brief, _, other = (station.analyse(m) for m in made)
    assert len(brief.series[0].time) == 7 and "peak_drift" in brief.observables
    alone = opened().run(short, AttemptKey(1, 1))
    assert alone.station_state["clock"] < 2.0 * 3600.0
    assert made[2].conditions["ligand_concentration"] == made[1].conditions["ligand_concentration"]
    assert abs(other.observables["peak_emission"].value - 521.5) < 8.0
