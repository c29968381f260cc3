"""Labware of the plate line for PyLabRobot, whose own definitions come off the network.

Dimensions [mm] and volumes [uL] are those of Opentrons' shared labware definitions (version 2):
corning_96_wellplate_360ul_flat, usascientific_12_reservoir_22ml, agilent_1_reservoir_290ml,
opentrons_96_tiprack_300ul and _20ul. The vials' block is assumed: 24 square wells of 17 mm, 40 mm
deep, 18 mm apart and centred (ANSI/SLAS 4-2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pylabrobot.resources import Plate, Tip, TipRack, TipSpot, Well, create_ordered_items_2d
from pylabrobot.resources.opentrons import OTDeck

from instruments import plate_deck

LENGTH, BREADTH = 127.76, 85.48
"""Footprint (ANSI/SLAS 1-2004)."""


class FixedPlate(Plate):  # type: ignore[misc]  # PyLabRobot has no types
    """A plate that knows its grid by heart: PyLabRobot counts it anew for every well of a read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names: dict[str, str] = {item: name for name, item in self._ordering.items()}
        self._grid: tuple[int, int] = super()._get_grid_size(self._ordering)

    def _get_grid_size(self, identifiers: Any) -> tuple[int, int]:
        return self._grid  # no caller asks for another grid than the plate's own

    def get_child_identifier(self, item: Any) -> str:
        """Name of a well on the plate, such as A1."""
        return self._names[str(item.name)]


def reading_plate(name: str) -> Plate:
    """Return the 96-well plate, empty."""
    return _plate(name, (12, 8), (14.38, 11.24), 9.0, (6.86, 6.86, 10.67), 3.55, 360.0)


def dressed_deck(volumes: Mapping[str, float], used_tips: int) -> OTDeck:
    """Return a deck as `instruments.plate_deck` says.

    Args:
        volumes: What may be drawn of each liquid [uL].
        used_tips: How many tips the vials' rack lacks already, from its first.
    """
    deck = OTDeck()
    made: dict[str, Plate | TipRack] = {
        "plate": reading_plate("plate"),
        "troughs": _plate(
            "troughs", (12, 1), (13.94, 42.9), 9.09, (8.33, 71.88, 42.16), 2.29, 22000.0
        ),
        "tips_300": _rack("tips_300", (14.33, 11.2), 64.48, (59.17, 7.47, 300.0)),
        "tips_20": _rack("tips_20", (14.38, 11.24), 64.69, (39.2, 8.25, 20.0)),
        "tips_vials": _rack("tips_vials", (14.38, 11.24), 64.69, (39.2, 8.25, 20.0), used_tips),
    }
    for name in ("lead", "diluent"):
        made[name] = _plate(
            name, (1, 1), (63.88, 42.785), 0.0, (108.0, 72.0, 39.22), 4.82, 290000.0
        )
    for number in range(1, len(plate_deck.VIAL_SLOTS) + 1):
        name = f"vials_{number}"
        capacity = plate_deck.VIAL_CAPACITY
        made[name] = _plate(name, (6, 4), (18.88, 15.74), 18.0, (17.0, 17.0, 40.0), 4.0, capacity)
    for slot, name in plate_deck.SLOTS.items():
        deck.assign_child_at_slot(made[name], slot)
    for liquid, (slot, place) in plate_deck.places().items():
        made[plate_deck.SLOTS[slot]].get_item(place).tracker.set_volume(volumes[liquid])
    return deck


def _plate(
    name: str,
    shape: tuple[int, int],
    first: tuple[float, float],
    pitch: float,
    size: tuple[float, float, float],
    bottom: float,
    volume: float,
) -> Plate:
    """A labware with wells.

    Args:
        name: Of the labware.
        shape: Columns and rows.
        first: Centre of the well at the left in front [mm].
        pitch: Between wells [mm].
        size: Of a well in x, y and depth [mm].
        bottom: Height of the wells' bottom [mm].
        volume: That a well holds [uL].
    """
    wells = create_ordered_items_2d(
        Well,
        num_items_x=shape[0],
        num_items_y=shape[1],
        dx=first[0] - size[0] / 2.0,
        dy=first[1] - size[1] / 2.0,
        dz=bottom,
        item_dx=pitch,
        item_dy=pitch,
        size_x=size[0],
        size_y=size[1],
        size_z=size[2],
        material_z_thickness=0.0,
        max_volume=volume,
    )
    return FixedPlate(name, LENGTH, BREADTH, bottom + size[2], ordered_items=wells)


def _rack(
    name: str,
    first: tuple[float, float],
    height: float,
    tip: tuple[float, float, float],
    used: int = 0,
) -> TipRack:
    """A rack of 96 tips: length [mm], overlap with the pipette [mm], volume [uL]."""
    length, overlap, volume = tip

    def make_tip(name: str) -> Tip:
        return Tip(
            name=name,
            has_filter=False,
            total_tip_length=length,
            maximal_volume=volume,
            fitting_depth=overlap,
        )

    spots = create_ordered_items_2d(
        TipSpot,
        num_items_x=12,
        num_items_y=8,
        dx=first[0] - 2.5,
        dy=first[1] - 2.5,
        dz=height - length,
        item_dx=9.0,
        item_dy=9.0,
        size_x=5.0,
        size_y=5.0,
        make_tip=make_tip,
    )
    rack = TipRack(name, LENGTH, BREADTH, height, ordered_items=spots)
    rack.set_tip_state([i >= used for i in range(96)])
    return rack
