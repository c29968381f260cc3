"""The twins by name: station, parameter file, rows of the published table, sources."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import NotFoundError
from orchestrator.twins.checks import RowFunction
from surrogate_sim.parameters import TwinParameters, table, twin_parameters


@dataclass(frozen=True)
class Twin:
    """One twin.

    Attributes:
        name: Name of the twin and of its station.
        seed: Paper that it is a twin of, as the table numbers it.
        paper: Title of the paper, or what it is about.
        parameters: Its parameter file.
        physics: Modules of surrogate_sim that hold its equations.
    """

    name: str
    seed: str
    paper: str
    parameters: str
    physics: tuple[str, ...]

    @property
    def module(self) -> str:
        """Name of the module that judges its rows."""
        return f"orchestrator.twins.rows.{self.name}"

    def nominal(self, hidden: int | None = None) -> TwinParameters:
        """Constants of the nominal lab, or of a hidden one."""
        return twin_parameters(self.parameters, hidden)

    def rows(self) -> Mapping[str, RowFunction]:
        """What judges each row, by id; empty where no rows have been written."""
        return dict(self._attribute("ROWS"))

    def fitted(self) -> Mapping[str, str]:
        """Calibrated constants, and the rows that fix each."""
        return dict(self._attribute("FITTED"))

    def notes(self) -> Mapping[str, str]:
        """Why a row is missed, structure-informed or moved."""
        return dict(self._attribute("NOTES"))

    def _attribute(self, name: str) -> Mapping[str, Any]:
        if importlib.util.find_spec(self.module) is None:
            return {}
        found: Mapping[str, Any] = getattr(importlib.import_module(self.module), name, {})
        return found

    def sources(self) -> list[str]:
        """Sources of its constants and of the shared ones, each once, sorted."""
        found = {c.source for n in ("materials", self.parameters) for c in table(n).values()}
        return sorted(found)


TWINS: Mapping[str, Twin] = {
    t.name: t
    for t in (
        Twin(
            "micropipette",
            "000",
            "Chandra et al., Regulating the growth of cesium lead bromide quantum dots at a "
            "liquid/liquid interface constrained in a micropipette",
            "micropipette",
            ("micropipette", "micropipette_fields", "axisymmetric", "interface_growth"),
        ),
        Twin(
            "topo_batch",
            "001",
            "Montanarella et al., Growth and self-assembly of CsPbBr3 nanocrystals in the "
            "TOPO/PbBr2 synthesis as seen with X-ray scattering (2023)",
            "topo_batch",
            (
                "topo_batch",
                "topo_chemistry",
                "population",
                "magic_sizes",
                "assembly",
                "scattering",
                "topo_light",
            ),
        ),
        Twin(
            "larp_plate",
            "002",
            "Sanchez et al., Understanding the ligand-assisted reprecipitation of CsPbBr3 "
            "nanocrystals via high-throughput robotic synthesis approach",
            "larp_plate",
            (
                "larp",
                "larp_chemistry",
                "equilibria",
                "larp_growth",
                "larp_ageing",
                "larp_light",
                "larp_samples",
            ),
        ),
        Twin(
            "anion_exchange",
            "003",
            "Zhang et al., Size-dependent miscibility controls the kinetics of anion exchange in "
            "cesium lead halide nanocrystals",
            "anion_exchange",
            ("exchange_kinetics", "exchange_cuvette", "exchange_light", "nanocrystal_batch"),
        ),
        Twin(
            "flow_synthesis",
            "004",
            "Abdel-Latif et al., Flow synthesis of metal halide perovskite quantum dots: from "
            "rapid parameter space mapping to AI-guided modular manufacturing",
            "flow",
            ("flow", "flow_chemistry", "flow_formation", "hydrodynamics"),
        ),
    )
}


def twin(name: str) -> Twin:
    """Return a twin by name.

    Raises:
        NotFoundError: no such twin; the message names the nearest one.
    """
    if name not in TWINS:
        near = difflib.get_close_matches(name, TWINS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise NotFoundError(f"a twin must be one of {', '.join(TWINS)}, but got {name!r}{hint}")
    return TWINS[name]
