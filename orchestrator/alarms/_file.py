"""The alarms file: who hears of what. Secrets stay in environment variables that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.alarms._model import KINDS, Kind
from orchestrator.campaign import read_document
from orchestrator.errors import InputRefusedError

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Email(_Item):
    """A mail server and who gets mail.

    Attributes:
        host: Of the mail server.
        port: Of it.
        starttls: Whether the connection is encrypted after its greeting.
        sender: Address that the mail is from.
        to: Addresses that it goes to.
        user: Who logs in; nobody, if left out.
        password_env: Environment variable that holds the password.
    """

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    starttls: bool = True
    sender: Text
    to: Annotated[tuple[Text, ...], Field(min_length=1)]
    user: str | None = None
    password_env: str | None = None


class Webhook(_Item):
    """An address that gets a POST with the alarm as JSON.

    Attributes:
        url: Where to.
        headers_env: Environment variables that hold the values of further headers, by header.
    """

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    headers_env: dict[str, str] = {}


class AlarmsFile(_Item):
    """What an alarms file says.

    Attributes:
        log: File that gets a JSON line for each alarm, relative to this one.
        command: Program and arguments; it gets the alarm as JSON on its standard input.
        email: Mail.
        webhook: HTTP.
        kinds: Kinds that are sent; all, if left out.
        attempts: How often sending is tried.
        timeout: Longest try [s].
        step_samples: Durations of a step that must be known before their p99 is its limit.
        step_multiple: Limit of a step before that, over the longest time that it took so far.
        step_planned: Limit of a step that nobody has seen yet [s].
        worker_silence: Silence of a worker after which it is lost [s].
    """

    log: Text | None = None
    command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    email: Email | None = None
    webhook: Webhook | None = None
    kinds: tuple[Kind, ...] = KINDS
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    timeout: Seconds = 10.0
    step_samples: Annotated[int, Field(ge=2)] = 100  # p99 of fewer is their maximum
    step_multiple: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 5.0
    step_planned: Seconds = 3600.0  # assumed, as long as a heater may take
    worker_silence: Seconds = 120.0  # assumed, twice a server's usual lease


def read_alarms_file(path: Path) -> AlarmsFile:
    """Read and check an alarms file.

    Raises:
        NotFoundError: no such file.
        InputRefusedError: unknown keys or wrong values; all of them.
    """
    try:
        found = AlarmsFile.model_validate(read_document(path))
    except ValidationError as error:
        raise InputRefusedError(
            [
                f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}"
                for e in error.errors(include_url=False)
            ]
        ) from error
    if not (found.log or found.command or found.email or found.webhook):
        raise InputRefusedError(
            f"{path}: alarms must go somewhere; name log, command, email or webhook"
        )
    return (
        found
        if found.log is None
        else found.model_copy(update={"log": str(path.parent / found.log)})
    )
