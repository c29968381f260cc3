"""Registers of temperature controllers that speak Modbus, each map with its source.

All count in tenths of a kelvin, as signed 16-bit numbers, if they are configured so; `must`
names the registers that tell whether they are. Sources:

- Eurotherm: PV.IN 1 and TG.SP 2 from the 3200 Series Engineering Manual HA028651, 15.5; 75, 107
  and 122 from the manual of its sister 3L Series, 11.5; bit 4 of 75 (manual mode) and the IEEE
  region at 2 n + 32768 from users' drivers for the 3200.
- Omega: 1000H, 1001H and 102FH from Omega's register list as published by Aggsoft; the readings
  that stand for errors, and the parity, from users' drivers for the CN7500 and CN7800.
- Watlow: 0, 100, 300, 606 and the baud rate from a user's driver for the F4; 4, 101 and 901 from
  the register list of the Series 96. That 1 in 901 means degrees Celsius is assumed, from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RegisterMap:
    """Where a controller keeps what.

    Attributes:
        model: Of the controller.
        reading: Register of the measured temperature.
        setpoint: Register of the setpoint.
        firmware: Register of the firmware's version.
        code: Register of the model's code; None where there is none.
        status: Register of a bit map of faults; None where there is none.
        faults: Bits of it that make a reading worthless, and what they mean.
        codes: Readings that stand for a fault, and what they mean.
        must: Registers, and what each must hold for the map to be right.
        precise_setpoint: First of two registers with the setpoint as an IEEE number [degC].
        baudrate: As delivered [1/s].
        parity: As delivered.
    """

    model: str
    reading: int
    setpoint: int
    firmware: int
    code: int | None = None
    status: int | None = None
    faults: Mapping[int, str] = field(default_factory=dict)
    codes: Mapping[int, str] = field(default_factory=dict)
    must: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    precise_setpoint: int | None = None
    baudrate: int = 9600
    parity: str = "N"


EUROTHERM_3200 = RegisterMap(
    model="Eurotherm 3200",
    reading=1,
    setpoint=2,
    firmware=107,
    code=122,
    status=75,
    faults={1 << 4: "manual mode", 1 << 5: "sensor break", 1 << 10: "reading over range"},
    precise_setpoint=2 * 2 + 32768,
)

OMEGA_CN7500 = RegisterMap(
    model="Omega CN7500",
    reading=0x1000,
    setpoint=0x1001,
    firmware=0x102F,
    codes={
        0x8002: "no temperature yet",
        0x8003: "sensor not connected",
        0x8004: "input error",
        0x8006: "converter failed",
    },
    parity="E",
)

WATLOW_F4 = RegisterMap(
    model="Watlow F4",
    reading=100,
    setpoint=300,
    firmware=4,
    code=0,
    status=101,
    faults={0xFFFF: "input error"},
    must={606: (1, "one decimal of input 1"), 901: (1, "degrees Celsius")},
    baudrate=19200,
)


def signed(register: int) -> int:
    """Return what an unsigned register means."""
    return register - 0x10000 if register & 0x8000 else register


def unsigned(value: int) -> int:
    """Return the register that means a value."""
    return value & 0xFFFF
