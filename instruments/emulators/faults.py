"""What goes wrong with an emulated device, scripted by a seed: its wire, itself, what it moves.

Faults of wire and device are probabilities for a telegram. Those of matter are rates per hour on
the plant's clock; the simulated line behind the device acts them out (`instruments.troubles`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np

from instruments.errors import InstrumentError

Kind = Literal[
    "lost", "mute", "half", "garbage", "late",
    "end_of_file", "stall", "empty", "power_cycle", "wrong_unit", "open_sensor",
]  # fmt: skip
WIRE: tuple[Kind, ...] = ("lost", "mute", "half", "garbage", "late", "end_of_file")
DEVICE: tuple[Kind, ...] = ("stall", "empty", "power_cycle", "wrong_unit", "open_sensor")
KINDS: tuple[Kind, ...] = WIRE + DEVICE
MATTER = ("clog", "bubble", "lamp_drift")
_SAID_BESIDES = ("seed", "spare", "comes_back")
Answer = Callable[[bytes], bytes]


class HangUpError(Exception):
    """The far end is to close the connection instead of answering.

    Attributes:
        comes_back: Whether it can be connected to again.
    """

    def __init__(self, comes_back: bool) -> None:
        self.comes_back = comes_back
        super().__init__("the emulated device hangs up")


class Faults(Protocol):
    """Stands between a wire and an emulator."""

    def spoil(self, request: bytes, answer: Answer) -> bytes:
        """Return what the wire delivers of the answer to a request; may raise `HangUpError`."""
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
    `end_of_file`: it acts, and the connection ends instead of an answer. Every other kind befalls
    the device just before it hears the telegram.

    Args:
        seed: Of the draws.
        rates: Probability of each kind; those left out never happen.
        spare: Telegrams that are left alone at first, so that a device can be identified.
        suffer: Lets a kind befall the device that a telegram is for.
        comes_back: Whether a device that hung up can be connected to again.

    Attributes:
        told: What happened: (telegram, kind), telegrams counted from 1.
    """

    def __init__(
        self,
        seed: int,
        rates: Mapping[Kind, float],
        spare: int = 0,
        suffer: Callable[[Kind, bytes], None] | None = None,
        comes_back: bool = True,
    ) -> None:
        self._draw = np.random.default_rng(seed)
        self._rates, self._spare, self._count = dict(rates), spare, 0
        self._suffer, self._comes_back = suffer, comes_back
        self._held = b""
        self.told: list[tuple[int, Kind]] = []

    def spoil(self, request: bytes, answer: Answer) -> bytes:
        """Return what the wire delivers; every telegram draws once, whatever happens to it."""
        self._count += 1
        kind = self._kind(float(self._draw.uniform()))
        if kind is None or self._count <= self._spare:
            return self._passed(request, answer)
        self.told.append((self._count, kind))
        if kind in DEVICE:
            if self._suffer is not None:
                self._suffer(kind, request)
            return self._passed(request, answer)
        return self._spoilt(kind, request, answer)

    def _passed(self, request: bytes, answer: Answer) -> bytes:
        held, self._held = self._held, b""
        return held + answer(request)

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
        if kind == "end_of_file":
            self._held = b""
            raise HangUpError(self._comes_back)
        if kind == "late":
            self._held += reply
            return b""
        if kind == "half":
            return reply[: len(reply) // 2]
        if kind == "garbage":
            return self._draw.integers(0x80, 0xFF, len(reply), dtype=np.uint8).tobytes()
        return b""


def suffered_by(emulator: Any) -> tuple[str, ...]:
    """Return the kinds, besides those of every wire, that an emulator or its plant knows."""
    return tuple(getattr(emulator, "suffers", ()))


def faults_of(said: Mapping[str, float], emulator: Any = None) -> Faults:
    """Return the faults that a station file asks for: `seed`, `spare` and rates by kind.

    Args:
        said: As the station file has them; rates of matter are the plant's business.
        emulator: Whom they befall: `suffers` names what it knows, `suffer(kind, telegram)` acts.

    Raises:
        InstrumentError: a kind that the device does not know, or rates that are none.
    """
    known = (*WIRE, *suffered_by(emulator))
    rates = {k: v for k, v in said.items() if k not in _SAID_BESIDES}
    telegram = {k: v for k, v in rates.items() if k not in MATTER}
    wrong = sorted(set(rates) - set(known)) or any(v < 0.0 for v in rates.values())
    if wrong or sum(telegram.values()) > 1.0:
        raise InstrumentError(
            f"faults of this part are {', '.join(_SAID_BESIDES)} and {', '.join(known)}; those "
            f"of {', '.join(MATTER)} are rates per hour, the others probabilities for a telegram "
            f"that add up to at most 1; but got {dict(said)}"
        )
    if not telegram:
        return NoFaults()
    return ScriptedFaults(
        int(said.get("seed", 0)),
        {kind: telegram[kind] for kind in KINDS if kind in telegram},
        int(said.get("spare", 0)),
        getattr(emulator, "suffer", None),
        bool(said.get("comes_back", 1.0)),
    )
