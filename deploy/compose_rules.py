"""What docker-compose.yml, Dockerfile and Caddyfile must keep: each rule yields its violations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from compose_file import ROOT, Compose, Service

PINNED = re.compile(r"[\w./-]+:v?\d[\w.-]*(@sha256:[0-9a-f]{64})?")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|KEY", re.I)
OURS = "dotpilot"


def violations(compose: Compose) -> list[str]:
    """Return everything that breaks a rule."""
    found: list[str] = []
    for service in compose.services.values():
        for rule in (_image, _command, _health, _mounts, _needs, _ports, _hardened):
            found += [f"service {service.name}: {text}" for text in rule(compose, service)]
    for whole in (_variables, _secrets, _unused, _dockerfile, _caddyfile):
        found += whole(compose)
    return found


def _image(_: Compose, service: Service) -> Iterator[str]:
    image = str(service.raw.get("image", ""))
    if not PINNED.fullmatch(image):
        yield f"its image must be pinned to a version, but is {image!r}"


def parse_command(words: list[str]) -> None:
    """Let the real command line parse a command of ours, up to running it.

    Raises:
        Exception: the refusal of the command line.
    """
    import typer

    from orchestrator.cli import app
    from orchestrator.cli._main import hoist

    command: Any = typer.main.get_command(app)
    context = command.make_context(OURS, hoist(words[1:]))
    rest = [*context._protected_args, *context.args]  # noqa: SLF001
    while getattr(command, "commands", None):
        if not rest or rest[0] not in command.commands:
            raise ValueError(f"{' '.join(words)}: there is no such command")
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest, parent=context)


def _command(_: Compose, service: Service) -> Iterator[str]:
    for words in (service.command, service.health):
        if words[:1] == [OURS]:
            try:
                parse_command(words)
            except Exception as error:  # whatever the command line says is the finding
                yield f"the command line refuses {' '.join(words)}: {error}"


def _health(_: Compose, service: Service) -> Iterator[str]:
    if service.once:
        return
    if not service.health:
        yield "a service that keeps running must have a health check"
    missing = {"interval", "timeout", "retries"} - set(service.raw.get("healthcheck", {}))
    if missing:
        yield f"its health check must state {', '.join(sorted(missing))}"
    if "restart" not in service.raw:
        yield "a service that keeps running must say when it is restarted"


def _mounts(compose: Compose, service: Service) -> Iterator[str]:
    for mount in service.mounts:
        if mount.named and mount.source not in compose.document["volumes"]:
            yield f"volume {mount.source} is not declared"
        if not mount.named and not (ROOT / mount.source).exists():
            yield f"{mount.source} is not in the repository"
        if not mount.named and not mount.read_only:
            yield f"{mount.source} of the host must be mounted read-only"


def _needs(compose: Compose, service: Service) -> Iterator[str]:
    for name, condition in service.needs.items():
        other = compose.services.get(name)
        if other is None:
            yield f"it waits for {name}, which does not exist"
        elif condition == "service_healthy" and not other.health:
            yield f"it waits for the health of {name}, which has no health check"
        elif (condition == "service_completed_successfully") != other.once:
            yield f"it waits for {name} by the wrong condition, {condition}"
    if service.once and not any(service.name in s.needs for s in compose.services.values()):
        yield "nothing waits for it, so that `up --wait` would call its end a failure"
    networks = set(service.raw.get("networks", []))
    if not networks or networks - set(compose.document["networks"]):
        yield f"its networks must be declared, but are {sorted(networks)}"


def _ports(_: Compose, service: Service) -> Iterator[str]:
    for port in service.raw.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} must be open on this machine only unless a variable says more"


def _hardened(_: Compose, service: Service) -> Iterator[str]:
    if service.command[:1] != [OURS]:
        return
    if not service.raw.get("read_only") or service.raw.get("cap_drop") != ["ALL"]:
        yield "it must run on a read-only file system and without capabilities"


def _variables(compose: Compose) -> Iterator[str]:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    section = text.partition("## Read by docker-compose.yml")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)`", section, re.M))
    for name in sorted(documented ^ set(compose.variables)):
        yield f"variable {name} must be in the file and in docs/reference/settings.md"
    for name, operators in compose.variables.items():
        if SECRET.search(name) and not name.endswith("_FILE") and operators != {":?"}:
            yield f"variable {name} is a secret and must be required, without a default"
        if not operators <= {":?", ":-"}:
            yield f"variable {name} must be required or have a default"


def _secrets(compose: Compose) -> Iterator[str]:
    declared = compose.document.get("secrets", {})
    for name, entry in declared.items():
        if set(entry) != {"file"}:
            yield f"secret {name} must come from a file"
    for service in compose.services.values():
        for name in set(service.raw.get("secrets", [])) - set(declared):
            yield f"service {service.name}: secret {name} is not declared"
    for line in compose.text.splitlines():
        key, colon, value = line.strip().partition(": ")
        plain = value and not value.startswith(("$", "/run/secrets/", "[", "{"))
        if colon and SECRET.search(key) and not key.startswith("#") and plain:
            yield f"no secret may stand in the file, but this line looks like one: {line.strip()}"


def _unused(compose: Compose) -> Iterator[str]:
    used = {m.source for s in compose.services.values() for m in s.mounts}
    for name in sorted(set(compose.document["volumes"]) - used):
        yield f"volume {name} is declared and not used"


def _dockerfile(_: Compose) -> Iterator[str]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    for image in re.findall(r"^FROM (\S+)", text, re.M):
        if not PINNED.fullmatch(image):
            yield f"Dockerfile: the base image must be pinned, but is {image}"
    users = re.findall(r"^USER (\d+)", text, re.M)
    if not users or users[-1] == "0":
        yield "Dockerfile: the image must run as a user of its own, given by number"
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
        for name in source.split():
            if not (ROOT / name).exists():
                yield f"Dockerfile: {name} is not in the repository"
    if "HEALTHCHECK" not in text:
        yield "Dockerfile: the image must have a health check"


def _caddyfile(compose: Compose) -> Iterator[str]:
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    given = next(iter(re.findall(r"reverse_proxy (.*) \{", text)), "")
    if len(given.split()) < 2:
        yield "Caddyfile: the proxy must have two API processes behind it"
    for upstream in given.split():
        name, _, port = upstream.partition(":")
        service = compose.services.get(name)
        words = [] if service is None else service.command
        if "--port" not in words or words[words.index("--port") + 1] != port:
            yield f"Caddyfile: nothing serves {upstream}"
    known = set(compose.services["proxy"].environment)
    for name in re.findall(r"\{\$(\w+)\}", text):
        if name not in known:
            yield f"Caddyfile: {name} is no variable of the proxy"
