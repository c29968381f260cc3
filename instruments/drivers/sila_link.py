"""Questions to a SiLA 2 server and its answers, each within a time.

Definitions, messages and errors are those of the library `sila2`; its own client asks without a
deadline and would wait for ever for a server that hears and does not answer, so the calls are made
here. A method's path follows SiLA 2 part B (mapping to gRPC and protobuf).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.message import DecodeError
from pydantic import BaseModel, ConfigDict, model_validator
from sila2.features.silaservice import SiLAServiceFeature
from sila2.framework import CommandExecutionStatus, Feature, ValidationError
from sila2.framework.abc.sila_error import SilaError
from sila2.framework.errors.defined_execution_error import DefinedExecutionError
from sila2.framework.pb2 import SiLAFramework_pb2 as framework

from instruments.drivers.driver import identity
from instruments.drivers.transcript import Transcript
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.wiring import Connection

TIMEOUT = 2.0  # s; assumed, as for other devices on a network
SERVICE = "org.silastandard/core/SiLAService/v1"
_UNKNOWN = (
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
)


class Encrypted(BaseModel):
    """Settings of every SiLA 2 device.

    Attributes:
        certificate: File with the certificate (PEM) of the server or of who signed it; None where
            the machine trusts it anyhow.
        insecure: Whether the wire is not encrypted, against the standard.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: str | None = None
    insecure: bool = False

    @model_validator(mode="after")
    def _one(self) -> Encrypted:
        if self.insecure and self.certificate is not None:
            raise ValueError("a wire that is not encrypted takes no `certificate`; leave one out")
        return self


class _Known:
    """What the library's errors look names up in."""

    def __init__(self, names: Mapping[Any, Any]) -> None:
        self._children_by_fully_qualified_identifier = names
        self._registered_defined_execution_error_classes: dict[Any, Any] = {}


class SilaLink:
    """The wire to one SiLA 2 server.

    Args:
        address: `host:port`.
        settings: How it is encrypted.
        timeout: Longest wait for an answer [s].
        transcript: Keeps the messages.

    Raises:
        InstrumentError: the certificate cannot be read.
    """

    def __init__(
        self,
        address: str,
        settings: Encrypted,
        *,
        timeout: float = TIMEOUT,
        transcript: Transcript | None = None,
    ) -> None:
        self.name, self.timeout, self._transcript = address, timeout, transcript
        self._lock = threading.Lock()
        self._features: dict[str, Any] = {SERVICE: SiLAServiceFeature}
        self._channel = _channel(address, settings)

    def get(self, feature: str, name: str) -> Any:
        """Return the present value of a property.

        Args:
            feature: Fully qualified, such as `org.silastandard/core/SiLAService/v1`.
            name: Of the property.

        Raises:
            DeviceTimeoutError: no answer in time.
            DeviceRefusedError: the server refuses, or has no such feature or property.
            DeviceFaultError: the answer cannot be read.
        """
        found = self._child(feature, name)
        observable = found.parameter_message_type.__name__.startswith("Subscribe_")
        path = f"{'Subscribe' if observable else 'Get'}_{name}"
        data = found.parameter_message_type().SerializeToString()
        answer = self._ask(feature, path, data, stream=observable)
        return found.to_native_type(self._read(found.response_message_type, answer))

    def call(self, feature: str, name: str, *values: Any) -> Any:
        """Carry out an unobservable command and return its responses; errors as for `get`."""
        command = self._child(feature, name)
        answer = self._ask(feature, name, self._said(command, values))
        return command.responses.to_native_type(self._read(command.responses.message_type, answer))

    def begin(self, feature: str, name: str, *values: Any) -> UUID:
        """Begin an observable command and return which execution it is; errors as for `get`."""
        command = self._child(feature, name)
        answer = self._ask(feature, name, self._said(command, values))
        confirmed = self._read(framework.CommandConfirmation, answer)
        try:
            return UUID(confirmed.commandExecutionUUID.value)
        except ValueError as error:
            raise self._nonsense(str(confirmed)) from error

    def status(self, feature: str, name: str, execution: UUID) -> CommandExecutionStatus:
        """Return how an execution of an observable command stands; errors as for `get`."""
        which = framework.CommandExecutionUUID(value=str(execution)).SerializeToString()
        answer = self._ask(feature, f"{name}_Info", which, stream=True)
        info = self._read(framework.ExecutionInfo, answer)
        return CommandExecutionStatus(info.commandStatus)

    def result(self, feature: str, name: str, execution: UUID) -> Any:
        """Return the responses of an execution that has ended; errors as for `get`."""
        command = self._child(feature, name)
        which = framework.CommandExecutionUUID(value=str(execution)).SerializeToString()
        answer = self._ask(feature, f"{name}_Result", which)
        return command.responses.to_native_type(self._read(command.responses.message_type, answer))

    def tell(self, feature: str, name: str, *values: Any) -> None:
        """Begin a command without waiting for its answer.

        A feature that was never asked for is asked for first, since its messages are unknown.
        """
        command = self._child(feature, name)
        data = self._said(command, values)
        self._note(True, data)
        try:
            self._channel.unary_unary(_path(feature, name)).future(data, timeout=self.timeout)
        except ValueError as error:
            raise self._closed() from error

    def identify(self, name: str, driver: str, version: str, emulated: bool) -> dict[str, Any]:
        """Return what the server says of itself."""
        who = {n: self.get(SERVICE, f"Server{n}") for n in ("Name", "Type", "UUID", "Version")}
        return identity(
            name,
            model=f"{who['Type']} {who['Name']}",
            serial=str(who["UUID"]),
            firmware=str(who["Version"]),
            driver=driver,
            version=version,
            emulated=emulated,
        )

    def close(self) -> None:
        """Let go of the server. May be called twice."""
        self._channel.close()

    def _child(self, feature: str, name: str) -> Any:
        """Return a command or a property of a feature, as the server defines it."""
        if feature not in self._features:
            text = self.call(SERVICE, "GetFeatureDefinition", feature).FeatureDefinition
            try:
                self._features[feature] = Feature(text)
            except (TypeError, ValueError, SyntaxError) as error:
                raise DeviceFaultError(
                    f"{self.name} must define {feature} as SiLA 2 wants, once and for all servers "
                    f"of this process, but {error}"
                ) from error
        try:
            return self._features[feature][name]
        except KeyError as error:
            raise DeviceRefusedError(
                f"{self.name} must have {name} in its feature {feature}, but has not; this driver "
                "does not know this device"
            ) from error

    def _said(self, command: Any, values: tuple[Any, ...]) -> bytes:
        try:
            return bytes(command.parameters.to_message(*values).SerializeToString())
        except ValidationError as error:
            raise DeviceRefusedError(
                f"{self.name} takes {command.fully_qualified_identifier} within the limits of its "
                f"definition, but {values} breaks them ({error}); nothing went over the wire"
            ) from error

    def _ask(self, feature: str, method: str, data: bytes, *, stream: bool = False) -> bytes:
        """Send a message and return the answer, of a stream its first one."""
        with self._lock:
            self._note(True, data)
            try:
                answer = self._answer(_path(feature, method), data, stream)
            except grpc.RpcError as error:
                raise self._error(error, feature, method) from error
            except StopIteration as error:
                raise self._nonsense(f"the end of {method}") from error
            except ValueError as error:  # of a channel that was closed
                raise self._closed() from error
            self._note(False, answer)
            return answer

    def _answer(self, path: str, data: bytes, stream: bool) -> bytes:
        if not stream:
            return bytes(self._channel.unary_unary(path)(data, timeout=self.timeout))
        answers = self._channel.unary_stream(path)(data, timeout=self.timeout)
        try:
            return bytes(next(answers))
        finally:
            answers.cancel()

    def _read(self, kind: Any, data: bytes) -> Any:
        try:
            return kind.FromString(data)
        except DecodeError as error:
            raise self._nonsense(repr(data)) from error

    def _error(self, error: Any, feature: str, method: str) -> InstrumentError:
        code = error.code()
        if SilaError.is_sila_error(error):
            return self._refusal(error, feature, method)
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return DeviceRefusedError(
                f"{self.name} must have {method} of {feature}, but has not; check which server "
                "this is"
            )
        if code in _UNKNOWN:
            return DeviceTimeoutError(
                f"{self.name} must answer {method} within {self.timeout:g} s, but {code.name} "
                f"({error.details()}); whether the device acted is unknown, check server and cable"
            )
        return self._nonsense(f"{code.name} ({error.details()}) to {method}")

    def _refusal(self, error: Any, feature: str, method: str) -> InstrumentError:
        names = {}
        if feature in self._features:
            names = self._features[feature].children_by_fully_qualified_identifier
        said = SilaError.from_rpc_error(error, _Known(names))  # type: ignore[arg-type, unused-ignore]
        if isinstance(said, DefinedExecutionError | ValidationError):
            return DeviceRefusedError(f"{self.name} refused {method}: {said}; nothing has changed")
        return DeviceFaultError(f"{self.name} failed at {method}: {said}; look at the device")

    def _nonsense(self, came: str) -> DeviceFaultError:
        return DeviceFaultError(
            f"{self.name} must answer with a message of its feature's definition, but {came} "
            "came; whether the device acted is unknown, look at it"
        )

    def _closed(self) -> DeviceTimeoutError:
        return DeviceTimeoutError(
            f"{self.name} must be open to reach the device, but it is closed; open the station"
        )

    def _note(self, sent: bool, data: bytes) -> None:
        if self._transcript is not None and data:
            self._transcript.note(self.name, sent, data)


def sila_link(connection: Connection, address: str) -> SilaLink:
    """Return the wire to one server of a connection; an emulated one is not encrypted."""
    settings = Encrypted(insecure=True) if connection.emulated else connection.settings
    return SilaLink(
        address,
        settings,
        timeout=connection.said.timeout or TIMEOUT,
        transcript=connection.transcript,
    )


def _channel(address: str, settings: Encrypted) -> Any:
    if settings.insecure:
        return grpc.insecure_channel(address)
    try:
        root = Path(settings.certificate).read_bytes() if settings.certificate else None
    except OSError as error:
        raise InstrumentError(
            f"`certificate` must be a file with the server's certificate, but {error}"
        ) from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(root_certificates=root))


def _path(feature: str, method: str) -> str:
    """`org.x/core/Thing/v1` and `Do` make `/sila2.org.x.core.thing.v1.Thing/Do`."""
    originator, category, name, version = feature.split("/")
    return f"/sila2.{originator}.{category}.{name.lower()}.{version}.{name}/{method}"
