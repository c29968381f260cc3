"""The ways that an alarm takes; each raises where it did not arrive."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import httpx

from orchestrator.alarms._file import AlarmsFile, Email, Webhook
from orchestrator.alarms._model import Alarm

Send = Callable[[Alarm], None]
FAILURES = (
    OSError,
    smtplib.SMTPException,
    httpx.HTTPError,
    subprocess.SubprocessError,
    ValueError,
)


def channels(file: AlarmsFile) -> dict[str, Send]:
    """Return the ways that a file names, by name."""
    found: dict[str, Send] = {}
    if (log := file.log) is not None:
        found["log"] = lambda alarm: _to_log(Path(log), alarm)
    if (command := file.command) is not None:
        found["command"] = lambda alarm: _to_command(command, alarm, file.timeout)
    if (email := file.email) is not None:
        found["email"] = lambda alarm: _to_mail(email, alarm, file.timeout)
    if (webhook := file.webhook) is not None:
        found["webhook"] = lambda alarm: _to_webhook(webhook, alarm, file.timeout)
    return found


def _to_log(path: Path, alarm: Alarm) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(alarm.document(), ensure_ascii=False) + "\n")


def _to_command(command: tuple[str, ...], alarm: Alarm, timeout: float) -> None:
    text = json.dumps(alarm.document())
    subprocess.run(command, input=text.encode(), timeout=timeout, check=True, capture_output=True)


def _to_mail(said: Email, alarm: Alarm, timeout: float) -> None:
    message = EmailMessage()
    message["From"], message["To"] = said.sender, ", ".join(said.to)
    message["Subject"] = f"dotpilot: {alarm.kind.replace('_', ' ')}: {alarm.about}"
    message.set_content(f"{alarm.text}\n\nnoticed at {alarm.at}\n")
    with smtplib.SMTP(said.host, said.port, timeout=timeout) as server:
        if said.starttls:
            server.starttls()
        if said.user is not None:
            server.login(said.user, _secret(said.password_env or ""))
        server.send_message(message)


def _to_webhook(said: Webhook, alarm: Alarm, timeout: float) -> None:
    headers = {name: _secret(variable) for name, variable in said.headers_env.items()}
    httpx.post(
        said.url, json=alarm.document(), headers=headers, timeout=timeout
    ).raise_for_status()


def _secret(variable: str) -> str:
    try:
        return os.environ[variable]
    except KeyError as error:
        raise ValueError(f"the environment must hold {variable!r}, but does not") from error
