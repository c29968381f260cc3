"""Commands that keep running: serve and loops."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli._alarms import AlarmsOption, watched_record
from orchestrator.cli._alarms import alarms as sent
from orchestrator.cli._context import say, settings
from orchestrator.cli._signals import on_signals

if TYPE_CHECKING:
    from orchestrator.ledger import Ledger

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="Processes that agents compute in [default: cores]."),
]
Ray = Annotated[
    str | None, typer.Option("--ray", metavar="ADDRESS", help="A Ray cluster instead; or auto.")
]
LeaseSeconds = Annotated[
    float, typer.Option("--lease", min=1.0, help="How long a silent worker keeps a lease [s].")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(serve)
    app.command()(loops)


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8000,
    no_loops: Annotated[
        bool,
        typer.Option("--no-loops", help="Serve the API alone; `dotpilot loops` does the rest."),
    ] = False,
    single_user: Annotated[
        bool,
        typer.Option("--single-user", help="Print a one-time link for a browser on this machine."),
    ] = False,
    lease: LeaseSeconds = 60.0,
    jobs: Jobs = None,
    ray: Ray = None,
    alarms: AlarmsOption = None,
) -> None:
    """Serve campaigns to remote labs over a REST API until interrupted."""
    from orchestrator.api import ApiServer, create_app
    from orchestrator.api import single_user as one_user

    _refuse_taken(host, port)
    person = one_user(host) if single_user else None
    with ExitStack() as stack:
        ledger = stack.enter_context(settings.ledger())
        stack.enter_context(watched_record(stack.enter_context(sent(alarms)), ledger))

        def started(url: str) -> None:
            say(f"serving {settings.shown} on {url}; Ctrl-C ends it safely")
            if person is not None:
                say(f"open once, within 15 minutes: {person.link(url, ledger.time())}")

        app = create_app(ledger, single_user=person, lease_s=lease)
        if not no_loops:
            stack.enter_context(_loop_runner(ledger, lease, jobs, ray))
        # the server raises the signal that ended it once more: loops are to let go all the same
        stack.enter_context(on_signals(_interrupt))
        ApiServer(app, host, port, on_started=started).run()


def _interrupt(name: str) -> None:
    raise KeyboardInterrupt(name)


def _refuse_taken(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on, before anything is opened.

    Raises:
        InputRefusedError: no address of this machine.
        ConflictError: somebody else listens there.
    """
    from orchestrator.errors import ConflictError, InputRefusedError

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except socket.gaierror as error:
        raise InputRefusedError(f"--host must be an address, but got {host!r}: {error}") from error
    except OSError as error:
        raise ConflictError(
            f"a port has one listener, but {host}:{port} cannot be listened on: {error}; choose "
            "another with --port"
        ) from error


def loops(lease: LeaseSeconds = 60.0, jobs: Jobs = None, ray: Ray = None) -> None:
    """Run the loops of served campaigns until interrupted; several of these share the work."""
    with settings.ledger() as ledger, _loop_runner(ledger, lease, jobs, ray):
        stop = threading.Event()
        with on_signals(lambda _: stop.set()):
            say(f"running the loops of {settings.shown}; Ctrl-C ends them safely")
            stop.wait()


@contextmanager
def _loop_runner(
    ledger: Ledger, lease: float, jobs: int | None, ray: str | None
) -> Iterator[None]:
    """Run loops whose agents compute through the executor seam."""
    from orchestrator.executor import open_executor
    from orchestrator.fleet import LoopRunner, proposed_through

    with open_executor(jobs, ray) as executor:
        with LoopRunner(ledger, lease_s=lease, propose=proposed_through(executor)):
            yield
