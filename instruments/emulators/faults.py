"""What goes wrong on a wire, scripted by a seed: mute, half an answer, garbage, a lost request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import numpy as np

from instruments.errors import InstrumentError

Kind = Literal["lost", "mute", "half", "garbage", "late"]
KINDS: tuple[Kind, ...] = ("lost", "mute", "half", "garbage", "late")
Answer = Callable[[bytes], bytes]


class Faults(Protocol):
    """Stands between a wire and an emulator."""

    def spoil(self, request: bytes, answer: Answer) -> bytes:
        """Return what the wire delivers of the answer to a request."""
        ...


class NoFaults:
    """A wire without faults."""

    def spoil(self, request: bytes, answer: Answer) -> bytes:
        """Return the answer."""
        return answer(request)


class ScriptedFaults:
    """Faults drawn from a seed, each with its probability for a telegram.

    `lost`: the device never hears. `mute`: it acts and does not answer. `half`: half an answer.
    `garbage`: an answer of random bytes as long. `late`: the answer comes with the next one's.

    Args:
        seed: Of the draws.
        rates: Probability of each kind; those left out never happen.
        spare: Telegrams that are left alone at first, so that a device can be identified.

    Attributes:
        told: What happened: (telegram, kind), telegrams counted from 1.
    """

    def __init__(self, seed: int, rates: Mapping[Kind, float], spare: int = 0) -> None:
        self._draw = np.random.default_rng(seed)
        self._rates, self._spare, self._count = dict(rates), spare, 0
        self._held = b""
        self.told: list[tuple[int, Kind]] = []

    def spoil(self, request: bytes, answer: Answer) -> bytes:
        """Return what the wire delivers; every telegram draws once, whatever happens to it."""
        self._count += 1
        kind = self._kind(float(self._draw.uniform()))
        if kind is None or self._count <= self._spare:
            held, self._held = self._held, b""
            return held + answer(request)
        self.told.append((self._count, kind))
        return self._spoilt(kind, request, answer)

    def _kind(self, drawn: float) -> Kind | None:
        for kind in KINDS:
            drawn -= self._rates.get(kind, 0.0)
            if drawn < 0.0:
                return kind
        return None

    def _spoilt(self, kind: Kind, request: bytes, answer: Answer) -> bytes:
        if kind == "lost":
            return b""
        reply = answer(request)
        if kind == "late":
            self._held += reply
            return b""
        if kind == "half":
            return reply[: len(reply) // 2]
        if kind == "garbage":
            return self._draw.integers(0x80, 0xFF, len(reply), dtype=np.uint8).tobytes()
        return b""


def faults_of(said: Mapping[str, float]) -> Faults:
    """Return the faults that a station file asks for: `seed`, `spare` and rates by kind.

    Raises:
        InstrumentError: a kind that does not exist, or rates that are no probabilities.
    """
    rates = {k: v for k, v in said.items() if k not in ("seed", "spare")}
    unknown = sorted(set(rates) - set(KINDS))
    if unknown or any(v < 0.0 for v in rates.values()) or sum(rates.values()) > 1.0:
        raise InstrumentError(
            f"faults are a seed, spare and probabilities of {', '.join(KINDS)} that add up to at "
            f"most 1, but got {dict(said)}"
        )
    if not rates:
        return NoFaults()
    known = {kind: rates[kind] for kind in KINDS if kind in rates}
    return ScriptedFaults(int(said.get("seed", 0)), known, int(said.get("spare", 0)))
