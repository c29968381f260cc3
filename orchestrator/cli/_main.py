"""The typer application, global options anywhere on the line, and refusals as exit codes."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from orchestrator.cli import (
    _admin,
    _attach,
    _data,
    _devices,
    _explain,
    _files,
    _inventory,
    _people,
    _rehearse,
    _replay,
    _run,
    _serve,
    _show,
    _sila,
    _token,
    _twin,
    _worker,
)
from orchestrator.cli._context import DEFAULT_DB, configure
from orchestrator.errors import DotpilotError, InputRefusedError

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 input refused, 3 not found, 4 conflict, 5 unreachable, "
    "10 target not reached, 20 replay or verify found a difference, 130 interrupted. "
    "The options above are accepted before and after the command."
)

app = typer.Typer(
    name="dotpilot",
    help="A self-driving laboratory for perovskite quantum dots.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    _run,
    _people,
    _attach,
    _show,
    _explain,
    _replay,
    _data,
    _twin,
    _serve,
    _worker,
    _token,
    _admin,
    _devices,
    _inventory,
    _files,
    _sila,
    _rehearse,
):
    module.register(app)


# What looks after a database, or needs none, is not asked of a server.
_LOCAL = ("db", "doctor", "driver", "file", "inventory", "loops", "serve", "token", "twin")


@app.callback()
def _globals(
    context: typer.Context,
    db: Annotated[
        str | None,
        typer.Option(
            "--db", metavar="URL", help=f"Database [default: {DEFAULT_DB} or DOTPILOT_DB]"
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Ask this server instead; token from DOTPILOT_TOKEN or DOTPILOT_TOKEN_FILE.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    verbose: Annotated[int, typer.Option("-v", count=True, help="More on stderr.")] = 0,
) -> None:
    if url is not None and context.invoked_subcommand in _LOCAL:
        raise InputRefusedError(
            f"`dotpilot {context.invoked_subcommand}` works here, not over a server; leave --url "
            "out"
        )
    configure(db, as_json, quiet, verbose, url)
    logging.basicConfig(level=logging.WARNING - 10 * min(verbose, 2), stream=sys.stderr)
    # what is tried again is told in our own words, if it fails in the end
    logging.getLogger("stamina").setLevel(logging.ERROR - 10 * min(verbose, 2))


_FLAGS = {"--json", "--quiet", "-v", "-vv"}


def hoist(arguments: list[str]) -> list[str]:
    """Move global options to the front, so that they may stand anywhere before `--`."""
    front: list[str] = []
    rest: list[str] = []
    items = iter(arguments)
    for item in items:
        if item == "--":
            rest += [item, *items]
        elif item in _FLAGS or item.startswith(("--db=", "--url=")):
            front.append(item)
        elif item in ("--db", "--url"):
            front += [item, *([value] if (value := next(items, None)) is not None else [])]
        else:
            rest.append(item)
    return front + rest


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its documented code."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(words, prog_name="dotpilot", standalone_mode=False)
    except DotpilotError as error:
        _refuse(str(error), error.exit_code)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        _refuse("interrupted", 130)
    except KeyboardInterrupt:
        _refuse("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        _refuse_other(error)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str, code: int) -> None:
    for line in message.splitlines() or [""]:
        sys.stderr.write(f"dotpilot: {line}\n")
    sys.exit(code)


def _refuse_other(error: Exception) -> None:
    if isinstance(error, TyperException):
        show = getattr(error, "show", None)  # usage errors know their usage line
        if show is not None:
            show(file=sys.stderr)
            sys.exit(getattr(error, "exit_code", 2))
    if "-v" in sys.argv or "-vv" in sys.argv:
        raise error
    _refuse(f"failed: {type(error).__name__}: {error} (again with -v for the traceback)", 1)
