"""An Opentrons OT-2 whose strokes fill the wells of a simulated plate.

It knows what a robot knows (runs, pipettes, tip racks that were defined, coordinates) and what
stands on its deck (`instruments.plate_deck`), and finds containers by coordinates alone: a wrong
place or volume on the wire is a wrong liquid in the simulated plate. Requests and answers are
written from `ot_api`'s client and from the robot server's documented commands, slots from
Opentrons' deck definition, wells from its labware definitions; circular in so far.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from instruments import plate_deck
from instruments.emulators.faults import HangUpError, faults_of
from instruments.emulators.http_server import HttpServer
from instruments.procedures.plate import WellPlan, well_name

PIPETTES = {"left": ("p300_single_gen2", 3000), "right": ("p20_single_gen2", 200)}
"""Name and capacity [tenths of a µL] of what is mounted."""
RACKS = {9: 3000, 10: 200, 11: 200}
"""Capacity of the tips in a slot [tenths of a µL]."""


class Robot(Protocol):
    """The simulated robot whose plate is filled."""

    def new_plate(self, plans: Sequence[WellPlan]) -> None:
        """Put a fresh plate on the deck."""
        ...

    def fill(self, well: int, plan: WellPlan) -> None:
        """Fill a well."""
        ...


@dataclass(frozen=True)
class _Grid:
    """Where wells are in a labware [mm]: count, first centre, pitch, half size, bottom, depth."""

    columns: int
    rows: int
    first: tuple[float, float]
    pitch: float
    half: tuple[float, float]
    bottom: float
    depth: float

    def find(self, x: float, y: float, z: float) -> int | None:
        """Number of the well around a point, along the rows from the back left; None if none."""
        if not self.bottom <= z <= self.bottom + self.depth:
            return None
        for row in range(self.rows):
            for column in range(self.columns):
                dx = x - self.first[0] - self.pitch * column
                dy = y - self.first[1] - self.pitch * (self.rows - 1 - row)
                if abs(dx) <= self.half[0] and abs(dy) <= self.half[1]:
                    return row * self.columns + column
        return None


GRIDS = {
    "plate": _Grid(12, 8, (14.38, 11.24), 9.0, (3.43, 3.43), 3.55, 10.67),
    "troughs": _Grid(12, 1, (13.94, 42.9), 9.09, (4.16, 35.9), 2.29, 42.16),
    "lead": _Grid(1, 1, (63.88, 42.785), 0.0, (54.0, 36.0), 4.82, 39.22),
    "diluent": _Grid(1, 1, (63.88, 42.785), 0.0, (54.0, 36.0), 4.82, 39.22),
    **{
        f"vials_{n}": _Grid(6, 4, (18.88, 15.74), 18.0, (8.5, 8.5), 4.0, 40.0) for n in range(1, 5)
    },
}
_SPOTS = _Grid(12, 8, (14.36, 11.22), 9.0, (2.5, 2.5), -1.0, 100.0)

Place = tuple[str, int]
"""Labware and number of a container."""


class RefusedError(Exception):
    """The robot fails a command: Opentrons' name of the error, and what is wrong."""


@dataclass
class _Pipette:
    capacity: int
    tip: int = 0  # capacity of the tip; 0 is none
    spot: tuple[int, int] | None = None
    place: tuple[float, float, float] | None = None
    holds: dict[str | Place, int] = field(default_factory=dict)


class OT2:
    """Answers as a robot's server does.

    Args:
        volumes: What a freshly dressed deck has of each liquid [µL].
        used_tips: Tips that the vials' rack lacks then.
    """

    suffers: ClassVar[tuple[str, ...]] = ("power_cycle", "stall")

    def __init__(self, volumes: Mapping[str, float], used_tips: int) -> None:
        self._full = {name: round(10.0 * v) for name, v in volumes.items()}
        self._used_tips, self._robot, self._homed = used_tips, None, False
        self._runs, self._run, self._stopped = 0, "", False
        self._dress()

    _robot: Robot | None

    def attach(self, robots: Mapping[str, Robot], now: Callable[[], float]) -> None:
        """Fill the plate of this robot from now on."""
        self._robot = robots["robot"]

    def _dress(self) -> None:
        self._left = dict(self._full)
        self._vials: dict[Place, dict[str, int]] = {}
        self._vial_left: dict[Place, int] = {}
        self._wells: dict[int, dict[str, int]] = {}
        used = range(self._used_tips)
        self._tips = {
            (s, n) for s in RACKS for n in range(96) if s != 11 or _by_rows(n) not in used
        }
        self._pipettes = {side: _Pipette(volume) for side, (_, volume) in PIPETTES.items()}
        self._defined: dict[str, Mapping[str, Any]] = {}
        self._racks: dict[str, tuple[int, Mapping[str, Any]]] = {}

    def suffer(self, kind: str, request: bytes) -> None:
        """Lose the place of the arm, as after a stall; or restart, and know no run any more."""
        self._homed = False
        if kind == "power_cycle":
            self._run, self._stopped = "", False
            raise HangUpError(comes_back=True)

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Act on a request."""
        try:
            said = json.loads(body).get("data") if body else None
            status, answer = self._route(method, path.partition("?")[0], said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            status, answer = 422, {"errors": [{"id": "InvalidRequest", "detail": repr(error)}]}
        return status, json.dumps(answer).encode("utf-8")

    def _route(self, method: str, path: str, said: Any) -> tuple[int, dict[str, Any]]:
        if (method, path) == ("GET", "/health"):
            return 200, {
                "name": "emulated",
                "robot_model": "OT-2 Standard",
                "robot_serial": "EMULATED",
                "api_version": "8.8.2",
            }
        if (method, path) == ("GET", "/pipettes"):
            return 200, {side: {"name": name} for side, (name, _) in PIPETTES.items()}
        if (method, path) == ("POST", "/robot/home"):
            self._homed = True
            return 200, {"message": "Homing robot."}
        if (method, path) == ("POST", "/runs"):
            return 201, self._begin()
        if path == f"/runs/{self._run}/labware_definitions" and not self._stopped:
            name = said["parameters"]["loadName"]
            self._defined[name] = said
            return 201, {
                "data": {"definitionUri": f"{said['namespace']}/{name}/{said['version']}"}
            }
        if (method, path) == ("GET", f"/runs/{self._run}"):
            return 200, {"data": {"status": "stopped" if self._stopped else "idle"}}
        if self._stopped:
            return 409, {"errors": [{"id": "RunStopped", "detail": self._run}]}
        if path == f"/runs/{self._run}/actions":
            self._stopped = said["actionType"] == "stop"
            return 201, {"data": {"actionType": said["actionType"]}}
        if path == f"/runs/{self._run}/commands":
            return 201, {"data": self._command(said)}
        return 404, {"errors": [{"id": "NotFound", "detail": f"{method} {path}"}]}

    def _begin(self) -> dict[str, Any]:
        """A run begins with a freshly dressed deck and a fresh plate."""
        self._runs += 1
        self._run, self._stopped = f"run-{self._runs}", False
        self._dress()
        if self._robot is not None:
            self._robot.new_plate(())
        return {"data": {"id": self._run}}

    def _command(self, said: Mapping[str, Any]) -> dict[str, Any]:
        kind, params = said["commandType"], said["params"]
        told = {"id": said["key"], "key": said["key"], "commandType": kind}
        acts = {
            "loadPipette": self._load_pipette,
            "loadLabware": self._load_labware,
            "pickUpTip": self._pick_up,
            "dropTip": self._drop,
            "moveToCoordinates": self._move,
            "aspirateInPlace": self._aspirate,
            "dispenseInPlace": self._dispense,
        }
        try:
            if kind not in acts:
                raise RefusedError("InvalidCommand", kind)
            return {**told, "status": "succeeded", "result": acts[kind](params)}
        except RefusedError as error:
            name, detail = error.args
            return {**told, "status": "failed", "error": {"errorType": name, "detail": detail}}

    # --- what commands do ---------------------------------------------------------------------

    def _load_pipette(self, params: Mapping[str, Any]) -> dict[str, Any]:
        side = params["mount"]
        if PIPETTES[side][0] != params["pipetteName"]:
            raise RefusedError("InvalidSpecificationForRobotTypeError", params["pipetteName"])
        return {"pipetteId": side}

    def _load_labware(self, params: Mapping[str, Any]) -> dict[str, Any]:
        slot = int(params["location"]["slotName"])
        if slot not in RACKS:
            raise RefusedError("LocationIsOccupiedError", f"slot {slot} holds no rack")
        self._racks[params["labwareId"]] = (slot, self._defined[params["loadName"]])
        return {"labwareId": params["labwareId"]}

    def _pick_up(self, params: Mapping[str, Any]) -> dict[str, Any]:
        pipette, spot = self._ready(params), self._spot(params)
        if pipette.tip:
            raise RefusedError("TipAttachedError", "there is a tip on the pipette")
        if spot not in self._tips or RACKS[spot[0]] != pipette.capacity:
            raise RefusedError("TipNotAttachedError", f"no tip that fits at {spot}")
        self._tips.remove(spot)
        pipette.tip, pipette.spot, pipette.holds = RACKS[spot[0]], spot, {}
        return {"position": {"x": 0.0, "y": 0.0, "z": 0.0}}

    def _drop(self, params: Mapping[str, Any]) -> dict[str, Any]:
        pipette, spot = self._ready(params), self._spot(params)
        if not pipette.tip:
            raise RefusedError("TipNotAttachedError", "there is no tip on the pipette")
        if spot in self._tips:
            raise RefusedError("LocationIsOccupiedError", f"there is a tip at {spot}")
        self._tips.add(spot)
        pipette.tip, pipette.holds = 0, {}
        return {"position": {"x": 0.0, "y": 0.0, "z": 0.0}}

    def _move(self, params: Mapping[str, Any]) -> dict[str, Any]:
        at = params["coordinates"]
        self._ready(params).place = (float(at["x"]), float(at["y"]), float(at["z"]))
        return {"position": dict(at)}

    def _aspirate(self, params: Mapping[str, Any]) -> dict[str, Any]:
        pipette, place, tenths = self._stroke(params)
        if sum(pipette.holds.values()) + tenths > pipette.tip:
            raise RefusedError(
                "InvalidAspirateVolumeError", f"{tenths / 10.0} µL do not fit the tip"
            )
        labware, number = place
        if labware == "plate":
            raise RefusedError("EmulatorError", "nothing is drawn from the plate here")
        liquid: str | Place = place if place in self._vials else self._source(place)
        stock: dict[Any, int] = self._vial_left if place in self._vials else self._left
        came = min(tenths, stock[liquid])  # the rest is air
        stock[liquid] -= came
        pipette.holds[liquid] = pipette.holds.get(liquid, 0) + came
        return {"volume": params["volume"]}

    def _dispense(self, params: Mapping[str, Any]) -> dict[str, Any]:
        pipette, place, tenths = self._stroke(params)
        if len(pipette.holds) != 1:
            raise RefusedError("InvalidDispenseVolumeError", "the tip must hold one liquid")
        ((liquid, held),) = pipette.holds.items()
        given = min(tenths, held)
        labware, number = place
        if labware.startswith("vials"):
            self._into_vial(place, liquid, given)
        elif labware == "plate":
            self._into_well(number, liquid, given)
        elif isinstance(liquid, str) and self._source(place) == liquid:
            self._left[liquid] += given
        else:
            raise RefusedError("EmulatorError", f"{liquid} into {place} spoils a stock")
        pipette.holds = {liquid: held - given} if held > given else {}
        return {"volume": params["volume"]}

    # --- liquids ------------------------------------------------------------------------------

    def _into_vial(self, place: Place, liquid: str | Place, tenths: int) -> None:
        if isinstance(liquid, str):
            vial = self._vials.setdefault(place, {})
            vial[liquid] = vial.get(liquid, 0) + tenths
        elif liquid != place:
            raise RefusedError("EmulatorError", f"{liquid} into {place}: vials are not mixed here")
        self._vial_left[place] = self._vial_left.get(place, 0) + tenths

    def _into_well(self, well: int, liquid: str | Place, tenths: int) -> None:
        if isinstance(liquid, str):
            held = self._wells.setdefault(well, {})
            held[liquid] = held.get(liquid, 0) + tenths
            return
        plan = self._plan(self._vials[liquid], self._wells.get(well, {}), tenths)
        if self._robot is None:
            raise RefusedError("EmulatorError", "there is no plate")
        try:
            self._robot.fill(well, plan)
        except ValueError as error:
            raise RefusedError("EmulatorError", f"well {well_name(well)}: {error}") from error

    def _plan(self, vial: Mapping[str, int], well: Mapping[str, int], injected: int) -> WellPlan:
        """What the simulated robot would have been asked, from what came together."""
        pairs = [p for p, acid in plate_deck.ACID.items() if acid in vial]
        solvents = [s for s, caesium in plate_deck.CAESIUM.items() if caesium in well]
        if len(pairs) != 1 or len(solvents) != 1 or len(well) != 1:
            raise RefusedError(
                "EmulatorError", f"no such mixture is simulated: {vial} into {well}"
            )
        acid, amine = plate_deck.ACID[pairs[0]], plate_deck.AMINE[pairs[0]]
        if set(vial) - {acid, amine, "lead", "diluent"} or "lead" not in vial:
            raise RefusedError("EmulatorError", f"no such precursor is simulated: {vial}")
        return WellPlan(
            pairs[0],
            solvents[0],
            vial[acid] / 10.0,
            vial.get(amine, 0) / 10.0,
            vial["lead"] / 10.0,
            vial.get("diluent", 0) / 10.0,
            well[plate_deck.CAESIUM[solvents[0]]] / 10.0,
            injected / 10.0,
            full=False,
        )

    def _source(self, place: Place) -> str:
        for name, (slot, number) in plate_deck.places().items():
            if (plate_deck.SLOTS[slot], number) == place:
                return name
        raise RefusedError("EmulatorError", f"there is no liquid at {place}")

    # --- places -------------------------------------------------------------------------------

    def _ready(self, params: Mapping[str, Any]) -> _Pipette:
        if not self._homed:
            raise RefusedError("MustHomeError", "home the robot first")
        return self._pipettes[params["pipetteId"]]

    def _stroke(self, params: Mapping[str, Any]) -> tuple[_Pipette, Place, int]:
        pipette = self._ready(params)
        if not pipette.tip:
            raise RefusedError("TipNotAttachedError", "there is no tip on the pipette")
        volume = float(params["volume"])
        tenths = round(10.0 * volume)
        if tenths <= 0 or tenths > pipette.capacity:
            raise RefusedError(
                "InvalidAspirateVolumeError", f"{volume} µL is no stroke of the pipette"
            )
        if pipette.place is None:
            raise RefusedError("MustHomeError", "the pipette was not moved")
        return pipette, _container(pipette.place), tenths

    def _spot(self, params: Mapping[str, Any]) -> tuple[int, int]:
        slot, definition = self._racks[params["labwareId"]]
        well = definition["wells"][params["wellName"]]
        found = _SPOTS.find(float(well["x"]), float(well["y"]), 0.0)
        if found is None:
            raise RefusedError("EmulatorError", f"no tip stands at {well['x']}, {well['y']}")
        return slot, found


def _by_rows(spot: int) -> int:
    """Number of a spot counted down the columns, as racks are used, from one along the rows."""
    row, column = divmod(spot, 12)
    return 8 * column + row


def _container(place: tuple[float, float, float]) -> Place:
    """Labware and number of the container around a point of the robot's frame."""
    x, y, z = place
    column, row = int(x // 132.5), int(y // 90.5)
    labware = plate_deck.SLOTS.get(3 * row + column + 1, "")
    if labware in GRIDS and 0 <= column < 3:
        found = GRIDS[labware].find(x - 132.5 * column, y - 90.5 * row, z)
        if found is not None:
            if labware.startswith("vials"):
                found = 4 * (found % 6) + found // 6
            return labware, found
    raise RefusedError("EmulatorError", f"there is no container at {place}")


class RobotEnd:
    """The emulated far end of the robot's wire (`instruments.wiring.End`)."""

    def __init__(
        self, volumes: Mapping[str, float], used_tips: int, faults: Mapping[str, float]
    ) -> None:
        self._emulator = OT2(volumes, used_tips)
        self._server = HttpServer(self._emulator, faults_of(faults, self._emulator))

    @property
    def address(self) -> str:
        """Host and port."""
        return self._server.address

    def attach(self, device: Any, now: Callable[[], float]) -> None:
        """Fill the plate of this simulated robot from now on."""
        self._emulator.attach(device, now)

    def close(self) -> None:
        """Take the port away."""
        self._server.close()
