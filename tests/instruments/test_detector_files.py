"""Files of detectors: what the twins measured and wrote is what is read, and means the same."""

from dataclasses import replace

import numpy as np
import pytest

from instruments import create_station
from instruments.errors import DetectorFileError, IncompleteFileError
from instruments.files import read_file, write_files
from instruments.files.derive import derive
from instruments.files.text import write_oceanview
from instruments.station import AttemptKey, Spectrum

OCEANVIEW = """Data from QEPRO_0__3__13-20-01-412.txt Node

Date: Tue Nov 24 13:20:01 CET 2026
User: lab
Spectrometer: QEP01234
Trigger mode: 0
Integration Time (sec): 2.500000E-1
Scans to average: 4
Nonlinearity correction enabled: true
Boxcar width: 0
XAxis mode: Wavelengths
Number of Pixels in Spectrum: 4
>>>>>Begin Spectral Data<<<<<
500.123\t1234.50
500.456\t1300.25
500.789\t1290.00
501.122\t1250.75
"""
SPECTRASUITE = """SpectraSuite Data File
++++++++++++++++++++++++++++++++++++
Date: Tue Nov 24 13:20:01 CET 2026
Spectrometers: USB4C01234
Integration Time (usec): 100000 (USB4C01234)
Spectra Averaged: 10 (USB4C01234)
Number of Sampled Pixels in Spectrum: 2
>>>>>Begin Processed Spectral Data<<<<<
500,12\t1234,5
500,45\t1300,2
>>>>>End Processed Spectral Data<<<<<
"""


def _measured(name, **recipe):
    station = create_station(name, {"hidden": 3})
    parameters = station.description.parameters
    station.open()
    try:
        defaults = {p.name: p.default for p in parameters if p.when is None}
        return station, station.run({**defaults, **recipe}, AttemptKey(1, 1))
    finally:
        station.close()


@pytest.fixture(scope="module")
def flow():
    from instruments.flow_line import WITH_LIFETIME

    return _measured("flow_synthesis", characterisation=WITH_LIFETIME)


@pytest.fixture(scope="module")
def batch():
    return _measured("topo_batch", reaction_time=60.0)


def _read_back(folder, measurement):
    return tuple(read_file(path) for path in write_files(folder, measurement.spectra))


def _compare(station, measurement, read, relative):
    ours = station.analyse(measurement).observables
    theirs = station.analyse(replace(measurement, spectra=read)).observables
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert theirs[name].value == pytest.approx(value.value, rel=relative), name
        assert theirs[name].se == pytest.approx(value.se, rel=1e3 * relative, nan_ok=True), name
    return ours


def test_emission_and_lifetime_from_files_are_those_of_the_measurement(tmp_path, flow):
    pytest.importorskip("ptufile", reason="the .ptu needs ptufile (extra `files`)")
    station, measured = flow
    found = _compare(station, measured, _read_back(tmp_path, measured), 1e-9)
    assert {"lifetime", "peak_emission"} <= set(found)
    assert (tmp_path / "decay.ptu").exists()


def test_sizes_from_scattering_files_are_those_of_the_measurement(tmp_path, batch):
    pytest.importorskip("fabio", reason="the .edf needs fabio (extra `files`)")
    station, measured = batch
    found = _compare(station, measured, _read_back(tmp_path, measured), 1e-12)
    assert "mean_size" in found
    assert (tmp_path / "saxs.edf").exists()


def test_emission_from_oceanviews_export_is_right_within_its_rounding(tmp_path, flow):
    """It has 0.001 nm and 0.01 counts, and knows little of the detector."""
    station, measured = flow
    read = []
    for spectrum in measured.spectra:
        if spectrum.unit != "counts" or spectrum.axis_unit != "nm":
            read.append(spectrum)
            continue
        path = write_oceanview(tmp_path / f"{spectrum.name}.txt", spectrum)
        about = {k: v for k, v in spectrum.settings.items() if k != "integration_time"}
        read.append(read_file(path, about))
    peak = {
        name: station.analyse(replace(measured, spectra=spectra)).observables["peak_emission"]
        for name, spectra in (("simulated", measured.spectra), ("file", tuple(read)))
    }
    assert peak["file"].value == pytest.approx(peak["simulated"].value, abs=1e-3)


def test_a_file_by_itself_gives_the_stations_lifetime_size_and_emission(tmp_path, flow, batch):
    pytest.importorskip("ptufile", reason="the .ptu needs ptufile (extra `files`)")
    pytest.importorskip("fabio", reason="the .edf needs fabio (extra `files`)")
    (tmp_path / "flow").mkdir()
    (tmp_path / "batch").mkdir()
    read = {s.name: s for s in _read_back(tmp_path / "flow", flow[1])}
    read |= {s.name: s for s in _read_back(tmp_path / "batch", batch[1])}
    line, vessel = (station.analyse(m).observables for station, m in (flow, batch))
    lifetime = derive(read["decay"])["lifetime"]
    assert lifetime.value == pytest.approx(line["lifetime"].value, rel=1e-9)
    late = derive(read["saxs_late"])["mean_size"]
    assert late.value == pytest.approx(vessel["mean_size"].value, rel=1e-3)
    emission = derive(read["pl"], read["dark"])
    far = abs(emission["peak_emission"].value - line["peak_emission"].value)
    assert far < 3.0 * line["peak_emission"].se, "only what reabsorption shifts may differ"
    with pytest.raises(DetectorFileError, match="give both"):
        derive(read["pl"])
    with pytest.raises(DetectorFileError, match="lacks response"):
        derive(replace(read["decay"], settings={"pulses": 1.0, "pulse": 2.0}))
    with pytest.raises(DetectorFileError, match="AU over nm"):
        derive(read["absorbance"])


def test_an_export_of_oceanview_tells_exposure_averages_and_serial_number(tmp_path):
    path = tmp_path / "green.txt"
    path.write_text(OCEANVIEW, encoding="utf-8")
    found = read_file(path, {"saturation": 65535.0})
    assert found.axis.tolist() == [500.123, 500.456, 500.789, 501.122]
    assert found.values.tolist() == [1234.5, 1300.25, 1290.0, 1250.75]
    assert (found.name, found.axis_unit, found.unit) == ("green", "nm", "counts")
    assert found.settings == {
        "integration_time": 0.25,
        "averages": 4,
        "serial": "QEP01234",
        "saturation": 65535.0,
    }


def test_an_older_export_has_microseconds_and_decimal_commas(tmp_path):
    path = tmp_path / "old.txt"
    path.write_text(SPECTRASUITE, encoding="utf-8")
    found = read_file(path)
    assert found.settings["integration_time"] == pytest.approx(0.1)
    assert found.axis.tolist() == [500.12, 500.45]
    assert found.values.tolist() == pytest.approx([1234.5, 1300.2])


@pytest.mark.parametrize(
    "text",
    [
        "wavelength [nm],intensity [counts]\n500.5,10\n501.5,12\n",
        "Wavelength (nm);Intensity (counts)\n500,5;10,0\n501,5;12,0\n",
        "500.5 10\n501.5 12\n",
        "# remark\n500.5\t10\n501.5\t12\n",
    ],
)
def test_plain_columns_are_read_whatever_parts_them(tmp_path, text):
    path = tmp_path / "plain.csv"
    path.write_text(text, encoding="utf-8")
    found = read_file(path)
    assert found.axis.tolist() == [500.5, 501.5]
    assert found.values.tolist() == [10.0, 12.0]
    assert (found.axis_unit, found.unit) == ("nm", "counts")


def test_an_axis_of_no_wavelengths_is_refused(tmp_path):
    path = tmp_path / "raman.txt"
    path.write_text(OCEANVIEW.replace("Wavelengths", "Raman Shifts"), encoding="utf-8")
    with pytest.raises(DetectorFileError, match="Raman Shifts"):
        read_file(path)


def _decay(counts=5000.0):
    time = (np.arange(1024) + 0.5) * 50.0 / 1024.0
    values = np.rint(counts / 100.0 * np.exp(-time / 8.0)).astype(np.float32)
    settings = {"pulses": 1e5, "pulse": 2.0, "response": 0.15}
    return Spectrum("decay", time, values, "ns", "counts", settings)


def _pattern():
    q = np.linspace(0.2, 4.0, 200)
    values = np.rint(1e4 / (1.0 + q**4)).astype(np.float32)
    settings = {"frame_start": 0.5, "frame_interval": 0.5}
    return Spectrum("saxs", q, np.array([values, 2.0 * values]), "1/nm", "counts", settings)


def _emission():
    axis = np.linspace(400.0, 700.0, 50)
    return Spectrum("pl", axis, np.full(50, 7.5, np.float32), "nm", "counts", {"averages": 2})


NEEDS = {"ns": "ptufile", "1/nm": "fabio", "nm": "numpy"}


@pytest.mark.parametrize("spectrum", [_decay(), _pattern(), _emission()], ids=lambda s: s.name)
def test_a_file_that_breaks_off_anywhere_is_never_taken_for_whole(tmp_path, spectrum):
    """fabio would fill the rest with zeros, and a decay with fewer photons looks like another."""
    pytest.importorskip(NEEDS[spectrum.axis_unit], reason="needs the extra `files`")
    (path,) = write_files(tmp_path, [spectrum])
    whole = path.read_bytes()
    assert read_file(path).values.tolist() == spectrum.values.tolist()
    for share in np.linspace(0.0, 0.999, 23):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(IncompleteFileError):
            read_file(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(IncompleteFileError):
        read_file(path)


@pytest.mark.parametrize("spectrum", [_decay(), _pattern(), _emission()], ids=lambda s: s.name)
def test_noise_is_no_file(tmp_path, spectrum):
    pytest.importorskip(NEEDS[spectrum.axis_unit], reason="needs the extra `files`")
    (path,) = write_files(tmp_path, [spectrum])
    noise = np.random.default_rng(1).integers(0x80, 0xFF, path.stat().st_size, dtype=np.uint8)
    path.write_bytes(noise.tobytes())
    with pytest.raises(DetectorFileError):
        read_file(path)


def test_a_decay_without_its_instruments_response_is_refused(tmp_path):
    """Guessed, it would shift every short lifetime."""
    pytest.importorskip("ptufile", reason="the .ptu needs ptufile (extra `files`)")
    (path,) = write_files(tmp_path, [replace(_decay(), settings={"pulses": 1e5})])
    with pytest.raises(DetectorFileError, match="does not tell pulse, response"):
        read_file(path)
    found = read_file(path, {"pulse": 2.0, "response": 0.15})
    assert found.settings == {"pulses": 1e5, "pulse": 2.0, "response": 0.15}


def test_a_raw_image_is_not_taken_for_a_pattern(tmp_path):
    fabio = pytest.importorskip("fabio", reason="the .edf needs fabio (extra `files`)")
    path = tmp_path / "image.edf"
    fabio.edfimage.EdfImage(data=np.ones((16, 16))).write(str(path))
    with pytest.raises(DetectorFileError, match="sum a raw image first"):
        read_file(path)


def test_a_file_is_never_written_over(tmp_path):
    write_files(tmp_path, [_emission()])
    with pytest.raises(DetectorFileError, match="must be new"):
        write_files(tmp_path, [_emission()])


def test_a_format_that_nobody_knows_is_named(tmp_path):
    with pytest.raises(DetectorFileError, match=r"\.ptu, \.edf, \.csv, \.txt"):
        read_file(tmp_path / "decay.sdt")
