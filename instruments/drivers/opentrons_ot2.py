"""Opentrons OT-2 pipetting robot, through PyLabRobot's backend and its tip and volume tracking.

A p300 and a p20 (second generation, one channel) pipette what `instruments.plate_deck` says.
PyLabRobot decides tips, pipettes and coordinates; `RobotServer` carries them to the robot. Not
verified on hardware.
"""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pylabrobot.liquid_handling import LiquidHandler
from pylabrobot.liquid_handling.backends import OpentronsOT2ChatterboxBackend
from pylabrobot.liquid_handling.errors import NoChannelError
from pylabrobot.liquid_handling.standard import Mix
from pylabrobot.resources import Container, set_tip_tracking, set_volume_tracking
from pylabrobot.resources.errors import (
    HasTipError,
    NoTipError,
    TooLittleLiquidError,
    TooLittleVolumeError,
)

from instruments import plate_deck
from instruments.drivers.coroutines import LoopThread
from instruments.drivers.driver import identity
from instruments.drivers.labware import dressed_deck
from instruments.drivers.robot_server import RobotServer
from instruments.emulators.opentrons_ot2 import RobotEnd
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)
from instruments.procedures.plate import WellPlan, well_name
from instruments.stopping import PATIENCE
from instruments.wiring import Connection, DriverKind, Part

DRIVER, VERSION = "opentrons_ot2", "1"
TIMEOUT = 30.0  # s; what Opentrons' client gives a command
LARGE, SMALL = "p300_single_gen2", "p20_single_gen2"
LEAST, HANDOVER, MOST = 10, 200, 3000
"""Tenths of a µL: least and most of the p20, which is the least of the p300, and most of that."""
TIPS = 96  # of a rack
MIXING = Mix(volume=20.0, repetitions=3, flow_rate=7.56)
"""Of a vial before it is drawn from (assumed; the p20's own dispense rate)."""
_ABOVE = 0.9  # of a container's depth, where liquid is let go without touching
_OVER_BOTTOM = 1.0  # mm, where liquid is drawn
_WHOLE_FILL = 3600.0  # s; each command has its own, shorter bound
_TRACKED = (HasTipError, NoTipError, TooLittleLiquidError, TooLittleVolumeError, NoChannelError)


class WiredBackend(OpentronsOT2ChatterboxBackend):  # type: ignore[misc]  # partly untyped
    """PyLabRobot's OT-2 backend on a robot server instead of its recorder.

    Args:
        server: Carries the calls.
    """

    def __init__(self, server: RobotServer) -> None:
        super().__init__(LARGE, SMALL, verbose=False)
        self._ot = server


class OpentronsOT2:
    """The robot as the plate procedure sees it.

    Args:
        name: Name of the instrument in the record.
        server: Its wire.
        volumes: What may be drawn of each liquid of a dressed deck [µL].
        used_tips: Tips that the vials' rack of a dressed deck lacks.
        emulated: Whether an emulator answers.
    """

    def __init__(
        self,
        name: str,
        server: RobotServer,
        volumes: Mapping[str, float],
        used_tips: int = 0,
        *,
        emulated: bool,
    ) -> None:
        self.name, self.wire, self._emulated = name, server, emulated
        self._volumes, self._used_tips = dict(volumes), used_tips
        self._lock, self._loop = threading.Lock(), LoopThread(name)
        self._handler: LiquidHandler | None = None
        self._filled: list[int] = []

    def identify(self) -> Mapping[str, Any]:
        """Ask for model, serial number and software."""
        said = self.wire.get()
        return identity(
            self.name,
            model=str(said.get("robot_model", "OT-2")),
            serial=str(said.get("robot_serial", "")),
            firmware=str(said.get("api_version", "")),
            driver=DRIVER,
            version=VERSION,
            emulated=self._emulated,
        )

    def new_plate(self, plans: Sequence[WellPlan]) -> None:
        """Take up a freshly dressed deck, if it suffices for wells of these plans.

        Raises:
            DeviceRefusedError: it does not, with all reasons; nothing has moved.
            DeviceFaultError: other pipettes than a p300 on the left and a p20 on the right.
            DeviceTimeoutError: no answer.
        """
        problems = shortfalls(plans, self._volumes, self._used_tips)
        if problems:
            raise DeviceRefusedError(
                f"a plate must be finished with what stands on the deck, but {'; '.join(problems)}"
            )
        set_tip_tracking(True)
        set_volume_tracking(True)
        with self._lock:
            self._handler, self._filled = None, []
            backend = WiredBackend(self.wire)
            deck = dressed_deck(self._volumes, self._used_tips)
            handler = LiquidHandler(backend=backend, deck=deck)
            self._do(handler.setup())
            mounted = [
                (p or {}).get("name") for p in (backend.left_pipette, backend.right_pipette)
            ]
            if mounted != [LARGE, SMALL]:
                raise DeviceFaultError(
                    f"the robot must have {LARGE} on its left and {SMALL} on its right, but has "
                    f"{mounted}; mount them"
                )
            self._handler = handler

    def fill(self, well: int, plan: WellPlan) -> None:
        """Mix the precursor of a plan in the next vial, fill a well and inject.

        Raises:
            DeviceRefusedError: no plate, a well that is filled, too little liquid, no tip.
            DeviceFaultError: the robot did something else.
            DeviceTimeoutError: no answer; where the liquid is, is unknown.
        """
        with self._lock:
            handler = self._handler
            if handler is None or well in self._filled:
                raise DeviceRefusedError(
                    f"well {well_name(well)} must be an empty one of a plate taken up, but it is "
                    "filled or the robot was stopped; take a new plate"
                )
            if self._used_tips + len(self._filled) >= TIPS:
                raise DeviceRefusedError(
                    f"each well needs a tip of its own, but all {TIPS} are used; take a new plate"
                )
            self._handler = None
            self._do(self._steps(handler, well, plan))
            self._filled.append(well)
            self._handler = handler

    async def _steps(self, handler: LiquidHandler, well: int, plan: WellPlan) -> None:
        turn = len(self._filled)
        rack, place = divmod(turn, plate_deck.VIALS_PER_SLOT)
        vial = handler.deck.get_resource(f"vials_{rack + 1}").get_item(place)
        target = handler.deck.get_resource("plate").get_item(well_name(well))
        for liquid, volume in plate_deck.portions(plan).items():
            await _from_source(handler, liquid, volume, vial)
        caesium = plate_deck.CAESIUM[plan.antisolvent]
        await _from_source(handler, caesium, plan.antisolvent_volume, target)
        tip = handler.deck.get_resource("tips_vials").get_item(self._used_tips + turn)
        await handler.pick_up_tips([tip], use_channels=[1])
        await _draw(handler, 1, vial, plan.injected, MIXING)
        await _give(handler, 1, target, plan.injected)
        await handler.drop_tips([tip], use_channels=[1])

    def confirm(self) -> None:
        """Every stroke is answered for when it is done, so nothing is held between."""

    def halt(self) -> None:
        """Stop the run over a connection of its own, whatever is under way."""
        if self.wire.run_id is None:
            return
        other = RobotServer(self.wire.name, PATIENCE)
        other.run_id = self.wire.run_id
        try:
            other.stop_run()
        finally:
            other.close()

    def to_safe_state(self) -> None:
        """Stop the run, or see that the robot is there; a new plate is needed afterwards."""
        self._handler = None
        self.wire.stop_run()
        self.wire.get()

    def close(self) -> None:
        """Let go of the robot. May be called twice."""
        self.wire.close()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._loop.run(work, _WHOLE_FILL)
        except InstrumentError:
            raise
        except _TRACKED as error:
            raise DeviceRefusedError(
                f"{self.name} was not told to: {error!r}; liquid may have moved before, take a "
                "new plate"
            ) from error
        except OSError as error:
            raise DeviceTimeoutError(f"{self.name} broke off: {error}; look at it") from error
        except (AssertionError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise DeviceFaultError(
                f"{self.name} could not be driven: {error!r}; look at the deck"
            ) from error


def chunks(volume: float) -> list[float]:
    """Divide a volume [µL] into strokes of one pipette, in tenths of a µL."""
    tenths = round(10.0 * volume)
    if abs(10.0 * volume - tenths) > 1e-6 or tenths < LEAST:
        raise DeviceRefusedError(
            f"the pipettes deliver {LEAST / 10.0:g} µL or more in tenths, but {volume} µL came"
        )
    strokes = -(-tenths // MOST)
    least, more = divmod(tenths, strokes)
    return [(least + (i < more)) / 10.0 for i in range(strokes)]


async def _from_source(
    handler: LiquidHandler, liquid: str, volume: float, into: Container
) -> None:
    """Carry a liquid with the tip that serves it alone, without touching what it goes into."""
    slot, place = plate_deck.places()[liquid]
    source = handler.deck.get_resource(plate_deck.SLOTS[slot]).get_item(place)
    strokes = chunks(volume)
    channel = 1 if round(10.0 * volume) <= HANDOVER else 0
    rack = handler.deck.get_resource("tips_20" if channel else "tips_300")
    tip = rack.get_item(plate_deck.LIQUIDS.index(liquid))
    await handler.pick_up_tips([tip], use_channels=[channel])
    for stroke in strokes:
        await _draw(handler, channel, source, stroke)
        await _give(handler, channel, into, stroke)
    await handler.drop_tips([tip], use_channels=[channel])


async def _draw(
    handler: LiquidHandler, channel: int, source: Container, volume: float, mix: Mix | None = None
) -> None:
    await handler.aspirate(
        [source],
        [volume],
        use_channels=[channel],
        liquid_height=[_OVER_BOTTOM],
        mix=None if mix is None else [mix],
    )


async def _give(handler: LiquidHandler, channel: int, into: Container, volume: float) -> None:
    height = _ABOVE * into.get_size_z()
    await handler.dispense([into], [volume], use_channels=[channel], liquid_height=[height])


def shortfalls(
    plans: Sequence[WellPlan], volumes: Mapping[str, float], used_tips: int
) -> list[str]:
    """Every reason why a plate of these plans cannot be finished."""
    found = [
        f"{name} falls {needed - volumes[name]:.1f} µL short of {needed:.1f} µL"
        for name, needed in plate_deck.demands(plans).items()
        if needed > volumes[name]
    ]
    if len(plans) > 96 - used_tips:
        found.append(
            f"{len(plans)} wells need as many tips of 20 µL, and {96 - used_tips} are left"
        )
    for number, plan in enumerate(plans, 1):
        asked = (*plate_deck.portions(plan).values(), plan.antisolvent_volume, plan.injected)
        low = [f"{v:g}" for v in asked if v < LEAST / 10.0]
        if low:
            found.append(
                f"recipe {number} asks for {', '.join(low)} µL, less than a pipette holds"
            )
        if plan.vial > plate_deck.VIAL_CAPACITY:
            found.append(
                f"recipe {number} mixes {plan.vial:.0f} µL in a vial of "
                f"{plate_deck.VIAL_CAPACITY:.0f} µL"
            )
        if plan.injected > HANDOVER / 10.0:
            found.append(f"recipe {number} injects {plan.injected:g} µL, more than a p20 holds")
        if plan.antisolvent_volume + plan.injected > plate_deck.WELL_CAPACITY:
            found.append(f"recipe {number} overfills a well of {plate_deck.WELL_CAPACITY:g} µL")
    return found


class Settings(BaseModel):
    """What a robot needs besides its address.

    Attributes:
        volumes: What may be drawn of a liquid of a dressed deck [µL], by its name; full troughs
            and tanks, if left out.
        used_tips: Tips that the vials' rack lacks, from its first.
    """

    model_config = ConfigDict(extra="forbid")

    volumes: dict[str, float] = {}
    used_tips: int = Field(default=0, ge=0, le=TIPS)

    def dressed(self) -> dict[str, float]:
        """Return the volume of every liquid.

        Raises:
            InstrumentError: a liquid that the deck has not, or more than it holds.
        """
        whole = plate_deck.full()
        wrong = [n for n, v in self.volumes.items() if n not in whole or not 0.0 <= v <= whole[n]]
        if wrong:
            raise InstrumentError(
                f"volumes are those of {', '.join(f'{n} (to {v:g} µL)' for n, v in whole.items())}"
                f", but got {', '.join(wrong)}"
            )
        return {**whole, **self.volumes}


def _connect(connection: Connection) -> dict[str, OpentronsOT2]:
    (name,) = connection.names
    server = RobotServer(
        connection.address, connection.said.timeout or TIMEOUT, connection.transcript
    )
    settings = connection.settings
    robot = OpentronsOT2(
        "pipetting_robot",
        server,
        settings.dressed(),
        settings.used_tips,
        emulated=connection.emulated,
    )
    return {name: robot}


def _emulate(said: Part, settings: Settings, names: tuple[str, ...]) -> RobotEnd:
    return RobotEnd(settings.dressed(), settings.used_tips, said.wire_faults)


KIND = DriverKind(
    parts=("robot",),
    describe="Opentrons OT-2 pipetting robot, by PyLabRobot",
    settings=Settings,
    connect=_connect,
    emulate=_emulate,
)
