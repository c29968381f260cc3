"""One seam for heavy computing: this process, a pool of processes, or a Ray cluster.

A function that is submitted is importable by name; it, its arguments and its result can be
pickled. Results come in the order of submission wherever they are made, an error has the type that
the function raised, and whatever runs a function does so with one thread for its numerical
libraries: so the same calls give the same results everywhere.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, TypeVar

from orchestrator.errors import DotpilotError, InputRefusedError, RemoteError

T = TypeVar("T")
ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_environment = threading.Lock()


class Executor(ABC):
    """Runs functions, here or elsewhere.

    Leaving the context waits for what was submitted; leaving it by an error or Ctrl-C gives up
    what is not done, and leaves no process behind.
    """

    @abstractmethod
    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Future[T]:
        """Begin a call; the future gives its result or raises its error."""

    def map(self, function: Callable[..., T], /, *columns: Iterable[Any]) -> Iterator[T]:
        """Call a function on each row of `columns`; yield the results in the rows' order.

        Raises:
            DotpilotError: what ran the function died.
            Exception: the first row's error whose call failed.
        """
        futures = [self.submit(function, *row) for row in zip(*columns, strict=True)]
        for future in futures:
            yield _result_of(future)

    def completed(self, function: Callable[..., T], /, *columns: Iterable[Any]) -> Iterator[T]:
        """As `map`, but yield each result as soon as it is there."""
        futures = [self.submit(function, *row) for row in zip(*columns, strict=True)]
        for future in as_completed(futures):
            yield _result_of(future)

    @abstractmethod
    def close(self, *, give_up: bool = False) -> None:
        """Wait for what was submitted, or give it up; may be called twice."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(give_up=error is not None)


def _result_of(future: Future[T]) -> T:
    try:
        return future.result()
    except BrokenExecutor as error:
        raise DotpilotError(
            "a process of the pool died before its task was done (killed, or out of memory?); "
            "run it again with fewer --jobs"
        ) from error


def open_executor(
    jobs: int | None = None, ray: str | None = None, *, tasks: int | None = None
) -> Executor:
    """Choose where calls run.

    Args:
        jobs: How many processes; the number of cores where left out, and 1 stays in this process.
        ray: Address of a Ray cluster instead; "auto" finds the one of this machine, or starts one.
        tasks: How many calls there will be, where known: no more processes are started.

    Raises:
        InputRefusedError: both `jobs` and `ray`, or Ray is not installed.
        RemoteError: the cluster cannot be reached.
    """
    if ray is not None:
        if jobs is not None:
            raise InputRefusedError(
                f"--jobs counts processes of this machine, but --ray {ray} lets the cluster "
                "decide; leave one of them out"
            )
        return RayExecutor(ray)
    count = jobs or os.cpu_count() or 1
    if tasks is not None:
        count = min(count, tasks)
    return InlineExecutor() if count <= 1 else PoolExecutor(count)


class InlineExecutor(Executor):
    """Calls in this process, when they are submitted."""

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Future[T]:
        """Make the call at once."""
        future: Future[T] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def map(self, function: Callable[..., T], /, *columns: Iterable[Any]) -> Iterator[T]:
        """Call row by row; nothing is called after an error."""
        for row in zip(*columns, strict=True):
            yield function(*row)

    completed = map

    def close(self, *, give_up: bool = False) -> None:
        """Nothing is left to wait for."""


class PoolExecutor(Executor):
    """A pool of fresh processes of one numerical thread each; none outlives this one."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._theirs, self._ours = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(self._theirs,)
        )

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Future[T]:
        """Hand the call to the next free process."""
        with _starting():
            return self._pool.submit(function, *arguments)

    def close(self, *, give_up: bool = False) -> None:
        """Join the processes; when giving up, those that still work end at once."""
        if give_up:
            self._ours.close()
        self._pool.shutdown(wait=True, cancel_futures=give_up)
        self._ours.close()
        self._theirs.close()


@contextmanager
def _starting() -> Iterator[None]:
    """Let a process that starts meanwhile inherit one thread, and no Ctrl-C."""
    with _environment:
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _begin(line: Connection) -> None:
    """Prepare a process of the pool: Ctrl-C is its parent's, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()


def _end_with(line: Connection) -> None:
    """End this process when nobody holds the other end of the line any more."""
    line.poll(None)
    os._exit(1)


class RayExecutor(Executor):
    """Tasks of one core each on a Ray cluster whose nodes have the same dotpilot installed."""

    def __init__(self, address: str) -> None:
        # Ray reports on its users over the network unless it is told not to
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise InputRefusedError(
                "--ray needs Ray, which is not installed here: pip install 'dotpilot[cluster]'"
            ) from error
        self._ray: Any = ray
        if address != "auto":
            _reach(address)
        try:
            ray.init(
                address=None if address == "auto" else address,
                runtime_env={"env_vars": dict(ONE_THREAD)},
                include_dashboard=False if address == "auto" else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RemoteError(f"the Ray cluster {address!r} cannot be used: {error}") from error
        self._remote = ray.remote(num_cpus=1, max_retries=3)(_call)
        self._waiting: dict[Future[Any], Any] = {}

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Future[T]:
        """Queue the call on the cluster."""
        reference = self._remote.remote(function, arguments)
        future: Future[T] = Future()
        self._waiting[future] = reference
        reference.future().add_done_callback(lambda inner: self._settle(future, inner))
        return future

    def _settle(self, future: Future[Any], inner: Future[Any]) -> None:
        self._waiting.pop(future, None)
        if not future.set_running_or_notify_cancel():
            return
        error = inner.exception()
        if error is None:
            future.set_result(inner.result())
            return
        cause = getattr(error, "cause", None)  # what the function itself raised
        future.set_exception(cause if isinstance(cause, Exception) else _died(error))

    def close(self, *, give_up: bool = False) -> None:
        """Wait, or cancel what is not done; then leave the cluster, or stop our own."""
        for future, reference in list(self._waiting.items()):
            if give_up:
                future.cancel()
                self._ray.cancel(reference, force=True)
            else:
                future.exception()
        self._ray.shutdown()


def _reach(address: str) -> None:
    """Look whether anybody listens: Ray itself tries for minutes, and then ends the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10.0).close()
    except (OSError, ValueError) as error:
        raise RemoteError(
            "--ray must be auto or the HOST:PORT of a cluster that can be reached, but got "
            f"{address!r}: {error}"
        ) from error


def _call(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    return function(*arguments)


def _died(error: BaseException) -> DotpilotError:
    return DotpilotError(f"the Ray cluster did not finish a task: {error}")
