"""A process of its own for a library that may hang, spin or crash: it can be killed.

The host process serves one object. Requests and answers go over a socket pair; a thread of the
host sends heartbeats while a request is worked on and ends the process when its parent is gone.
A request past its time, or a host without heartbeat, is killed; the next `open` starts another.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any

from instruments.drivers.transcript import Transcript
from instruments.errors import DeviceFaultError, DeviceTimeoutError, InstrumentError

_MODULE = "instruments.drivers.host"
BEAT = 0.5  # s between heartbeats
SILENCE = 10.0  # s without heartbeat that mean a frozen host; assumed: twenty beats
START = 30.0  # s that a host may take to import its library on a busy machine (assumed)
GRACE = 2.0  # s that a host has to close its device before it is killed (assumed)


class DeviceHost:
    """The parent's end of a host process.

    Args:
        name: Of the device, for messages.
        factory: `module:callable` that makes the served object in the host process.
        arguments: What the factory is called with; must be picklable.
        transcript: Keeps what the object's `wire_notes()` returns, if it has that.
        silence: Time without heartbeat that means a frozen host [s].
    """

    def __init__(
        self,
        name: str,
        factory: str,
        arguments: Sequence[Any],
        transcript: Transcript | None = None,
        *,
        silence: float = SILENCE,
    ) -> None:
        self._name, self._transcript, self._silence = name, transcript, silence
        self._factory, self._arguments = factory, tuple(arguments)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the host; None while there is none."""
        return None if self._process is None else self._process.pid

    def open(self) -> None:
        """Start the host unless it runs.

        Raises:
            InstrumentError: the served object cannot be made.
            DeviceTimeoutError: the host does not come up in time.
        """
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            self._kill()
            near, far = socket.socketpair()
            with far:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", _MODULE, str(far.fileno())],
                    pass_fds=[far.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={
                        **os.environ,
                        "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
                    },
                )
            self._line = Connection(near.detach())
            try:
                # it beats once its interpreter has started, which may take its time
                self._ask((self._factory, self._arguments, START), START, START)
            except InstrumentError:
                self._kill()
                raise

    def call(self, method: str, *arguments: Any, timeout: float) -> Any:
        """Call a method of the served object and return what it returns.

        Args:
            method: Its name.
            arguments: What it is called with; picklable.
            timeout: Longest wait [s]; then the host is killed.

        Raises:
            InstrumentError: what the method raised, if it is one of ours.
            DeviceTimeoutError: no answer in time, or the host died; it is gone, open another.
            DeviceFaultError: any other exception of the method.
        """
        with self._lock:
            return self._ask((method, arguments, timeout), timeout, self._silence)

    def close(self) -> None:
        """Let the host close its device and end, or kill it. May be called twice."""
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None
            if self._process is not None:
                try:
                    self._process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    self._process.kill()
            self._kill()

    def _ask(self, request: tuple[Any, ...], timeout: float, silence: float) -> Any:
        if self._line is None:
            raise DeviceTimeoutError(
                f"{self._name} must have a running host process, but it has ended; open it again"
            )
        try:
            self._line.send(request)
            kind, value, notes = self._answer(self._line, timeout, silence)
        except (EOFError, OSError) as error:
            self._kill()
            raise DeviceTimeoutError(
                f"the host process of {self._name} died over {request[0]!r} ({error!r}); what "
                "the device did is unknown, look at it and repeat"
            ) from error
        except BaseException:
            self._kill()  # an answer that nobody waits for must not meet the next request
            raise
        if self._transcript is not None:
            for sent, data in notes:
                self._transcript.note(self._name, sent, data)
        if kind == "error":
            raise value
        return value

    def _answer(
        self, line: Connection, timeout: float, silence: float
    ) -> tuple[str, Any, list[Any]]:
        began = heard = monotonic()
        while True:
            now = monotonic()
            left = min(began + timeout - now, heard + silence - now)
            if left <= 0.0:
                raise DeviceTimeoutError(
                    f"{self._name} must answer within {timeout:g} s and its host beat every "
                    f"{BEAT:g} s, but its library hangs; the host process was killed, so the "
                    "device's state is unknown: look at it"
                )
            if line.poll(left):
                found: tuple[str, Any, list[Any]] = line.recv()
                heard = monotonic()
                if found[0] != "beat":
                    return found

    def _kill(self) -> None:
        """End the process, if any, and forget it."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class _Served:
    """The host's end: a thread that listens and beats, and the main thread that works."""

    def __init__(self, line: Connection) -> None:
        self._line, self._sending = line, threading.Lock()
        self._requests: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._busy = threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        served: Any = None
        while (request := self._requests.get()) is not None:
            what, arguments, limit = request
            # Ends the process even if a library holds the interpreter, orphaned or not.
            faulthandler.dump_traceback_later(limit + GRACE, exit=True)
            try:
                if served is None:
                    served = _made(what)(*arguments)
                    answer: tuple[str, Any] = ("value", None)
                else:
                    answer = ("value", getattr(served, what)(*arguments))
            except Exception as error:
                answer = ("error", _ours(error))
            faulthandler.cancel_dump_traceback_later()
            self._busy.clear()
            notes = served.wire_notes() if hasattr(served, "wire_notes") else []
            self._send((*answer, notes))
        if hasattr(served, "close"):
            served.close()

    def _listen(self) -> None:
        while True:
            try:
                if self._line.poll(BEAT):
                    request = self._line.recv()
                    self._busy.set()  # before the work, so that no parent's end is missed
                    self._requests.put(request)
                elif self._busy.is_set():
                    self._send(("beat", None, []))
            except (EOFError, OSError):
                break
        if self._busy.is_set():
            os._exit(0)  # the parent is gone: nobody waits for what hangs here
        self._requests.put(None)

    def _send(self, message: tuple[Any, ...]) -> None:
        try:
            with self._sending:
                self._line.send(message)
        except OSError:
            os._exit(0)


def _made(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _ours(error: Exception) -> InstrumentError:
    """The exception as the parent may raise it."""
    if isinstance(error, InstrumentError):
        return type(error)(*error.args)
    if isinstance(error, TimeoutError):
        return DeviceTimeoutError(f"the library gave up waiting: {error}; look at the device")
    return DeviceFaultError(
        f"the device's library failed with {type(error).__name__}: {error}; its state is unknown"
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it ends
    _Served(Connection(int(sys.argv[1]))).run()
