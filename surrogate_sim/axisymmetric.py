"""Steady axisymmetric diffusion by finite volumes in (ln rho, theta) coordinates.

Solves div(D grad Y) + S = 0 with constant D on rho_in < rho < rho_out, 0 < theta < theta_out:
a cone, a hemisphere, or what lies between. Lengths in one unit throughout, D Y and S in units
that match it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """Cells even in ln rho and in theta.

    Attributes:
        rho: Shape (n + 1,), faces.
        theta: Shape (m + 1,), faces [rad].
    """

    rho: Array
    theta: Array

    @property
    def centres(self) -> tuple[Array, Array]:
        """Centres: geometric in rho, shape (n,), arithmetic in theta, shape (m,)."""
        middle = np.sqrt(self.rho[1:] * self.rho[:-1])
        return middle, 0.5 * (self.theta[1:] + self.theta[:-1])

    @property
    def volumes(self) -> Array:
        """Cell volumes, shape (n, m)."""
        shell = np.diff(self.rho**3) / 3.0
        return np.asarray(2.0 * np.pi * shell[:, None] * -np.diff(np.cos(self.theta))[None, :])


def mesh(inner: float, outer: float, widest: float, n: int, m: int) -> Mesh:
    """Return n by m cells between two radii and from the axis to `widest` [rad]."""
    return Mesh(np.geomspace(inner, outer, n + 1), np.linspace(0.0, widest, m + 1))


@dataclass(frozen=True)
class Boundary:
    """One edge of the domain: Y is given where `value` is finite, else the flux into it.

    Attributes:
        value: Shape of the edge's cells, Y on the edge; NaN for a given flux.
        flux: Same shape, D dY/dn times area that enters the domain through each cell.
    """

    value: Array
    flux: Array


def held(value: float, cells: int) -> Boundary:
    """Y is `value` on the whole edge."""
    return Boundary(np.full(cells, value), np.zeros(cells))


def fed(flux: Array) -> Boundary:
    """The amount per time `flux`, shape of the edge's cells, enters (negative: leaves)."""
    return Boundary(np.full(flux.shape, np.nan), flux)


def closed(cells: int) -> Boundary:
    """Nothing passes."""
    return fed(np.zeros(cells))


@dataclass(frozen=True)
class Edges:
    """The inner and outer radius (m cells each) and the widest angle (n cells)."""

    inner: Boundary
    outer: Boundary
    side: Boundary


def solve(
    grid: Mesh,
    diffusivity: float,
    source: Callable[[Array, Array], Array] | float,
    edges: Edges,
) -> Array:
    """Return Y at the cell centres, shape (n, m).

    Fluxes between cells are exact for Y linear in ln rho and in theta; sources are taken at the
    centres. Second order. One sparse direct solve.

    Raises:
        ValueError: no edge holds a value, so Y is known up to a constant only.
    """
    if not any(np.isfinite(e.value).any() for e in (edges.inner, edges.outer, edges.side)):
        raise ValueError("Y must be held somewhere on the edge, but only fluxes are given")
    n, m = len(grid.rho) - 1, len(grid.theta) - 1
    radial, polar = _conductances(grid, diffusivity)
    amount = source if isinstance(source, float) else _sampled(grid, source)
    right = grid.volumes * amount
    diagonal = np.zeros((n, m))
    index = np.arange(n * m).reshape(n, m)
    rows, columns, values = [], [], []
    for left, after, between in (
        (index[:-1], index[1:], radial[1:-1]),
        (index[:, :-1], index[:, 1:], polar[:, 1:-1]),
    ):
        np.add.at(diagonal.ravel(), left.ravel(), between.ravel())
        np.add.at(diagonal.ravel(), after.ravel(), between.ravel())
        rows += [left.ravel(), after.ravel()]
        columns += [after.ravel(), left.ravel()]
        values += [-between.ravel(), -between.ravel()]
    for edge, cells, conductance in (
        (edges.inner, index[0], 2.0 * radial[0]),
        (edges.outer, index[-1], 2.0 * radial[-1]),
        (edges.side, index[:, -1], 2.0 * polar[:, -1]),
    ):
        given = np.isfinite(edge.value)
        diagonal.ravel()[cells] += np.where(given, conductance, 0.0)
        inflow = np.where(given, conductance * np.nan_to_num(edge.value), edge.flux)
        right.ravel()[cells] += inflow
    rows.append(index.ravel())
    columns.append(index.ravel())
    values.append(diagonal.ravel())
    matrix = coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(n * m, n * m),
    ).tocsc()
    return np.asarray(spsolve(matrix, right.ravel())).reshape(n, m)


def _sampled(grid: Mesh, source: Callable[[Array, Array], Array]) -> Array:
    rho, theta = grid.centres
    return source(rho[:, None], theta[None, :])


def _conductances(grid: Mesh, diffusivity: float) -> tuple[Array, Array]:
    """D A / distance of every face: radial (n + 1, m), polar (n, m + 1)."""
    turned = -np.diff(np.cos(grid.theta))
    step = np.log(grid.rho[1] / grid.rho[0])
    area = 2.0 * np.pi * grid.rho[:, None] ** 2 * turned[None, :]
    radial = diffusivity * area / (grid.rho[:, None] * step)
    width = grid.theta[1] - grid.theta[0]
    thickness = np.diff(grid.rho)
    polar = diffusivity * 2.0 * np.pi * thickness[:, None] * np.sin(grid.theta)[None, :] / width
    return radial, polar
