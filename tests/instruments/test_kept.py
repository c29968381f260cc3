"""What goes over the wires is kept for each attempt, and the measurement names file and digest."""

import hashlib
import json

import pytest

from instruments import create_station
from instruments.errors import DeviceError, InstrumentError
from instruments.kept import BETWEEN, kept
from instruments.station import AttemptKey


def station(folder, **part):
    pumps = {"driver": "harvard_elite11", "timeout": 0.2, **part}
    return kept(
        create_station("flow_synthesis", {"hidden": 7, "instruments": {"pumps": pumps}}), folder
    )


def recipe(of):
    return {p.name: p.default for p in of.description.parameters if p.when is None}


def test_each_attempt_has_a_file_of_its_own_that_the_measurement_names(tmp_path):
    of = station(tmp_path / "campaign")
    of.open()
    try:
        made = [of.run(recipe(of), AttemptKey(3, 1)) for _ in range(2)]
    finally:
        of.close()
    names = []
    for measurement in made:
        (said,) = [i for i in measurement.identities if i["instrument"] == "wire_transcript"]
        file = tmp_path / "campaign" / said["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == said["sha256"]
        names.append(said["file"])
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert all(line["link"].startswith("pumps ") for line in lines)
        assert any(line["sent"] and "irun" in line["data"] for line in lines)
        assert any(not line["sent"] and line["data"].endswith(">") for line in lines)
        assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert names == ["trial-00003-attempt-1.jsonl", "trial-00003-attempt-1-again-2.jsonl"]
    assert "ver" in (tmp_path / "campaign" / BETWEEN).read_text()


def test_an_attempt_that_failed_names_its_transcript_in_its_message(tmp_path):
    of = station(tmp_path, faults={"spare": 60, "lost": 1.0})
    of.open()
    try:
        with pytest.raises(InstrumentError, match=r"wires are in trial-00001-attempt-1.jsonl"):
            of.run(recipe(of), AttemptKey(1, 1))
    finally:
        with pytest.raises(InstrumentError):
            of.close()


def test_the_kind_of_an_error_stays_what_it_was(tmp_path):
    of = station(tmp_path, faults={"seed": 4, "spare": 90, "stall": 0.5})
    of.open()
    try:
        with pytest.raises(DeviceError, match="SHA-256"):
            of.run(recipe(of), AttemptKey(1, 1))
    finally:
        of.close()


def test_a_station_without_wires_has_nothing_to_keep(tmp_path):
    with pytest.raises(InstrumentError, match="has none"):
        kept(create_station("topo_batch"), tmp_path)
