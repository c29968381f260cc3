"""The twin commands as scripts see them: documents, exit codes, refusals, files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instruments.files import read_file
from orchestrator.cli import main

WELL = (
    "--set", "ligand_pair=octanoic_octylamine", "--set", "amine_acid_ratio=0.5",
    "--set", "pbbr2_volume=150", "--set", "ligand_solution_ratio=0.0667",
    "--set", "antisolvent=chloroform", "--set", "duration=1",
)  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: object, as_json: bool = True) -> tuple[int, Any, str]:
        line = ["twin", *map(str, words)]
        with pytest.raises(SystemExit) as stop:
            main([*line, "--json"] if as_json else line)
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), json.loads(out) if as_json and out else out, err

    return call


def test_list_names_five_twins_with_units_and_sources(run):
    code, found, _ = run("list")
    assert code == 0
    assert [t["name"] for t in found["twins"]] == [
        "micropipette", "topo_batch", "larp_plate", "anion_exchange", "flow_synthesis",
    ]  # fmt: skip
    for twin in found["twins"]:
        assert twin["station"] == twin["name"] and len(twin["sources"]) > 10
        assert all({"name", "unit"} <= set(p) for p in twin["parameters"])
        assert {"name", "unit"} == set(twin["observables"][0])
    assert "anion_exchange" in run("list", as_json=False)[1]


def test_a_well_gives_series_over_its_duration_and_the_truth(run):
    code, found, _ = run("run", "larp_plate", *WELL)
    assert code == 0 and found["twin"] == "larp_plate" and found["model"] in ("full", "reduced")
    assert found["recipe"]["pbbr2_volume"] == {"value": 150.0, "unit": "uL"}
    assert found["recipe"]["antisolvent"] == "chloroform"
    assert found["recipe"]["lead_concentration"]["value"] == 50.1, "defaults are filled in"
    for name, unit in (("peak_emission", "nm"), ("emission_fwhm", "nm"), ("intensity", "counts")):
        series = found["series"][name]
        assert series["unit"] == unit and series["time_unit"] == "s"
        assert len(series["time"]) == len(series["values"]) == 7
        assert series["time"][-1] - series["time"][0] == 3600.0
    assert set(found["observables"]["peak_emission"]) == {"value", "unit", "se"}
    assert found["state"]["mean_edge_nm"] > 1.0
    assert found == run("run", "larp_plate", *WELL)[1], "the same lab gives the same answer"
    hidden = run("run", "larp_plate", *WELL, "--lab-seed", "3")[1]
    assert hidden["state"] != found["state"], "a hidden lab has other constants"
    assert "peak_emission" in run("run", "larp_plate", *WELL, as_json=False)[1]


@pytest.mark.parametrize("name", ["micropipette", "topo_batch", "flow_synthesis"])
def test_every_twin_runs_on_its_defaults(run, name):
    code, found, _ = run("run", name)
    assert code == 0 and found["observables"] and found["failure"] is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--set", "ligand_par=x"), 2, "did you mean 'ligand_pair'?"),
        (("--set", "antisolvent=chlorofrom"), 2, "did you mean 'chloroform'?"),
        (("--set", "duration=2h"), 2, "a number in h, without its unit"),
        (("--set", "duration"), 2, "key=value"),
        (("--set", "duration=1", "--set", "duration=2"), 2, "set twice"),
        (("--set", "duration=100"), 2, "0 to 16 h"),
        (("--set", "duration=nan"), 2, "duration"),
        (("--spectra", "out.txt"), 2, ".json or .npz"),
    ],
)
def test_mistakes_are_refused_with_the_remedy(run, words, code, said):
    found = run("run", "larp_plate", *words)
    assert found[0] == code and said in found[2] and not found[1]


def test_all_mistakes_are_named_at_once_and_an_unknown_twin_is_not_found(run):
    err = run("run", "larp_plate", "--set", "a=1", "--set", "b=2")[2]
    assert err.count("dotpilot:") == 2
    code, _, err = run("run", "larp_plates")
    assert code == 3 and "did you mean 'larp_plate'?" in err
    assert run("validate", "--row", "XX-01")[0] == 3


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_raw_spectra_are_written(run, tmp_path: Path, suffix):
    path = tmp_path / f"raw{suffix}"
    assert run("run", "larp_plate", *WELL, "--spectra", path)[0] == 0
    if suffix == ".json":
        (pl,) = json.loads(path.read_text())["spectra"]
        assert pl["name"] == "pl" and len(pl["values"]) == 7
        return
    with np.load(path) as archive:
        assert archive["pl_values"].shape == (7, len(archive["pl_axis"]))
        assert json.loads(str(archive["about"]))["pl"]["unit"] == "counts"


def test_detectors_files_are_written_and_read_back(run, tmp_path: Path):
    folder = tmp_path / "files"
    assert run("run", "larp_plate", *WELL, "--files", folder)[0] == 2, "there is no such folder"
    folder.mkdir()
    code, _, err = run("run", "larp_plate", *WELL, "--files", folder)
    assert code == 0 and "1 files written" in err
    found = read_file(folder / "pl.csv")
    assert found.values.shape == (7, len(found.axis)) and found.unit == "counts"
    code, _, err = run("run", "larp_plate", *WELL, "--files", folder)
    assert code == 2 and "empty folder" in err


def test_validate_judges_the_asked_rows(run):
    code, found, err = run("validate", "--row", "MP-10", "--row", "AX-01", "--row", "LP-24")
    assert code == 0 and "3 of 3" in err
    by_id = {r["id"]: r for r in found["rows"]}
    assert list(by_id) == ["MP-10", "LP-24", "AX-01"]
    wanted = {"id", "twin", "quantity", "published", "ours", "band", "use", "tier", "pass",
              "null_pass", "reason"}  # fmt: skip
    assert all(wanted <= set(r) for r in found["rows"])
    assert by_id["AX-01"]["pass"] is True and by_id["MP-10"]["tier"] == 1
    assert by_id["MP-10"]["pass"] is False and "size gain" in by_id["MP-10"]["reason"]
    assert set(found["summary"]) == {"tier_1", "all", "twins"}
    text = run("validate", "--row", "MP-10", as_json=False)[1]
    assert "MP-10" in text and "miss" in text


def test_validate_draws(run, tmp_path: Path):
    found = run("validate", "anion_exchange", "--row", "AX-01", "--out", tmp_path / "plots")[1]
    assert [Path(p).name for p in found["figures"]] == ["scoreboard.png", "anion_exchange.png"]
    assert all(Path(p).read_bytes().startswith(b"\x89PNG") for p in found["figures"])


def test_calibrate_prints_or_writes_and_never_overwrites(run, tmp_path: Path):
    path = tmp_path / "fit.toml"
    words = ("calibrate", "micropipette", "--evaluations", "0")
    code, found, _ = run(*words, "--out", path)
    assert code == 0 and found["twin"] == "micropipette"
    assert all(p["posterior_sd"] > 0.0 for p in found["parameters"])
    written = path.read_text()
    assert "posterior_sd" in written
    assert run(*words, "--out", path)[0] == 2 and path.read_text() == written
    assert run(*words, as_json=False)[1] == written


def test_help_imports_nothing_heavy():
    heavy = ("torch", "ax", "numba", "sklearn", "shap", "scipy", "matplotlib", "numpy")
    code = (
        "import sys\nfrom orchestrator.cli import main\n"
        "try:\n    main(['twin', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([n for n in {heavy!r} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
