import numpy as np
import pytest

from instruments.metrology import line_values
from instruments.metrology.lineshape import HC, FitError, fit_line, shape

AXIS = np.linspace(350.0, 1000.0, 2068)
ONES = np.ones_like(AXIS)
READ_NOISE = 50.0


def counts(height, energy, width, skew, seed, transmission=ONES, background=0.0):
    parameters = np.array([height, energy, width, skew, background])
    expected = shape(AXIS, parameters, HC / energy, transmission)[0]
    generator = np.random.default_rng(seed)
    return generator.poisson(expected) + READ_NOISE * generator.standard_normal(len(AXIS))


def fit(data, **options):
    return fit_line(AXIS, data, read_noise=READ_NOISE, lowest=385.0, **options)


def test_jacobian_agrees_with_differences():
    parameters = np.array([2e4, 2.4, 0.09, 0.12, 30.0])
    axis = AXIS[700:1200]
    jacobian = shape(axis, parameters, 516.0, ONES[700:1200])[1]
    for i, value in enumerate(parameters):
        step = np.zeros(5)
        step[i] = 1e-6 * max(abs(value), 1.0)
        up, down = (
            shape(axis, parameters + sign * step, 516.0, ONES[700:1200])[0] for sign in (1, -1)
        )
        assert jacobian[:, i] == pytest.approx(
            (up - down) / (2 * step[i]), rel=1e-4, abs=1e-2 * 2e4
        )


@pytest.mark.parametrize(
    ("height", "energy", "width", "skew"),
    [(2.0e4, 2.40, 0.090, 0.10), (400.0, 2.50, 0.120, -0.10), (3.0e4, 1.80, 0.070, 0.0)],
)
def test_fit_recovers_the_line_and_its_errors_are_of_the_right_size(height, energy, width, skew):
    scores = []
    for seed in range(80):
        line = fit(counts(height, energy, width, skew, seed))
        peak, peak_se = line_values.peak_wavelength(line)
        full, full_se = line_values.linewidth(line, 0.0)
        scores.append(((peak - HC / energy) / peak_se, (full - width) / full_se))
    spread = np.std(scores, axis=0)
    assert np.all((spread > 0.7) & (spread < 1.4)), spread
    assert np.all(np.abs(np.mean(scores, axis=0)) < 0.45)


def test_total_counts_is_the_sum_over_pixels():
    data = counts(2e4, 2.4, 0.09, 0.1, 0)
    expected = shape(AXIS, np.array([2e4, 2.4, 0.09, 0.1, 0.0]), HC / 2.4, ONES)[0].sum()
    total, se = line_values.total_counts(fit(data))
    assert abs(total - expected) < 4 * se
    assert se < 0.002 * total


def test_maximum_in_energy_is_not_the_maximum_in_wavelength():
    """Without the Jacobian the fit would report the redder maximum of photons per nm."""
    expected = shape(AXIS, np.array([2e4, 1.8, 0.15, 0.0, 0.0]), HC / 1.8, ONES)[0]
    naive = AXIS[np.argmax(expected)]
    peak, se = line_values.peak_wavelength(fit(counts(2e4, 1.8, 0.15, 0.0, 1)))
    assert abs(peak - HC / 1.8) < 4 * se
    assert abs(naive - HC / 1.8) > 10 * se


def test_width_in_wavelength_matches_the_half_maximum_points():
    line = fit(counts(3e4, 2.4, 0.09, 0.2, 2))
    value, se = line_values.width_in_wavelength(line, 0.0)
    exact = HC / (2.4 - 0.045 * 0.8) - HC / (2.4 + 0.045 * 1.2)
    assert abs(value - exact) < 4 * se


def test_instrument_broadening_is_removed_in_quadrature():
    line = fit(counts(3e4, 2.4, 0.09, 0.0, 3))
    true, _ = line_values.linewidth(line, 5.0)
    assert true == pytest.approx(np.sqrt(line.width**2 - (5.0 * line.energy**2 / HC) ** 2))


def test_reabsorption_is_fitted_through():
    blue = 1.0 / (1.0 + np.exp((505.0 - AXIS) / 6.0))
    seen = 0.5 + 0.5 * blue
    data = counts(2e4, 2.45, 0.09, 0.0, 4, transmission=seen)
    naive, _ = line_values.peak_wavelength(fit(data))
    corrected, se = line_values.peak_wavelength(fit(data, transmission=seen))
    assert abs(corrected - HC / 2.45) < 4 * se
    assert naive - HC / 2.45 > 10 * se
    share = line_values.seen_share(fit(data, transmission=seen), AXIS)
    assert 0.5 < share < 1.0


def test_poor_model_widens_the_errors_by_chi_square():
    two = counts(2e4, 2.4, 0.09, 0.0, 5) + counts(6e3, 2.33, 0.09, 0.0, 6)
    line, clean = fit(two), fit(counts(2e4, 2.4, 0.09, 0.0, 5))
    assert line.reduced_chi_square > 1.5
    assert line_values.peak_wavelength(line)[1] > 1.2 * line_values.peak_wavelength(clean)[1]


def test_flat_spectrum_has_no_line():
    with pytest.raises(FitError, match="rise above"):
        fit(np.zeros_like(AXIS))
