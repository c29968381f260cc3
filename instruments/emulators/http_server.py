"""An end of a network wire that answers HTTP requests, served by one thread, with faults."""

from __future__ import annotations

import os
import re
import selectors
import socket
import threading
from typing import Protocol

from instruments.emulators.faults import Faults, HangUpError
from instruments.emulators.tcp import reset

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Site(Protocol):
    """Answers requests as a device's server would."""

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Act on a request; return status and body."""
        ...


class HttpServer:
    """A port of this machine with an emulator behind it.

    What is late comes on the connection of its own request, or never: bytes do not change over
    from a closed connection to a new one.

    Args:
        site: Answers.
        faults: What goes wrong on the wire, and when.
    """

    def __init__(self, site: Site, faults: Faults) -> None:
        self._site, self._faults, self._open = site, faults, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake_out, self._wake_in = os.pipe()
        self._got: dict[socket.socket, bytes] = {}
        self._owing: socket.socket | None = None
        self._fresh = b""
        self._thread = threading.Thread(target=self._serve, name=f"emulator {self.address}")
        self._thread.start()

    def close(self) -> None:
        """End the thread and the port. May be called twice."""
        if not self._open:
            return
        self._open = False
        os.write(self._wake_in, b"x")
        self._thread.join()
        for connection in self._got:
            connection.close()
        self._listener.close()
        os.close(self._wake_out)
        os.close(self._wake_in)

    def _serve(self) -> None:
        waiting = selectors.DefaultSelector()
        waiting.register(self._listener, selectors.EVENT_READ)
        waiting.register(self._wake_out, selectors.EVENT_READ)
        with waiting:
            while True:
                for key, _ in waiting.select():
                    if key.fileobj == self._wake_out:
                        return
                    if key.fileobj is self._listener:
                        connection, _ = self._listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        waiting.register(connection, selectors.EVENT_READ)
                        self._got[connection] = b""
                    elif isinstance(key.fileobj, socket.socket):
                        self._hear(key.fileobj, waiting)

    def _hear(self, connection: socket.socket, waiting: selectors.BaseSelector) -> None:
        try:
            got = connection.recv(65536)
            self._got[connection] += got
            while got and (request := self._next(connection)):
                connection.sendall(self._reply(connection, request))
        except HangUpError as error:
            reset(connection)
            got = b""
            if not error.comes_back:
                waiting.unregister(self._listener)
                self._listener.close()
        except OSError:
            got = b""
        if not got:
            waiting.unregister(connection)
            del self._got[connection]
            connection.close()

    def _next(self, connection: socket.socket) -> bytes:
        got = self._got[connection]
        head, end, _ = got.partition(b"\r\n\r\n")
        if not end:
            return b""
        found = _LENGTH.search(head)
        whole = len(head) + 4 + (int(found[1]) if found else 0)
        if len(got) < whole:
            return b""
        self._got[connection] = got[whole:]
        return got[:whole]

    def _reply(self, connection: socket.socket, request: bytes) -> bytes:
        self._fresh = b""
        sent = self._faults.spoil(request, self._answer)
        if self._owing is not connection and sent.endswith(self._fresh):
            sent = sent[len(sent) - len(self._fresh) :]
        self._owing = None if sent else connection
        return sent

    def _answer(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        method, path = head.split(b" ", 2)[:2]
        status, said = self._site.respond(method.decode(), path.decode(), body)
        self._fresh = (
            b"HTTP/1.1 %d .\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (status, len(said))
        ) + said
        return self._fresh
