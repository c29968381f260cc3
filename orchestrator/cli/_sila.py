"""The command that serves a station to software that speaks SiLA 2: station sila."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli._context import emit, say
from orchestrator.cli._devices import File
from orchestrator.cli._show import station_app
from orchestrator.cli._signals import on_signals

PORT = 50052  # that the examples of SiLA 2 take


def register(app: typer.Typer) -> None:
    """Add the command to the group of stations."""
    del app
    station_app.command("sila")(station_sila)


def station_sila(
    file: File,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port to listen at.")
    ] = PORT,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="PEM", help="Of this server.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PEM", help="Private key of the certificate.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not encrypt, against the standard.")
    ] = False,
    discovery: Annotated[
        bool, typer.Option("--discovery", help="Announce the server on the network.")
    ] = False,
) -> None:
    """Serve a station as a SiLA 2 server until it is interrupted; then make it safe."""
    from instruments.errors import InstrumentError
    from orchestrator.errors import InputRefusedError
    from orchestrator.worker import read_station_file

    said = read_station_file(file)
    pair = _pair(certificate, key, insecure)
    server = _server(said)
    ended = threading.Event()
    with on_signals(lambda name: ended.set()):
        try:
            chain = server.start(
                host, port, insecure=insecure, certificate=pair, discovery=discovery
            )
        except InstrumentError as error:
            raise InputRefusedError(str(error)) from error
        document = {
            "station": said.station,
            "lab": said.lab,
            "server": str(server.uuid),
            "address": f"{host}:{port}",
            "certificate": chain or None,
        }
        emit(document, lambda: typer.echo(_text(document)))
        sys.stdout.flush()  # whoever reads it waits for it
        ended.wait()
        say("interrupted: the run under way is cancelled and the station made safe")
        server.stop()
    raise typer.Exit(130)


def _server(said: Any) -> Any:
    from instruments import create_station
    from orchestrator.errors import InputRefusedError

    try:
        from instruments.serving.runner import StationRunner
        from instruments.serving.sila import StationServer
    except ImportError as error:
        raise InputRefusedError(
            f"SiLA 2 needs a library that is not here ({error}); install the extra `sila`: "
            "pip install 'dotpilot[sila]'"
        ) from error
    station = create_station(said.station, (said.laboratory | said.wiring) or None)
    return StationServer(StationRunner(station, said.safe_within), said.lab)


def _pair(
    certificate: Path | None, key: Path | None, insecure: bool
) -> tuple[bytes, bytes] | None:
    from orchestrator.errors import InputRefusedError

    if (certificate is None) != (key is None) or (insecure and certificate is not None):
        raise InputRefusedError(
            "--certificate and --key go together, and neither with --insecure; give both, or none "
            "for a certificate that the server signs itself"
        )
    if certificate is None or key is None:
        return None
    try:
        return key.read_bytes(), certificate.read_bytes()
    except OSError as error:
        raise InputRefusedError(f"certificate and key must be readable, but {error}") from error


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"{document['station']} at {document['lab']} is served as SiLA 2 at "
        f"{document['address']} (server {document['server']})"
    ]
    if document["certificate"]:
        lines += ["its certificate, which clients need:", document["certificate"].strip()]
    else:
        lines.append("NOT encrypted: whoever reaches the port can run the station")
    return "\n".join(lines)
