import numpy as np
import pytest

from instruments.metrology.emission_scans import fit_scan
from instruments.metrology.trajectories import RISE, fit_rises

TIMES = 0.1 + 0.2 * np.arange(3000)
SETTINGS = {"dark": 2.0, "integration_time": 0.1}


def rises(width, noise=6.0, count=200, seed=0):
    generator = np.random.default_rng(seed)
    centre = generator.uniform(200.0, 400.0, count)
    clean = 80.0 + 40.0 / (1.0 + np.exp(-(TIMES - centre[:, None]) * RISE / width))
    return centre, clean + noise * generator.standard_normal(clean.shape)


@pytest.mark.parametrize("width", [3.0, 15.0, 90.0])
def test_known_rises_come_back_with_honest_errors(width):
    centre, traces = rises(width, count=400)
    found = fit_rises(TIMES, traces)
    assert np.median(found.width) == pytest.approx(width, rel=0.03)
    assert np.median(np.abs(found.centre - centre)) < 0.06 * width
    pulls = (found.width - width) / found.width_se
    assert np.mean(np.abs(pulls) < 2.0) > 0.85


def test_blinks_do_not_catch_the_fit():
    _, traces = rises(15.0)
    generator = np.random.default_rng(1)
    for trace in traces:
        for start in generator.integers(0, 2900, 25):
            trace[start : start + 5] = 80.0
    assert np.median(fit_rises(TIMES, traces).width) == pytest.approx(15.0, rel=0.08)


def test_a_fall_after_the_rise_does_not_stretch_it():
    centre, traces = rises(10.0)
    fading = np.where(TIMES > centre[:, None], np.exp(-(TIMES - centre[:, None]) / 150.0), 1.0)
    found = fit_rises(TIMES, 80.0 + (traces - 80.0) * fading)
    assert np.median(found.width) == pytest.approx(10.0, rel=0.15)


def test_a_scanned_line_comes_back_with_honest_errors():
    axis = np.arange(430.0, 731.0)
    line = 900.0 * np.exp(-0.5 * ((axis - 622.3) / 15.0) ** 2) + 2.0
    generator = np.random.default_rng(2)
    found = [fit_scan(axis, generator.poisson(line).astype(float), SETTINGS) for _ in range(60)]
    peaks = np.array([f.peak for f in found])
    assert peaks.mean() == pytest.approx(622.3, abs=0.2)
    assert peaks.std() == pytest.approx(np.mean([f.peak_se for f in found]), rel=0.35)
    assert np.mean([f.width for f in found]) == pytest.approx(15.0 * 2.3548, rel=0.02)


def test_noise_is_no_line():
    axis = np.arange(430.0, 731.0)
    counts = np.random.default_rng(3).poisson(2.0, len(axis)).astype(float)
    assert fit_scan(axis, counts, SETTINGS) is None
