"""A mistake in a file is told with the key or word that was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign import check_campaign, read_document
from orchestrator.errors import InputRefusedError
from orchestrator.importing._mapping import read_mapping

FILE = {
    "name": "a",
    "station": "micropipette",
    "space": [{"name": "tip_diameter", "value": 1.0, "unt": "um"}],
    "objectives": [{"observable": "emission_fwhm", "goal": "maximize"}],
    "agent": {"name": "random"},
    "lab": {"hiden": 3},
    "budget": {"trials": 3},
}


def test_a_campaign_file_names_what_was_probably_meant() -> None:
    with pytest.raises(InputRefusedError) as refused:
        check_campaign(FILE)
    told = "\n".join(refused.value.problems)
    assert "lab.hiden: there is no such key; did you mean 'hidden'?" in told
    assert ".unt: there is no such key; did you mean 'unit'?" in told
    assert "but got 'maximize'; did you mean 'maximise'?" in told


def test_a_mapping_is_refused_in_the_same_words() -> None:
    wrong = {"name": "x", "parameters": [{"nme": "a", "column": "b"}], "observable": []}
    with pytest.raises(InputRefusedError) as refused:
        read_mapping(wrong)
    assert refused.value.problems == [
        "mapping parameters.0.name: must be given",
        "mapping parameters.0.nme: there is no such key; did you mean 'name'?",
        "mapping observables: must be given",
        "mapping observable: there is no such key; did you mean 'observables'?",
    ]


@pytest.mark.parametrize("text", ["a: [1", "a: 1\na: 2\n", "1: 2\n"])
def test_a_mistake_in_yaml_names_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(InputRefusedError) as refused:
        read_document(path)
    told = "\n".join(refused.value.problems)
    assert str(path) in told and "unicode string" not in told
