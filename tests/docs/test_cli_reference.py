"""The reference names every command, argument, option and exit code, and nothing else."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from _markdown import Block, blocks, first_column, sections, text

from orchestrator import errors
from orchestrator.cli import app
from orchestrator.cli._main import EPILOG, hoist

COMMAND = typer.main.get_command(app)
SECTIONS = sections(text("docs/reference/cli.md"))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*path, name))


COMMANDS = dict(_walk(COMMAND, ("dotpilot",)))


def _options(command: Any) -> set[str]:
    found = {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")}
    return found | {"-h", "--help"}


def test_every_command_has_its_section_and_no_other_has_one() -> None:
    assert {" ".join(path) for path in COMMANDS} == set(SECTIONS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_options_and_arguments_are_documented(path: tuple[str, ...]) -> None:
    command, section = COMMANDS[path], SECTIONS[" ".join(path)]
    wanted = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    wanted -= {p.name for p in command.params}
    named = {p.metavar.strip("[].") for p in command.params if p.param_type_name == "argument"}
    words = set(re.findall(r"-{0,2}[\w-]+", " ".join(first_column(section))))
    missing = {o for o in wanted if o.startswith("-") and o not in words}
    missing |= {m for m in named if m not in words}
    assert not missing, f"{' '.join(path)}: {sorted(missing)} lack a row in the table"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_option_is_documented_that_is_not_there(path: tuple[str, ...]) -> None:
    known = _options(COMMANDS[path]) | _options(COMMAND)
    section = re.sub(r"`dotpilot [^`]*`", "", SECTIONS[" ".join(path)])
    usage = re.findall(rf"`({' '.join(path)}[^`]*)`", SECTIONS[" ".join(path)])
    given = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", section + " ".join(usage)))
    if path == ("dotpilot",):
        given -= {"-v"}
    assert given <= known | {"-v"}, f"not an option: {sorted(given - known)}"


def _subclasses(kind: type[errors.DotpilotError]) -> Iterator[type[errors.DotpilotError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _subclasses(child)


def test_exit_codes_of_reference_help_and_refusals_agree() -> None:
    table = text("docs/reference/exit-codes.md").split("`launch` and `resume` in detail")[0]
    documented = {int(n) for n in re.findall(r"^\| (\d+) \|", table, re.M)}
    helped = {int(n) for n in re.findall(r"(\d+) [a-z]", EPILOG)}
    raised = {kind.exit_code for kind in _subclasses(errors.DotpilotError)}
    assert documented == helped
    assert raised <= documented


def _command_lines(block: Block) -> Iterator[str]:
    joined = block.text.replace("\\\n", " ")
    for line in joined.splitlines():
        line = line.removeprefix("$ ").strip()
        if re.match(r"(\.venv/bin/)?dotpilot\b", line):
            yield line


LINES = [
    pytest.param(line, id=f"{b.place} {line}")
    for b in blocks("sh", "console")
    for line in _command_lines(b)
]


@pytest.mark.parametrize("line", LINES)
def test_documented_command_lines_parse(line: str) -> None:
    """A command line in the documentation must be one that the program takes."""
    words = shlex.split(re.split(r" [|>&;] ?| 2>", line.partition(" #")[0])[0])[1:]
    words = [w for w in hoist(words) if w != "--"]
    context = COMMAND.make_context("dotpilot", list(words))
    command: Any = COMMAND
    rest = [*context._protected_args, *context.args]
    while getattr(command, "commands", None):
        assert rest, f"{line} stops before a command"
        name, *rest = rest
        assert name in command.commands, f"{line}: no command {name}"
        command = command.commands[name]
    command.make_context(command.name, rest, parent=context)


def test_there_are_documented_command_lines() -> None:
    assert len(LINES) > 20
