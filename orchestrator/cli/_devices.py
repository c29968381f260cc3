"""Commands on a station's devices: driver list, station check, station stop."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli._context import emit, settings, today
from orchestrator.cli._show import station_app

if TYPE_CHECKING:
    from instruments.bench import Bench
    from orchestrator.worker import StationFile

UNREACHABLE, REFUSED = 5, 2
File = Annotated[Path, typer.Argument(metavar="FILE", help="A station file.")]


driver_app = typer.Typer(help="What drives real devices.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application and to the group of stations."""
    driver_app.command("list")(driver_list)
    station_app.command("check")(station_check)
    station_app.command("stop")(station_stop)
    app.add_typer(driver_app, name="driver")


def driver_list() -> None:
    """List the installed drivers and the parts that they can play."""
    from instruments.errors import InstrumentError
    from instruments.wiring import driver_kind, driver_names

    rows: list[dict[str, Any]] = []
    for name in driver_names():
        try:
            kind = driver_kind(name)
        except InstrumentError as error:
            rows.append({"name": name, "problem": str(error), "verified_on_hardware": False})
            continue
        rows.append(
            {
                "name": name,
                "description": kind.describe,
                "parts": list(kind.parts),
                "emulated": kind.emulate is not None,
                "settings": kind.settings.model_json_schema().get("properties", {}),
                "verified_on_hardware": False,
            }
        )
    lines = [
        f"{r['name']}  {r.get('description') or r['problem']}"
        + (f" ({', '.join(r['parts'])})" if "parts" in r else "")
        for r in rows
    ]
    human = "\n".join([*lines, "", "No driver has been verified on hardware yet."])
    emit({"drivers": rows}, lambda: typer.echo(human))


def station_check(file: File) -> None:
    """Connect to every device of a station file, ask who it is, and report all of it."""
    from instruments.place import stale

    said, bench = _bench(file)
    try:
        bench.open()
        document = _checked(said, bench)
    finally:
        bench.close()
    document["stale"] = stale(said.place, today())
    document["ok"] = document["ok"] and not document["stale"]
    emit(document, lambda: typer.echo(_tree(document)))
    if any(not d["ok"] for part in document["parts"] for d in part["devices"]):
        raise typer.Exit(UNREACHABLE)
    if document["stale"]:
        raise typer.Exit(REFUSED)


def station_stop(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A station file; with --url a lab or worker.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="With --url: why; kept there.")] = "",
) -> None:
    """Bring every device of a station to its safe state, and say which did not confirm."""
    from instruments.stopping import make_safe

    if settings.url is not None:
        _stop_remote(str(file), reason)
        return
    said, bench = _bench(file)
    try:
        bench.open(identify=False)
        lost = {r.name: r.problem for r in bench.reached if r.problem}
        devices = bench.by_name
        began = monotonic()
        problems = lost | make_safe(devices)
        seconds = monotonic() - began
    finally:
        bench.close()
    passive = [n for n, device in devices.items() if getattr(device, "passive", False)]
    document = {
        "station": said.station,
        "lab": said.lab,
        "seconds": round(seconds, 3),
        "safe": [n for n in devices if n not in problems and n not in passive],
        "passive": [n for n in passive if n not in problems],
        "unconfirmed": [{"name": n, "problem": p} for n, p in problems.items()],
    }
    emit(document, lambda: typer.echo(_stopped(document)))
    if problems:
        raise typer.Exit(UNREACHABLE)


def _stop_remote(name: str, reason: str) -> None:
    """Stop the workers of a lab, or one worker, through their server, all at once."""
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.client import Client, Retries, token_from_environment
    from orchestrator.errors import NotFoundError

    token = token_from_environment()
    with Client(str(settings.url), token, retries=Retries(attempts=3)) as client:
        workers = client.workers()["workers"]
        names = [w["worker"] for w in workers if name in (w["worker"], w["lab"])]
        if not names:
            known = ", ".join(f"{w['worker']} of {w['lab']}" for w in workers) or "none"
            raise NotFoundError(f"there is no lab or worker {name!r}; the workers are {known}")
        with ThreadPoolExecutor(len(names)) as pool:
            stops = list(pool.map(lambda w: client.stop_worker(w, reason), names))
    emit({"stops": stops}, lambda: typer.echo("\n".join(map(_stop_text, stops))))
    if any(s["state"] != "stopped" or s["unconfirmed"] for s in stops):
        raise typer.Exit(UNREACHABLE)


def _stop_text(stop: dict[str, Any]) -> str:
    if stop["state"] != "stopped":
        return f"NOT CONFIRMED {stop['worker']}: it has not reported yet; go and look"
    return f"{stop['worker']}: {_stopped(stop)}"


def _bench(path: Path) -> tuple[StationFile, Bench]:
    from instruments import create_station
    from orchestrator.errors import InputRefusedError
    from orchestrator.worker import read_station_file

    said = read_station_file(path)
    if not said.instruments:
        raise InputRefusedError(
            f"{path}: {said.station} has no `instruments`, so there is no device to reach; name "
            "its drivers"
        )
    station: Any = create_station(
        said.station, (said.laboratory | said.wiring | said.surroundings) or None
    )
    return said, station.bench()


def _checked(said: StationFile, bench: Bench) -> dict[str, Any]:
    parts: dict[str, dict[str, Any]] = {}
    for reached in bench.reached:
        part = parts.setdefault(
            reached.part,
            {
                "part": reached.part,
                "driver": reached.driver,
                "address": reached.address,
                "devices": [],
            },
        )
        part["devices"].append(
            {
                "name": reached.name,
                "ok": not reached.problem,
                "problem": reached.problem or None,
                "identity": dict(reached.identity) or None,
            }
        )
    ok = not any(reached.problem for reached in bench.reached)
    return {"station": said.station, "lab": said.lab, "ok": ok, "parts": list(parts.values())}


def _tree(document: dict[str, Any]) -> str:
    lines = [f"{document['station']} at {document['lab']}"]
    for part in document["parts"]:
        lines.append(f"  {part['part']}: {part['driver']}, {part['address']}")
        for device in part["devices"]:
            who = device["identity"] or {}
            told = f"{who.get('model', '')} {who.get('firmware', '')}".strip()
            state = "ok  " if device["ok"] else "DEAD"
            lines.append(f"    {state} {device['name']}  {device['problem'] or told}")
    lines += [f"  TOO OLD  {problem}" for problem in document["stale"]]
    verified = "not verified on hardware: no driver of these has been tried on a real device"
    return "\n".join([*lines, verified])


def _stopped(document: dict[str, Any]) -> str:
    lines = [f"{len(document['safe'])} devices safe after {document['seconds']:.2f} s"]
    lines += [f"nothing to make safe at {name}" for name in document.get("passive", ())]
    lines += [f"NOT CONFIRMED {u['name']}: {u['problem']}" for u in document["unconfirmed"]]
    return "\n".join(lines)
