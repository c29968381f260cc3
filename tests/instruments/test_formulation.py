import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments import flow_line
from instruments.capabilities import FlowLimits
from instruments.formulation import (
    Contents,
    Stock,
    achieved_recipe,
    formulate,
    mixed,
    reservoir_violations,
)

REFERENCE = {p.name: p.default for p in flow_line.PARAMETERS if p.when is None}
WITH_SALT = {p.name: p.default for p in flow_line.PARAMETERS} | {"halide_salt": "ZnI2"}


def make(recipe, **options):
    arguments = {
        "area": flow_line.GEOMETRY.area,
        "liquid_fraction": flow_line.LIQUID_FRACTION[recipe["flow_format"]],
        "solubility": flow_line.SOLUBILITY,
    } | options
    return formulate(
        flow_line.synthesis_stocks(recipe), flow_line.exchange_stocks(recipe), recipe, **arguments
    )


def number(name):
    declared = next(p for p in flow_line.PARAMETERS if p.name == name)
    return st.floats(declared.low, declared.high)


recipes = st.fixed_dictionaries(
    {
        p.name: st.sampled_from(p.choices) if p.choices else number(p.name)
        for p in flow_line.PARAMETERS
    }
)


@settings(max_examples=60, deadline=None)
@given(recipes)
def test_mixed_stream_has_exactly_the_recipes_concentrations(recipe):
    made = make(recipe)
    synthesis = flow_line.synthesis_stocks(recipe)
    feed = mixed(synthesis, made.flows)
    lead = recipe["lead_concentration"]
    assert feed.lead == pytest.approx(lead, rel=1e-9)
    assert feed.caesium == pytest.approx(lead * recipe["cs_pb_ratio"], rel=1e-9)
    assert feed.bromide == pytest.approx(lead * recipe["br_pb_ratio"], rel=1e-9)
    assert feed.acid == pytest.approx(recipe["oleic_acid_fraction"] / 100, rel=1e-9)
    ligand = feed.acid + feed.amine
    assert ligand / (1 - ligand) == pytest.approx(recipe["ligand_solvent_ratio"], rel=1e-9)
    exchange = flow_line.exchange_stocks(recipe)
    if exchange:
        stream = mixed((*synthesis, *exchange), made.flows)
        assert stream.zinc == pytest.approx(recipe["salt_concentration"], rel=1e-9)
        assert stream.chloride + stream.iodide == pytest.approx(2 * stream.zinc, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(recipes)
def test_all_flows_and_the_carrier_sum_to_velocity_times_area(recipe):
    made = make(recipe)
    total = recipe["flow_velocity"] * np.pi / 4 * flow_line.GEOMETRY.bore**2
    assert made.liquid_flow + made.carrier_flow == pytest.approx(total, rel=1e-9)
    assert made.liquid_flow == pytest.approx(
        total * (1.0 if recipe["flow_format"] == "single_phase" else 0.5), rel=1e-9
    )


@settings(max_examples=40, deadline=None)
@given(recipes)
def test_achieved_recipe_inverts_the_formulation(recipe):
    made = make(recipe)
    back = achieved_recipe(
        flow_line.synthesis_stocks(recipe), flow_line.exchange_stocks(recipe), made.flows
    )
    for name, value in back.items():
        assert value == pytest.approx(recipe[name], rel=1e-7), name
    assert ("ligand_ratio" in back) == (recipe["halide_salt"] != "none")


def test_reference_recipe_can_be_made():
    assert make(REFERENCE).violations == ()
    assert make(WITH_SALT).violations == ()


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        ({"ligand_solvent_ratio": 0.03, "oleic_acid_fraction": 6.0}, "flow_amine_c18"),
        ({"oleic_acid_fraction": 1.8, "lead_concentration": 15, "cs_pb_ratio": 1.5}, "flow_acid"),
        ({"lead_concentration": 15, "cs_pb_ratio": 1.9}, "caesium_in_feed"),
        ({"lead_concentration": 20, "br_pb_ratio": 7.5}, "bromide_in_feed"),
    ],
)
def test_recipes_that_the_stocks_cannot_make_are_refused(change, quantity):
    found = make(REFERENCE | change).violations
    assert any(v.quantity.startswith(quantity) for v in found)
    for violation in found:
        assert f"{violation.value:.4g}" in violation.message


def test_turndown_names_the_pump_with_flow_and_limit():
    recipe = REFERENCE | {"br_pb_ratio": 2.52, "flow_velocity": 12.0, "lead_concentration": 2.0}
    (violation,) = make(recipe).violations
    assert violation.quantity == "flow_ammonium_bromide"
    assert violation.unit == "µL/s"
    assert 0.0 < violation.value < flow_line.PUMP_LIMITS.minimum
    assert violation.limit == ">= 0.005"


def test_too_fast_a_flow_is_refused():
    found = make(REFERENCE, area=2.0).violations
    assert any(v.limit == "<= 20" for v in found)


def test_a_flow_of_exactly_zero_is_no_turndown():
    recipe = REFERENCE | {"br_pb_ratio": 2.5}
    made = make(recipe)
    assert made.flows["ammonium_bromide"] == 0.0
    assert made.violations == ()


def test_reservoirs_run_out():
    stock = Stock("a", Contents(), "synthesis", FlowLimits(0.1, 9.0), reservoir=100.0)
    assert reservoir_violations([stock], {"a": 1.0}, 100.0) == []
    (violation,) = reservoir_violations([stock], {"a": 1.0}, 101.0)
    assert violation.quantity == "volume_a"
    assert violation.value == pytest.approx(101.0)


def test_nothing_flowing_has_no_contents():
    with pytest.raises(ValueError, match="positive total flow"):
        mixed(flow_line.synthesis_stocks(REFERENCE), {})


def test_ligand_length_is_the_mean_over_ligand_volume():
    limits = FlowLimits(0.1, 9.0)
    short = Stock("short", Contents(acid=0.2, ligand_length=8.0), "synthesis", limits)
    long = Stock("long", Contents(amine=0.4, ligand_length=18.0), "synthesis", limits)
    stream = mixed([short, long], {"short": 2.0, "long": 1.0})
    assert stream.ligand_length == pytest.approx(13.0)
