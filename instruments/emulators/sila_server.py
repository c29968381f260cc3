"""SiLA 2 servers in this process: what any emulated one does, and the faults of its wire.

Messages and errors are those of the library `sila2`; a property's stream ends after its first
value. One gRPC call is a telegram, and what goes wrong with it is what gRPC makes of it: an answer
that comes too late belongs to a call that is over, so it never meets the next one.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import Any, cast
from uuid import UUID, uuid5

import grpc
from sila2.features.silaservice import SiLAServiceFeature
from sila2.framework import CommandExecutionStatus, Feature, SilaError, ValidationError
from sila2.framework.command.observable_command import ObservableCommand
from sila2.framework.pb2 import SiLAFramework_pb2 as framework
from sila2.framework.utils import raise_as_rpc_error

from instruments.emulators.faults import Faults, HangUpError, faults_of
from instruments.wiring import Part

_NAMESPACE = UUID("7c9f2c52-6c1e-4b0e-9d2b-2f1f5d0a9f11")  # drawn once; servers need lasting UUIDs
_WORKERS = 8  # calls of one server at once: lost ones keep a worker until the client gives up
_HEADER = 5  # bytes of gRPC's prefix of a message: compression and length
Method = Callable[[bytes], bytes]


@cache
def feature(identifier: str) -> Any:
    """Return a feature by its fully qualified identifier."""
    return Feature(definition(identifier))


def definition(identifier: str) -> str:
    """Return the definition (XML) of a feature."""
    file = files("instruments.emulators") / "features" / f"{identifier.split('/')[2]}.sila.xml"
    return file.read_text(encoding="utf-8")


class EmulatedServer(ABC):
    """Properties and commands of one server.

    Attributes:
        features: Identifiers of what it implements.
        failed: Why an execution of a command ended with an error.
    """

    features: tuple[str, ...]
    kind: str

    def __init__(self) -> None:
        self.name, self._count = self.kind, 0
        self.failed: dict[str, SilaError] = {}
        self._running = ""

    @abstractmethod
    def attach(self, device: Any) -> None:
        """Move this simulated instrument from now on."""

    @abstractmethod
    def properties(self) -> Mapping[tuple[str, str], Callable[[], Any]]:
        """Readers of the observable properties, by feature and name."""

    @abstractmethod
    def commands(self) -> Mapping[tuple[str, str], Callable[..., SilaError | None]]:
        """What carries out the commands, by feature and name; an error ends the command with it.

        Observable ones are those that the feature says; they run until the next one or a stop.
        """

    def methods(self) -> dict[str, tuple[bool, Method]]:
        """Every gRPC method by its path: whether it streams, and what answers."""
        found = self._service()
        for (of, name), read in self.properties().items():
            child = feature(of)[name]
            found[_path(of, f"Subscribe_{name}")] = True, _reader(child, read)
        for (of, name), act in self.commands().items():
            command = feature(of)[name]
            if isinstance(command, ObservableCommand):
                found[_path(of, name)] = False, self._beginner(command, act)
                found[_path(of, f"{name}_Info")] = True, self._info
                found[_path(of, f"{name}_Result")] = False, self._result(command)
            else:
                found[_path(of, name)] = False, _doer(command, act)
        return found

    def _service(self) -> dict[str, tuple[bool, Method]]:
        said = {
            "ServerName": self.name,
            "ServerType": self.kind,
            "ServerUUID": str(uuid5(_NAMESPACE, self.name)),
            "ServerDescription": "Emulated by dotpilot",
            "ServerVersion": "1.0",
            "ServerVendorURL": "https://sila-standard.com",
            "ImplementedFeatures": [SiLAServiceFeature.fully_qualified_identifier, *self.features],
        }
        of = str(SiLAServiceFeature.fully_qualified_identifier)
        found = {
            _path(of, f"Get_{name}"): (False, _constant(SiLAServiceFeature[name], v))
            for name, v in said.items()
        }
        command = SiLAServiceFeature["GetFeatureDefinition"]
        found[_path(of, "GetFeatureDefinition")] = False, self._definition(command)
        return found

    def _definition(self, command: Any) -> Method:
        def answer(request: bytes) -> bytes:
            asked = command.parameters.to_native_type(
                command.parameters.message_type.FromString(request)
            )[0]
            if asked not in self.features:
                raise invalid(command, f"this server has no {asked}")
            return bytes(command.responses.to_message(definition(asked)).SerializeToString())

        return answer

    def _beginner(self, command: Any, act: Callable[..., SilaError | None]) -> Method:
        def answer(request: bytes) -> bytes:
            values = _values(command, request)
            self._count += 1
            self._running = str(uuid5(_NAMESPACE, f"{self.name} {self._count}"))
            error = act(*values)
            if error is not None:
                self.failed[self._running] = error
            which = framework.CommandExecutionUUID(value=self._running)
            said = framework.CommandConfirmation(commandExecutionUUID=which)
            return bytes(said.SerializeToString())

        return answer

    def _info(self, request: bytes) -> bytes:
        which = framework.CommandExecutionUUID.FromString(request).value
        over = which in self.failed or which != self._running
        state = (
            CommandExecutionStatus.finishedWithError if over else CommandExecutionStatus.running
        )
        return bytes(
            framework.ExecutionInfo(commandStatus=cast(Any, state.value)).SerializeToString()
        )

    def _result(self, command: Any) -> Method:
        def answer(request: bytes) -> bytes:
            which = framework.CommandExecutionUUID.FromString(request).value
            if which in self.failed:
                raise self.failed[which]
            return bytes(command.responses.to_message().SerializeToString())

        return answer


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
    """Answers a server's methods, with what goes wrong on the wire."""

    def __init__(self, server: EmulatedServer, faults: Faults) -> None:
        self._methods, self._faults = server.methods(), faults
        self._lock, self._gone = threading.Lock(), False

    def service(self, handler_call_details: Any) -> Any:
        """Return what handles a call; None where there is no such method."""
        found = self._methods.get(handler_call_details.method)
        if found is None:
            return None
        stream, method = found

        def one(request: bytes, context: Any) -> bytes:
            return self._answer(method, request, context)

        def first(request: bytes, context: Any) -> Iterator[bytes]:
            yield self._answer(method, request, context)

        if stream:
            return grpc.unary_stream_rpc_method_handler(first)
        return grpc.unary_unary_rpc_method_handler(one)

    def _answer(self, method: Method, request: bytes, context: Any) -> bytes:
        """Return the message of an answer, or fail as the wire does."""
        own: list[bytes] = []
        errors: list[SilaError] = []

        def framed(asked: bytes) -> bytes:
            try:
                message = method(asked)
            except SilaError as error:
                errors.append(error)
                message = b""
            own.append(bytes(1) + len(message).to_bytes(4, "big") + message)
            return own[-1]

        with self._lock:
            try:
                if self._gone:
                    raise HangUpError(comes_back=False)
                came = self._faults.spoil(request, framed)
            except HangUpError as error:
                self._gone = not error.comes_back
                context.abort(grpc.StatusCode.UNAVAILABLE, "the connection ended")
        if not came:
            _never(context)
        if own and came.endswith(own[-1]):
            came = own[-1]  # what is late belongs to a call that is over
            if errors:
                raise_as_rpc_error(errors[0], context)
        elif len(came) < max(len(own[-1]), _HEADER + 1):
            context.abort(grpc.StatusCode.INTERNAL, "the answer broke off")
        return came[_HEADER:]


class SilaEnd:
    """Servers on ports of this machine (`instruments.wiring.End`).

    Args:
        servers: By the names of their devices.
        said: Faults of their wires, and which of them never hear.
    """

    def __init__(self, servers: Mapping[str, EmulatedServer], said: Part) -> None:
        self.servers = dict(servers)
        self._running: list[tuple[Any, ThreadPoolExecutor]] = []
        addresses = []
        for name, server in self.servers.items():
            server.name = name
            faults = {"lost": 1.0} if name in said.absent else said.faults
            addresses.append(self._serve(server, faults_of(faults, server)))
        self.address = ",".join(addresses)

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move these simulated instruments, by name, from now on."""
        for name, server in self.servers.items():
            server.attach(device[name])

    def close(self) -> None:
        """End the servers and their threads. May be called twice."""
        for server, workers in self._running:
            server.stop(0).wait()
            workers.shutdown()
        self._running = []

    def _serve(self, server: EmulatedServer, faults: Faults) -> str:
        workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"emulator {server.name}")
        made = grpc.server(workers, handlers=[_Handler(server, faults)])
        port = made.add_insecure_port("127.0.0.1:0")
        made.start()
        self._running.append((made, workers))
        return f"127.0.0.1:{port}"


def _never(context: Any) -> None:
    """Wait until the client gives up."""
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait()
    context.abort(grpc.StatusCode.CANCELLED, "nobody waits for this answer")


def _path(of: str, method: str) -> str:
    originator, category, name, version = of.split("/")
    return f"/sila2.{originator}.{category}.{name.lower()}.{version}.{name}/{method}"


def _values(command: Any, request: bytes) -> tuple[Any, ...]:
    message = command.parameters.message_type.FromString(request)
    return tuple(command.parameters.to_native_type(message))


def _reader(child: Any, read: Callable[[], Any]) -> Method:
    return lambda request: bytes(child.to_message(read()).SerializeToString())


def _constant(child: Any, value: Any) -> Method:
    return _reader(child, lambda: value)


def _doer(command: Any, act: Callable[..., Any]) -> Method:
    def answer(request: bytes) -> bytes:
        act(*_values(command, request))
        return bytes(command.responses.to_message().SerializeToString())

    return answer


def invalid(command: Any, why: str) -> ValidationError:
    """Return the refusal of a command's first parameter."""
    error = ValidationError(why)
    parameter = command.parameters.fields[0]
    error.parameter_fully_qualified_identifier = parameter.fully_qualified_identifier
    return error
