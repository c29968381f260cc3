"""The HTTP interface of an Opentrons robot, in the place of PyLabRobot's handle on `ot_api`.

`ot_api` waits for ever, asks again without a pause until a command is done, and keeps one robot
for a process. This handle sends what `ot_api` sends, but each command waits once and not longer
than its timeout, carries a key that its answer must repeat, and is refused by name.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from typing import Any

from instruments.drivers.transcript import Transcript
from instruments.errors import (
    DeviceFaultError,
    DeviceRefusedError,
    DeviceTimeoutError,
    InstrumentError,
)

_HEADERS = {"Opentrons-Version": "3", "Content-Type": "application/json"}
_PLACE, _VOLUME = 0.1, 0.05  # mm and µL by which a robot's answer may differ from its order


class UnknownPathError(DeviceRefusedError):
    """The robot knows nothing of that name."""


class RobotServer:
    """One robot.

    Args:
        address: host or host:port.
        timeout: Longest wait for the answer to a request [s].
        transcript: Keeps what goes over the wire.
    """

    def __init__(self, address: str, timeout: float, transcript: Transcript | None = None) -> None:
        host, _, port = address.partition(":")
        if not host or not (port or "31950").isdigit():
            raise InstrumentError(f"a robot's address is host or host:port, but got {address!r}")
        self._host, self._port = host, int(port or 31950)
        self.name, self.timeout, self._transcript = address, timeout, transcript
        self._lock, self._count = threading.Lock(), 0
        self._connection: http.client.HTTPConnection | None = None
        self.run_id: str | None = None
        self.runs = self.health = self.labware = self.lh = self.modules = self.requestor = self

    # --- what PyLabRobot's backend calls ------------------------------------------------------

    def create(self) -> str:
        """Begin a run; return its id."""
        return str(_of(self.request("POST", "/runs", {"data": {}}), "data", "id"))

    def set_run(self, run_id: str) -> None:
        """Send commands to this run from now on."""
        self.run_id = run_id

    def add_mounted_pipettes(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Load the pipettes that the robot has; return the left and the right one."""
        mounted = self.request("GET", "/pipettes")
        return self._load(mounted, "left"), self._load(mounted, "right")

    def get(self) -> dict[str, Any]:
        """Return what the robot says of its health."""
        return self.request("GET", "/health")

    def home(self) -> None:
        """Move to the home position."""
        self.request("POST", "/robot/home", {"target": "robot"})

    def define(self, labware: Mapping[str, Any]) -> dict[str, Any]:
        """Define a labware in the run."""
        path = f"/runs/{self.run_id}/labware_definitions"
        return self.request("POST", path, {"data": dict(labware)})

    def add(self, **said: Any) -> None:
        """Put a defined labware into a slot."""
        self.command(
            "loadLabware",
            {
                "location": {"slotName": str(said["ot_location"])},
                "loadName": said["load_name"],
                "namespace": said["namespace"],
                "version": int(said["version"]),
                "labwareId": said["labware_id"],
                "displayName": said["display_name"],
            },
        )

    def pick_up_tip(self, **said: Any) -> None:
        """Pick up a tip."""
        self.command("pickUpTip", _at_tip(said))

    def drop_tip(self, labware_id: str, **said: Any) -> None:
        """Drop a tip."""
        self.command("dropTip", _at_tip({**said, "labware_id": labware_id}))

    def move_arm(self, **said: Any) -> None:
        """Move a pipette to a point."""
        params = {
            "pipetteId": said["pipette_id"],
            "coordinates": {a: said[f"location_{a}"] for a in "xyz"},
            "forceDirect": said["force_direct"],
        }
        if said["minimum_z_height"] is not None:
            params["minimumZHeight"] = said["minimum_z_height"]
        if said["speed"] is not None:
            params["speed"] = said["speed"]
        done = self.command("moveToCoordinates", params)
        for axis, wanted in params["coordinates"].items():
            _same(done, ("position", axis), wanted, _PLACE, "mm")

    def aspirate_in_place(self, **said: Any) -> None:
        """Draw liquid where the pipette is."""
        done = self.command("aspirateInPlace", _liquid(said))
        _same(done, ("volume",), said["volume"], _VOLUME, "µL")

    def dispense_in_place(self, **said: Any) -> None:
        """Let liquid go where the pipette is."""
        done = self.command("dispenseInPlace", {**_liquid(said), "pushOut": 0.0})
        _same(done, ("volume",), said["volume"], _VOLUME, "µL")

    def stop_run(self) -> None:
        """Stop the run, if there is one, and see that it has stopped. May be called twice.

        Raises:
            DeviceFaultError: it goes on.
        """
        if self.run_id is None:
            return
        path = f"/runs/{self.run_id}"
        if not self._ended(path):
            self.request("POST", f"{path}/actions", {"data": {"actionType": "stop"}})
            if not self._ended(path):
                raise DeviceFaultError(
                    f"{self.name} must stop its run, but it goes on; cut its power"
                )
        self.run_id = None

    def _ended(self, path: str) -> bool:
        try:
            status = _of(self.request("GET", path), "data", "status")
        except UnknownPathError:  # a robot that was started anew knows no run, so none goes on
            return True
        return status in ("stop-requested", "stopped", "failed", "succeeded")

    # --- the wire -----------------------------------------------------------------------------

    def command(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Have the robot do something and wait until it is done.

        Raises:
            DeviceRefusedError: it failed, by name.
            DeviceFaultError: it answers for another command, or is not done.
            DeviceTimeoutError: no whole answer in time.
        """
        self._count += 1
        key = f"{self.run_id}-{self._count}"
        said = {"commandType": kind, "params": dict(params), "intent": "setup", "key": key}
        wait = max(int(1000 * self.timeout) - 100, 1)
        path = f"/runs/{self.run_id}/commands?waitUntilComplete=true&timeout={wait}"
        done = _of(self.request("POST", path, {"data": said}), "data")
        if done.get("key") != key or done.get("commandType") != kind:
            self._drop()
            raise DeviceFaultError(
                f"the robot must answer command {key} ({kind}), but it answers "
                f"{done.get('key')} ({done.get('commandType')}); an earlier answer was late"
            )
        if done.get("status") == "failed":
            error = done.get("error") or {}
            raise DeviceRefusedError(
                f"the robot refused {kind}: {error.get('errorType')}: {error.get('detail')}"
            )
        if done.get("status") != "succeeded":
            raise DeviceTimeoutError(
                f"the robot must be done with {kind} within {self.timeout:g} s, but it is "
                f"{done.get('status')}; whether it moved is unknown, look at it"
            )
        return dict(done.get("result") or {})

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Return the document that answers a request.

        Raises:
            DeviceRefusedError: a status that is none of success.
            DeviceFaultError: no document.
            DeviceTimeoutError: no whole answer in time, or no robot.
        """
        data = None if body is None else json.dumps(body).encode("utf-8")
        with self._lock:
            self._note(True, f"{method} {path} ".encode() + (data or b""))
            try:
                status, answer = self._exchange(method, path, data)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                raise DeviceTimeoutError(
                    f"{self.name} must answer {method} {path} within {self.timeout:g} s, but "
                    f"{error!r}; whether it acted is unknown, look at it"
                ) from error
            self._note(False, answer)
        try:
            found = json.loads(answer)
        except ValueError as error:
            raise DeviceFaultError(
                f"{self.name} must answer {path} with JSON, but {answer[:60]!r} came"
            ) from error
        if status == 404:
            raise UnknownPathError(f"{self.name} knows no {path}: {found}")
        if not 200 <= status < 300 or not isinstance(found, dict):
            raise DeviceRefusedError(f"{self.name} refused {method} {path}: {status} {found}")
        return found

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        with self._lock:
            self._drop()

    def _exchange(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port)
        self._connection.timeout = self.timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self.timeout)
        self._connection.request(method, path, data, _HEADERS)
        with self._connection.getresponse() as response:
            return response.status, response.read()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, mounted: Mapping[str, Any], mount: str) -> dict[str, Any] | None:
        name = _of(mounted, mount).get("name")
        if name is None:
            return None
        return {**self.command("loadPipette", {"pipetteName": name, "mount": mount}), "name": name}

    def _note(self, sent: bool, data: bytes) -> None:
        if self._transcript is not None and data:
            self._transcript.note(self.name, sent, data)


def _of(document: Mapping[str, Any], *keys: str) -> Any:
    found: Any = document
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            raise DeviceFaultError(f"the robot must state {'.'.join(keys)}, but says {document}")
        found = found[key]
    return found


def _same(
    done: Mapping[str, Any], keys: tuple[str, ...], wanted: float, by: float, unit: str
) -> None:
    """Refuse a result that states another value than was asked for."""
    found = _of(done, *keys)
    if not isinstance(found, int | float) or abs(found - wanted) > by:
        raise DeviceFaultError(
            f"the robot must state the {wanted:g} {unit} that it was told as {'.'.join(keys)}, "
            f"but says {found}; look at the deck"
        )


def _at_tip(said: Mapping[str, Any]) -> dict[str, Any]:
    offset = {a: said[f"offset_{a}"] for a in "xyz"}
    return {
        "labwareId": said["labware_id"],
        "wellName": said["well_name"],
        "wellLocation": {"origin": "bottom", "offset": offset},
        "pipetteId": said["pipette_id"],
    }


def _liquid(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "flowRate": said["flow_rate"],
        "volume": said["volume"],
        "pipetteId": said["pipette_id"],
    }
