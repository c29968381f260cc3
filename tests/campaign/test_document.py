"""A file is read within limits: neither its size, its aliases nor its tags break the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign import _document, read_document
from orchestrator.errors import InputRefusedError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "value",
    ['!!int ""', '!!float ""', "!!bool foo", "!!timestamp foo", "!!int [1]", "!!float x",
     "!!binary x", "!!python/object:os.system x", "!!set 1", "!!omap 1", "!!int 0x"],
)  # fmt: skip
def test_a_tag_that_its_value_does_not_fit_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputRefusedError, match="must be YAML or JSON"):
        read_document(written(tmp_path, f"name: {value}\n"))


@pytest.mark.timeout(30)
def test_a_file_of_many_megabytes_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="at most 1000000 bytes"):
        read_document(written(tmp_path, "a: [" + "0," * 2_000_000 + "0]\n"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shape", ["{a}, {a}", "[{a}], [{a}]", "{{x: {a}, y: {a}}}"])
def test_aliases_that_stand_for_billions_are_refused(tmp_path: Path, shape: str) -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{shape.format(a=f'*a{n - 1}')}]" for n in range(1, 40)]
    with pytest.raises(InputRefusedError, match="at most 100000 values"):
        read_document(written(tmp_path, "\n".join(lines)))


def test_a_list_of_too_many_values_is_refused_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_document, "MOST_VALUES", 1000)
    with pytest.raises(InputRefusedError, match="at most 1000 values"):
        read_document(written(tmp_path, "a: [" + "0," * 1000 + "0, [\n"))


def test_a_value_that_holds_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError):
        read_document(written(tmp_path, "a: &a [*a]\n"))


def test_aliases_and_anchors_of_a_person_are_taken(tmp_path: Path) -> None:
    found = read_document(written(tmp_path, "a: &a {low: 1, high: 2}\nb: [*a, *a]\n"))
    assert found["b"] == [found["a"], found["a"]]
