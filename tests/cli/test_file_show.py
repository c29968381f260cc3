"""file show: what a detector's file says by itself, and what it cannot say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from instruments.files import write_files
from instruments.station import Spectrum
from tests.cli.test_commands import Run, run  # noqa: F401 fixtures


def _decay(folder: Path, **settings: float) -> Path:
    pytest.importorskip("ptufile", reason="the .ptu needs ptufile (extra `files`)")
    time = (np.arange(1024) + 0.5) * 50.0 / 1024.0
    light = np.where(time > 2.0, np.exp(-(time - 2.0) / 6.0), 0.0)
    values = np.random.default_rng(1).poisson(200.0 * light + 1.0).astype(np.float32)
    (path,) = write_files(folder, [Spectrum("decay", time, values, "ns", "counts", settings)])
    return path


def test_a_decay_tells_its_lifetime(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = _decay(tmp_path, pulses=1e6, pulse=2.0, response=0.1)
    code, document, _ = run("file", "show", path)
    assert code == 0 and document["problem"] is None
    found = document["observables"]["lifetime"]
    assert found["unit"] == "ns" and abs(found["value"] - 6.0) < 4.0 * found["se"]
    assert document["axis"]["points"] == 1024
    assert "lifetime" in run("file", "show", path, as_json=False)[1]


def test_what_a_file_does_not_tell_may_be_set(run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = _decay(tmp_path, pulses=1e6)
    code, _, err = run("file", "show", path)
    assert code == 2 and "pulse, response" in err
    code, document, _ = run("file", "show", path, "--set", "pulse=2", "--set", "response=0.1")
    assert code == 0 and "lifetime" in document["observables"]


def test_a_spectrum_that_says_nothing_by_itself_is_shown_all_the_same(
    run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = tmp_path / "green.csv"
    path.write_text("wavelength [nm],absorbance [AU]\n500,0.1\n501,0.2\n")
    code, document, _ = run("file", "show", path)
    assert code == 0 and document["unit"] == "AU"
    assert "AU over nm" in document["problem"] and document["observables"] == {}


def test_mistakes_are_refused(run: Run, tmp_path: Path) -> None:  # noqa: F811
    assert run("file", "show", tmp_path / "none.csv")[0] == 3
    path = tmp_path / "a.sdt"
    path.write_text("x")
    assert run("file", "show", path)[0] == 2
    assert run("file", "show", path, "--ligand", "water")[0] == 2
    assert run("file", "show", path, "--set", "pulse")[0] == 2
