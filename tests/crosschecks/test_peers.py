"""The twins' physics beside FiPy, sasmodels and fluids, which answer from their own environment.

`benchmarks/physics-requirements.txt` pins them; the environment is made on first use.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_sim import hydrodynamics, scattering
from surrogate_sim.micropipette_fields import bromide_field, cation_field, consumption_rate
from surrogate_sim.parameters import twin_parameters

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
OWN = twin_parameters("micropipette").own
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def peer() -> Iterator[Any]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from _peer import Peer
        from _questions import bromide_question, cation_question
    finally:
        sys.path.remove(str(BENCHMARKS))
    try:
        started = Peer("physics", "physics.py")
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"the environment of FiPy, sasmodels and fluids cannot be made: {error}")
    with started as running:
        running.questions = {"bromide": bromide_question, "cation": cation_question}
        yield running


@pytest.mark.parametrize("ion", ["lead", "caesium"])
def test_cation_field_agrees_with_fipy(peer, ion):
    # A wrong metric or boundary of the cone would show here; both have the same cells.
    rate = consumption_rate(OWN)
    ours = cation_field(ion, rate, OWN)
    theirs = np.array(peer.ask(**peer.questions["cation"](ion, rate, OWN, ours.grid))["values"])
    assert ours.fraction == pytest.approx(theirs, rel=0.01, abs=1e-3 * float(theirs.max()))


def test_bromide_field_agrees_with_fipy(peer):
    # Source in the lit zone, disc that takes bromide: the mixed edge of the reservoir.
    rate = consumption_rate(OWN)
    ours = bromide_field(rate, 60.0, OWN)
    theirs = np.array(peer.ask(**peer.questions["bromide"](rate, OWN, ours.grid))["values"])
    assert ours.fraction == pytest.approx(theirs, rel=0.01, abs=2e-3 * float(theirs.max()))


@pytest.mark.parametrize(("diameter", "dispersion"), [(4.4, 0.0), (8.1, 0.0), (7.4, 0.1)])
def test_sphere_scattering_agrees_with_sasmodels(peer, diameter, dispersion):
    q = np.linspace(0.05, 4.0, 120)
    ask = {"diameter": diameter, "dispersion": dispersion}
    theirs = np.array(peer.ask(ask="sphere", q=q.tolist(), **ask)["shape"])
    if dispersion:
        sizes = np.linspace(0.5, 1.5, 401) * diameter
        weights = scattering.gaussian_weights(sizes, diameter, dispersion * diameter)
        ours = scattering.sphere_intensity(q, sizes, 1.0) @ weights
    else:
        ours = scattering.sphere_intensity(q, np.array([diameter]), 1.0)[:, 0]
    assert ours / ours[0] == pytest.approx(theirs, rel=0.01, abs=1e-5)


@pytest.mark.parametrize(("velocity", "bore"), [(12.0, 0.5), (100.0, 1.0)])
def test_dimensionless_numbers_agree_with_fluids(peer, velocity, bore):
    pair = hydrodynamics.fluid_pair("toluene", "gas")
    names = ("density", "viscosity", "film_viscosity", "tension", "density_difference")
    theirs = peer.ask(
        ask="numbers", velocity=1e-3 * velocity, bore=1e-3 * bore,
        diffusivity=pair.diffusivity, **{n: getattr(pair, n) for n in names},
    )  # fmt: skip
    ours = hydrodynamics.numbers(pair, velocity, bore)
    for name in ("reynolds", "capillary", "weber", "bond", "peclet"):
        assert getattr(ours, name) == pytest.approx(theirs[name], rel=1e-4), name
