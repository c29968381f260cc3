"""The far end of a TCP wire that an emulator answers on, served by a thread."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from instruments.emulators.faults import Faults, HangUpError, NoFaults, faults_of


class Framed(Protocol):
    """Answers telegrams that say themselves how long they are."""

    def cut(self, got: bytes) -> tuple[bytes, bytes]:
        """Return the first whole request of what came, empty if there is none, and the rest."""
        ...

    def answer(self, request: bytes) -> bytes:
        """Act on a request and return the bytes that the device sends."""
        ...

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on."""
        ...


class TcpServer:
    """A port of this machine with an emulator behind it (`instruments.wiring.End`).

    Args:
        emulator: Answers.
        faults: What goes wrong on the wire, and when.
    """

    def __init__(self, emulator: Framed, faults: Faults | None = None) -> None:
        self._emulator, self._faults = emulator, faults or NoFaults()
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        self._wake_out, self._wake_in = socket.socketpair()
        self._hung_up = threading.Event()
        self._got: dict[socket.socket, bytes] = {}
        self._thread = threading.Thread(target=self._serve, name=f"emulator {self.address}")
        self._open = True
        self._thread.start()

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Move this simulated instrument from now on."""
        self._emulator.attach(device, now)

    def hang_up(self) -> None:
        """End every connection, as a device does that loses its power; new ones are taken."""
        self._hung_up.clear()
        self._wake_in.send(b"h")
        self._hung_up.wait()

    def close(self) -> None:
        """End the thread and the port. May be called twice."""
        if not self._open:
            return
        self._open = False
        self._wake_in.send(b"x")
        self._thread.join()
        for end in (self._listener, self._wake_in, self._wake_out):
            end.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            waiting.register(self._wake_out, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    end = key.fileobj
                    if end is self._listener:
                        self._accept(waiting)
                    elif end is self._wake_out:
                        said = self._wake_out.recv(1)
                        for near in list(self._got):
                            self._drop(waiting, near)
                        self._hung_up.set()
                        if said == b"x":
                            return
                    elif isinstance(end, socket.socket) and end in self._got:
                        self._hear(waiting, end)

    def _accept(self, waiting: selectors.BaseSelector) -> None:
        near, _ = self._listener.accept()
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got[near] = b""
        waiting.register(near, selectors.EVENT_READ)

    def _drop(self, waiting: selectors.BaseSelector, near: socket.socket) -> None:
        waiting.unregister(near)
        del self._got[near]
        near.close()

    def _hear(self, waiting: selectors.BaseSelector, near: socket.socket) -> None:
        try:
            data = near.recv(65536)
            got = self._got[near] + data
            while True:
                request, got = self._emulator.cut(got)
                if not request:
                    break
                near.sendall(self._faults.spoil(request, self._emulator.answer))
        except HangUpError as error:
            reset(near)
            data = b""
            if not error.comes_back:
                waiting.unregister(self._listener)
                self._listener.close()
        except OSError:
            data = b""
        if not data:
            self._drop(waiting, near)
            return
        self._got[near] = got


def reset(near: socket.socket) -> None:
    """See that closing a connection resets it, as one does whose device lost its power."""
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tcp_end(emulator: Framed, faults: Mapping[str, float]) -> TcpServer:
    """Return the far end of a TCP wire with the faults that a station file asks for."""
    return TcpServer(emulator, faults_of(faults, emulator))
