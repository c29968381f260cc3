"""Each verdict, from spectra of a known plant that are then spoiled in one way."""

from dataclasses import replace

import numpy as np
import pytest
from plant_double import HC, PlantDouble

from instruments.metrology import analyse_flow
from instruments.metrology.absorption import absorptance, front_face
from instruments.station import Measurement


def analyse(record, **spoiled):
    spectra = tuple(spoiled.get(s.name, lambda s: s)(s) for s in record.spectra)
    return analyse_flow(Measurement({}, {}, {}, spectra, {}))


def values(change):
    return lambda s: replace(s, values=change(s.values.astype(float), s).astype(np.float32))


@pytest.fixture(scope="module")
def record():
    from conftest import Bench

    return Bench(PlantDouble(photon_rate=2e7)).run()


def test_a_clean_measurement_is_accepted(record):
    analysis = analyse(record)
    assert analysis.verdict.kind == "accept"
    assert analysis.verdict.reasons == ()
    assert set(analysis.observables) == {
        "peak_emission",
        "emission_fwhm",
        "emission_linewidth",
        "plqy",
        "intensity",
        "first_exciton",
    }
    assert all("@" in o.method and o.se > 0 for o in analysis.observables.values())


def test_saturation_asks_for_a_repeat(record):
    analysis = analyse(record, pl=values(lambda v, s: np.minimum(v * 3.0, 65535.0)))
    assert analysis.verdict.kind == "repeat"
    assert "saturation at 65535" in analysis.verdict.reasons[0]
    assert analysis.observables == {}


def test_low_signal_after_a_short_exposure_asks_for_a_repeat(record, bench):
    dark = {s.name: s for s in record.spectra}["dark"]
    analysis = analyse(
        record,
        pl=lambda s: replace(
            s, values=dark.values[::-1].copy(), settings={**s.settings, "integration_time": 0.1}
        ),
    )
    assert analysis.verdict.kind == "repeat"
    assert "longer exposure" in analysis.verdict.reasons[0]


def test_no_emission_is_a_failure_with_its_raw_data(bench):
    record = bench(PlantDouble(plqy=0.0)).run()
    analysis = analyse(record)
    assert analysis.verdict.failure == "no_emission"
    assert analysis.observables == {}
    pl = next(s for s in record.spectra if s.name == "pl")
    assert pl.settings["integration_time"] == pytest.approx(10.0)


def test_noise_alone_is_never_taken_for_a_line(bench):
    """The highest of thousands of noisy pixels must not pass as a weak peak."""
    for attempt in range(1, 21):
        analysis = analyse(bench(PlantDouble(plqy=0.0), key=(1, attempt)).run())
        assert analysis.verdict.failure == "no_emission"


def test_weak_signal_is_accepted_with_wider_errors(bench):
    weak = analyse(bench(PlantDouble(photon_rate=3e4, plqy=0.13)).run())
    assert weak.verdict.kind == "accept_wide"
    assert "weak signal" in weak.verdict.reasons[0]
    peak = weak.observables["peak_emission"]
    assert peak.se > 0.5
    assert abs(peak.value - HC / 2.45) < 3 * peak.se


def test_second_population_is_named_with_its_place(record):
    def add(v, s):
        return v + 6000.0 * np.exp(-0.5 * ((s.axis - 620.0) / 8.0) ** 2)

    analysis = analyse(record, pl=values(add))
    assert analysis.verdict.kind == "accept_wide"
    (reason,) = [r for r in analysis.verdict.reasons if "second peak" in r]
    assert 618 <= int(reason.split()[3]) <= 622


def test_a_line_of_another_shape_widens_the_errors(record):
    def add(v, s):
        return v + 9000.0 * np.exp(-0.5 * ((s.axis - 522.0) / 5.0) ** 2)

    clean, spoiled = analyse(record), analyse(record, pl=values(add))
    assert spoiled.verdict.kind == "accept_wide"
    assert any("line shape" in r or "shoulder" in r for r in spoiled.verdict.reasons)
    assert spoiled.observables["peak_emission"].se > 5 * clean.observables["peak_emission"].se


def test_deep_absorption_is_accepted_with_wider_errors(bench):
    analysis = analyse(bench(PlantDouble(photon_rate=2e7, absorbance_at_full=4.0)).run())
    assert analysis.verdict.kind == "accept_wide"
    assert sum("inner filter" in r for r in analysis.verdict.reasons) == 2
    plqy = analysis.observables["plqy"]
    assert plqy.se > 0.06
    assert abs(plqy.value - 0.6) < 2 * plqy.se


@pytest.mark.parametrize("full", [0.02, 0.1, 0.5, 1.5])
def test_quantum_yield_does_not_depend_on_optical_density(bench, full):
    analysis = analyse(bench(PlantDouble(photon_rate=2e8, absorbance_at_full=full)).run())
    plqy = analysis.observables["plqy"]
    assert abs(plqy.value - 0.6) < 2.5 * plqy.se
    assert abs(plqy.value / 0.6 - 1.0) < 0.08


@pytest.mark.parametrize(
    ("spectrum", "word", "noise"),
    [("reference_dye", "excitation source", 50.0), ("lamp_reference", "lamp", 12.5)],
)
def test_a_dead_source_stops_the_station(record, spectrum, word, noise):
    noise = np.random.default_rng(0).normal(500.0, noise, 3648)
    analysis = analyse(record, **{spectrum: values(lambda v, s: noise)})
    assert analysis.verdict.kind == "stop"
    assert word in analysis.verdict.reasons[0]
    assert analysis.verdict.failure == ""


def test_a_dead_detector_stops_the_station(record):
    flat = values(lambda v, s: np.zeros_like(v))
    analysis = analyse(record, **dict.fromkeys(("pl", "dark", "reference_dark"), flat))
    assert analysis.verdict.kind == "stop"
    assert "read noise" in analysis.verdict.reasons[0]


@pytest.mark.parametrize("source", ["excitation", "lamp"])
def test_a_source_that_dies_in_the_rig_is_noticed(bench, source):
    made = bench(PlantDouble(photon_rate=2e7))
    made.rig.spectrometer.fail(source)
    assert analyse(made.run()).verdict.kind == "stop"


def test_front_face_limits():
    nothing = np.zeros(1)
    assert front_face(0.3, nothing)[0] == pytest.approx(absorptance(0.3), rel=1e-12)
    assert front_face(1e-6, nothing)[0] == pytest.approx(np.log(10) * 1e-6, rel=1e-5)
    assert front_face(50.0, np.array([50.0]))[0] == pytest.approx(0.5)
