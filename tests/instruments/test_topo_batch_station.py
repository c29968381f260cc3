"""The TOPO/PbBr2 batch station: the contract, and that its numbers mean what they say."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from instruments.errors import InstrumentError, RecipeRefusedError, TrialFailedError
from instruments.metrology import exciton_frames, structure_peaks
from instruments.metrology.small_angle import PatternFit
from instruments.station import AttemptKey, Measurement, Spectrum
from instruments.topo_batch import OBSERVABLES, PARAMETERS, TopoBatchStation
from orchestrator.campaign import check_campaign, read_document
from orchestrator.twins.rows._topo_fit import PRIORS
from orchestrator.twins.rows.topo_batch import FITTED, NOTES, ROWS
from surrogate_sim import scattering, topo_light
from surrogate_sim.parameters import table, twin_parameters

DEFAULT = {p.name: p.default for p in PARAMETERS}
SHORT = DEFAULT | {"reaction_time": 40.0}
HOT = DEFAULT | {"temperature": 100.0, "reaction_time": 420.0}
KEY = AttemptKey(1, 1)


def opened(lab=None, state=None, **kwargs):
    station = TopoBatchStation(lab, **kwargs)
    station.open()
    if state is not None:
        station.restore(state)
    return station


@pytest.fixture(scope="module")
def default():
    station = opened()
    measurement = station.run(DEFAULT, KEY)
    return station, measurement, station.analyse(measurement)


@pytest.fixture(scope="module")
def hot():
    station = opened()
    measurement = station.run(HOT, KEY)
    return station, measurement, station.analyse(measurement)


def test_the_default_recipe_gives_every_observable_but_the_spacing(default):
    _, measurement, analysis = default
    assert analysis.verdict.kind == "accept"
    declared = {o.name: o.unit for o in OBSERVABLES}
    assert set(analysis.observables) == set(declared) - {"structure_spacing"}
    for name, value in analysis.observables.items():
        assert value.unit == declared[name]
        assert math.isfinite(value.value) and 0.0 < value.se < abs(value.value)
    json.dumps([measurement.station_state, dict(measurement.conditions)])


def test_what_it_says_agrees_with_the_truth(default):
    station, _, analysis = default
    truth, found = station.truth(), analysis.observables
    assert found["mean_size"].value == pytest.approx(truth["mean_size_nm"], abs=0.15)
    assert found["size_dispersion"].value == pytest.approx(truth["size_deviation_nm"], abs=0.15)
    assert found["number_concentration"].value == pytest.approx(truth["number_uM"], rel=0.08)
    assert found["yield"].value == pytest.approx(truth["yield"], abs=0.03)
    optical = found["optical_concentration"]
    assert abs(optical.value - truth["number_uM"]) < 4.0 * optical.se


def test_the_same_key_gives_the_same_bytes_and_another_other_noise(default):
    _, measurement, _ = default
    again, other = opened().run(DEFAULT, KEY), opened().run(DEFAULT, AttemptKey(1, 2))
    for one, same, new in zip(measurement.spectra, again.spectra, other.spectra, strict=True):
        assert one.values.tobytes() == same.values.tobytes(), one.name
        assert one.values.tobytes() != new.values.tobytes(), one.name


def test_a_trial_stays_within_five_megabytes(hot):
    longest = opened().run(DEFAULT | {"reaction_time": 1200.0}, KEY)
    for measurement in (longest, hot[1]):
        assert sum(s.values.nbytes + s.axis.nbytes for s in measurement.spectra) < 5e6
        for spectrum in measurement.spectra:
            assert spectrum.values.dtype == np.float32
            assert {"frame_start", "frame_interval"} <= set(spectrum.settings)
            s = spectrum.settings
            last = s["frame_start"] + s["frame_interval"] * (len(spectrum.values) - 1)
            assert last <= float(measurement.requested["reaction_time"]) + 1e-6


def stored(measurement: Measurement) -> Measurement:
    """What comes back from a ledger: bytes for arrays, JSON for everything else."""

    def again(s: Spectrum) -> Spectrum:
        raw = np.frombuffer(s.values.tobytes(), dtype=s.values.dtype).reshape(s.values.shape)
        axis = np.frombuffer(s.axis.tobytes(), dtype=s.axis.dtype)
        return replace(s, axis=axis, values=raw, settings=json.loads(json.dumps(dict(s.settings))))

    return replace(measurement, spectra=tuple(again(s) for s in measurement.spectra))


def test_analysis_of_stored_data_is_the_same_to_the_last_bit(default):
    _, measurement, analysis = default
    again = opened().analyse(stored(measurement))
    assert again.observables == analysis.observables
    assert again.verdict == analysis.verdict
    for one, other in zip(analysis.series, again.series, strict=True):
        assert np.array_equal(one.values, other.values, equal_nan=True), one.name


def test_a_restored_station_continues_alike():
    whole = opened({"hidden": 2})
    first, second = (whole.run(SHORT, AttemptKey(t, 1)) for t in (1, 2))
    resumed = opened({"hidden": 2}, json.loads(json.dumps(first.station_state)))
    assert resumed.lab_time == first.station_state["clock"] > 0.0
    again = resumed.run(SHORT, AttemptKey(2, 1))
    assert again.station_state == second.station_state
    for one, other in zip(second.spectra, again.spectra, strict=True):
        assert np.array_equal(one.values, other.values), one.name


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ({"caesium_concentration": 20.0}, "caesium_concentration"),
        ({"dilution": 0.5}, "dilution"),
        ({"caesium_ligand": "acetate"}, "caesium_ligand"),
        ({"topo_concentration": 10.0}, "topo_concentration"),
        ({"stirring": 3.0}, "stirring"),
    ],
)
def test_a_bad_recipe_is_refused_before_anything_moves(change, quantity):
    station = opened()
    recipe = DEFAULT | change
    assert [v.quantity for v in station.check(recipe)] == [quantity]
    with pytest.raises(RecipeRefusedError, match=r"but got|TOPO"):
        station.run(recipe, KEY)
    assert station.lab_time == 0.0 and station.truth() == {}


def test_too_little_topo_is_refused_with_the_least_that_helps():
    (violation,) = opened().check(DEFAULT | {"topo_concentration": 10.0})
    assert violation.limit == ">= 13.2" and "add TOPO" in violation.message
    assert not opened().check(DEFAULT | {"topo_concentration": 13.3})


def test_a_closed_station_a_strange_lab_and_a_broken_state_are_refused():
    with pytest.raises(InstrumentError, match=r"call open\(\)"):
        TopoBatchStation().run(DEFAULT, KEY)
    for lab in ({"seed": 3}, {"hidden": -1}, {"hidden": True}):
        with pytest.raises(InstrumentError):
            TopoBatchStation(lab)
    with pytest.raises(ValueError, match="state"):
        opened().restore({"clock": "noon"})


@pytest.mark.parametrize("recipe", [
    {"caesium_ligand": "oleate", "temperature": 110.0}, {"reaction_time": 2.0},
    {"dilution": 50.0, "reaction_time": 100.0},
    {"caesium_concentration": 8.0, "lead_concentration": 0.5},
    {"caesium_concentration": 0.2, "lead_concentration": 24.0, "topo_concentration": 53.0,
     "reaction_time": 30.0},
    {"caesium_ligand": "oleate", "dilution": 50.0, "caesium_concentration": 0.2},
])  # fmt: skip
def test_corners_of_the_recipe_run_and_are_judged(recipe):
    station = opened({"hidden": 4})
    analysis = station.analyse(station.run(DEFAULT | recipe, KEY))
    assert analysis.verdict.kind in ("accept", "accept_wide")
    assert bool(analysis.observables) == (not analysis.verdict.failure)
    assert all(math.isfinite(o.value) and o.se > 0.0 for o in analysis.observables.values())


def test_a_vessel_without_crystals_fails_by_name():
    station = opened()
    recipe = DEFAULT | {"caesium_concentration": 0.2, "dilution": 50.0, "reaction_time": 2.0}
    analysis = station.analyse(station.run(recipe, KEY))
    assert analysis.verdict.failure == "no_particles"
    assert not analysis.observables


def test_dots_that_outgrow_the_grid_fail_by_name_and_leave_a_state(monkeypatch):
    from surrogate_sim import topo_batch
    from surrogate_sim.population import geometric_grid

    small = geometric_grid(0.9, 7.0, 60, np.pi / 6.0, 0.583**3)
    monkeypatch.setattr(topo_batch, "_grid", lambda cell: small)
    monkeypatch.setattr(topo_batch, "_BINS", 60)
    station = opened()
    with pytest.raises(TrialFailedError) as failure:
        station.run(DEFAULT, KEY)
    assert failure.value.reason == "precipitated"
    assert failure.value.station_state == {"clock": station.lab_time, "runs": 1, "deposit": 0.0}


def test_hidden_laboratories_differ_by_more_than_noise():
    def found(lab, key):
        station = opened(lab)
        return station.analyse(station.run(SHORT, key)).observables

    def apart(one, other):
        return max(
            abs(one[n].value - other[n].value) / math.hypot(one[n].se, other[n].se)
            for n in ("mean_size", "size_dispersion", "yield")
        )

    first, repeat = (found({"hidden": 4}, AttemptKey(1, a)) for a in (1, 2))
    assert apart(first, repeat) < 4.0 < apart(first, found({"hidden": 5}, KEY))


def test_standard_errors_are_those_of_the_noise():
    """Sizes scatter between noise seeds as stated, within what six seeds can tell."""
    names = ("mean_size", "size_dispersion", "first_exciton", "exciton_fwhm")
    runs = [opened(seed=s) for s in range(6)]
    found = [s.analyse(s.run(SHORT, KEY)).observables for s in runs]
    for name in names:
        scatter = np.std([f[name].value for f in found], ddof=1)
        stated = np.median([f[name].se for f in found])
        assert scatter < 2.0 * stated, name
        assert scatter > 0.04 * stated, name


def test_series_follow_the_four_phases(default):
    series = {s.name: s for s in default[2].series}
    size, number = series["mean_size"], series["number_concentration"]
    early = (number.time > 1.0) & (number.time < 6.0)
    assert np.nanmax(number.values[early]) > 2.0 * number.values[-1]
    assert size.values[-1] > np.nanmean(size.values[early]) + 2.0
    left = series["agglomerates"]
    assert left.values[0] > 10.0 * abs(left.values[left.time > 60.0].mean())
    assert len(series["first_exciton"].time) > len(size.time)


def test_hot_dots_assemble_and_are_measured(hot):
    station, _, analysis = hot
    assert station.truth()["assembled"] > 0.9
    spacing = next(s for s in analysis.series if s.name == "structure_spacing")
    known = np.isfinite(spacing.values)
    assert 40.0 < spacing.time[known][0] < 200.0
    assert spacing.values[known][0] > spacing.values[known][-1]
    assert 13.0 < analysis.observables["structure_spacing"].value < 17.0
    assert analysis.verdict.kind == "accept_wide"
    assert any("assembled" in r for r in analysis.verdict.reasons)


# --- metrology ----------------------------------------------------------------------------------

Q = np.concatenate([np.arange(0.2, 1.5, 0.005), np.arange(1.5, 4.0, 0.025)])


def test_two_populations_are_found_again():
    fit = PatternFit(Q, np.full(len(Q), 2e4), 991.0, 3.0)
    truth = 3.0 * fit.crystals(4.6, 0.5) + fit.fixed @ np.array([0.02, 0.05])
    counts = np.random.default_rng(2).poisson(truth).astype(float)
    found, model = fit.frame(counts, None)
    assert found.size == pytest.approx(4.6, abs=4 * found.size_se + 0.02)
    assert found.number == pytest.approx(3.0, abs=4 * found.number_se)
    assert found.agglomerates == pytest.approx(0.05, rel=0.35)
    assert found.fit_quality < 1.3
    assert model == pytest.approx(truth, rel=0.3)


def test_a_pattern_without_crystals_gives_none():
    fit = PatternFit(Q, np.full(len(Q), 2e4), 991.0, 3.0)
    counts = np.random.default_rng(3).poisson(fit.fixed @ np.array([0.02, 0.05])).astype(float)
    assert math.isnan(fit.frame(counts, None)[0].size)


def test_peaks_and_their_lattice_are_found_again():
    axes = (14.5, 16.0, 17.5)
    factor = scattering.crystal_factor(Q, axes, 250.0, 0.4, 0.01)
    noisy = factor + 0.03 * np.random.default_rng(1).standard_normal(len(Q))
    found = structure_peaks.fit_lattice(Q, noisy, 14.6, 0.01)
    assert found.axes == pytest.approx(axes, rel=0.01)
    assert found.domain == pytest.approx(250.0, rel=0.2)
    stack = scattering.stack_factor(Q, axes, 0.4, 40.0, 0.01)
    (first, *_) = structure_peaks.find_peaks(Q, stack, np.full(len(Q), 0.01))
    assert first.position == pytest.approx(2 * np.pi / 14.5, rel=0.01)
    flat = 1.0 + 0.02 * np.random.default_rng(1).standard_normal(len(Q))
    assert structure_peaks.find_peaks(Q, flat, np.full(len(Q), 0.02)) == []


def test_an_edge_that_is_not_there_is_not_found():
    axis = np.arange(290.0, 561.0)
    noise = 3e-4 * np.random.default_rng(1).standard_normal((2, len(axis)))
    assert all(math.isnan(e.energy) for e in exciton_frames.follow(axis, noise, 3e-4))
    assert math.isnan(exciton_frames.apparent_edge(2.3))
    assert 6.0 < exciton_frames.apparent_edge(2.55) < 7.0


def test_two_sizes_that_the_spectrum_blurs_read_as_the_more_frequent_one():
    """A mixture read at its mean would let magic sizes slide instead of step (TP-21)."""
    axis = np.arange(290.0, 561.0)
    energy = exciton_frames.HC / axis
    lab = twin_parameters("topo_batch")
    sizes = np.array([3.70, 4.31])  # six and seven cells
    pure = topo_light.coefficients(energy, sizes, 298.15, lab.own, lab.materials).T
    frames = 1e-6 * np.array([pure[0], 0.7 * pure[0] + 0.3 * pure[1], pure[1]])
    frames *= 0.05 / frames[:, axis == 400.0]
    noisy = frames + 1.4e-4 * np.random.default_rng(1).standard_normal(frames.shape)
    six, mixed, seven = exciton_frames.first_peaks(axis, noisy, 1.4e-4)
    assert six - seven > 0.06
    assert mixed == pytest.approx(six, abs=0.25 * (six - seven))
    empty = noisy - frames
    assert np.isnan(exciton_frames.first_peaks(axis, empty, 1.4e-4)).all()


def test_a_weak_order_is_found_near_where_it_is_expected_or_not_at_all():
    """Noise taken for an order would make any spacing agree with the ratios of TP-23."""
    stack = scattering.stack_factor(Q, (16.0, 17.6, 19.2), 0.4, 30.0, 0.01)
    error = np.full(len(Q), 0.02)
    noise = 0.02 * np.random.default_rng(4).standard_normal(len(Q))
    third = 6.0 * np.pi / 16.0
    expected = 1.02 * third
    found = structure_peaks.order_position(Q, stack + noise, error, expected)
    assert found == pytest.approx(third, abs=0.006)
    assert math.isnan(structure_peaks.order_position(Q, 1.0 + noise, error, expected))
    rising = 1.0 + 0.3 * (Q - 1.0) ** 2 + noise
    assert math.isnan(structure_peaks.order_position(Q, rising, error, expected))


# --- the example --------------------------------------------------------------------------------


ROOT = Path(__file__).parents[2]


def test_the_example_is_a_campaign_that_the_station_takes():
    """A campaign that is refused raises, with every mistake named."""
    campaign = check_campaign(read_document(ROOT / "examples" / "topo_batch.yaml"))
    assert campaign.station == "topo_batch"


def test_the_reference_page_names_every_parameter_and_observable():
    page = (ROOT / "docs" / "reference" / "topo-batch.md").read_text(encoding="utf-8")
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


# --- the published rows -------------------------------------------------------------------------


def test_rows_cover_the_table_and_fitted_constants_are_calibrated_ones():
    assert list(ROWS) == [f"TP-{i:02d}" for i in range(1, 26)]
    constants = table("topo_batch")
    assert set(FITTED) == set(PRIORS)
    assert all(constants[name].status == "calibrated" for name in FITTED)
    assert set(NOTES) <= set(ROWS)


@pytest.mark.parametrize(
    "row",
    ["TP-01", "TP-02", "TP-03", "TP-04", "TP-07", "TP-13", "TP-14", "TP-17", "TP-19", "TP-20"],
)
def test_calibrated_rows_are_met_on_the_nominal_lab(row):
    checks = [c for c in ROWS[row](twin_parameters("topo_batch")) if c.use == "C"]
    assert checks and all(c.passed for c in checks), checks
