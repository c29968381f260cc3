"""Whoever waits longest for a connection has the next one, and none is lost."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orchestrator.ledger._turns import FairPool, Turns

LONG_S = 30.0


def _queued(turns: Turns, order: list[int]) -> list[threading.Thread]:
    """Let threads 0, 1 and 2 wait in this order; each notes that it had its turn."""

    def wait(number: int) -> None:
        assert turns.take(LONG_S)
        order.append(number)
        turns.give()

    threads = []
    for number in range(3):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while turns.waiting <= number:
            threads[-1].join(0.001)
    return threads


def test_a_thread_that_gives_its_place_back_does_not_overtake_those_who_wait() -> None:
    turns = Turns(1)
    order: list[int] = []
    assert turns.take(LONG_S)
    threads = _queued(turns, order)
    turns.give()
    assert turns.take(LONG_S)  # at once, before any of them can have run
    order.append(9)
    turns.give()
    for thread in threads:
        thread.join(LONG_S)
    assert order == [0, 1, 2, 9]


def test_who_gave_up_waiting_is_given_nothing() -> None:
    turns = Turns(1)
    assert turns.take(LONG_S)
    assert not turns.take(0.001)
    turns.give()
    assert turns.waiting == 0
    assert turns.take(0.0), "the place went to somebody who had left"


def _pool(places: int, timeout: float) -> FairPool:
    return FairPool(
        lambda: sqlite3.connect(":memory:", check_same_thread=False), places, 0, timeout=timeout
    )


def test_a_pool_counts_its_connections_through_errors_and_renewal() -> None:
    pool = _pool(2, 0.001)
    held = [pool.connect(), pool.connect()]
    with pytest.raises(PoolTimeoutError, match="all 2 connections"):
        pool.connect()
    held[0].invalidate()
    held[1].detach()
    for each in held:
        each.close()
    again = [pool.connect(), pool.connect()]
    with pytest.raises(PoolTimeoutError):
        pool.connect()
    for each in again:
        each.close()
    pool.dispose()


def test_a_pool_whose_server_refuses_keeps_its_places() -> None:
    def refused() -> sqlite3.Connection:
        raise sqlite3.OperationalError("no server")

    pool = FairPool(refused, 1, 0, timeout=0.001)
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError):
            pool.connect()


def test_many_threads_share_few_connections() -> None:
    pool = _pool(2, LONG_S)

    def use(_: int) -> None:
        for _ in range(50):
            pool.connect().close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert pool.checkedout() == 0
    pool.dispose()
