import numpy as np
import pytest

from surrogate_sim.parameters import TABLES, draw, nominal, table, twin_parameters


@pytest.mark.parametrize("name", TABLES)
def test_every_constant_has_unit_source_and_a_prior_where_it_is_drawn(name):
    for key, constant in table(name).items():
        assert constant.unit and constant.source, key
        if constant.status == "calibrated":
            assert constant.prior_sd > 0.0, f"{key} is drawn but has no width"
        else:
            assert constant.prior_sd == 0.0, f"{key} has a width but is never drawn"


@pytest.mark.parametrize("name", [n for n in TABLES if n != "materials"])
@pytest.mark.parametrize("seed", range(12))
def test_draws_stay_within_two_deviations_and_keep_their_sign(name, seed):
    lab = twin_parameters(name, seed)
    for read, drawn in ((name, lab.own), ("materials", lab.materials)):
        for key, constant in table(read).items():
            ends = sorted(constant.drawn(s) for s in (-2.0, 2.0))
            assert ends[0] <= drawn[key] <= ends[1], key
            if constant.distribution == "lognormal":
                assert drawn[key] * constant.value > 0.0, f"{key} changed its sign"


def test_a_hidden_lab_differs_from_the_nominal_and_from_others_but_not_from_itself():
    first, again, other = draw(7), draw(7), draw(8)
    assert dict(first.flow) == dict(again.flow)
    for key, constant in table("flow").items():
        if constant.status == "calibrated":
            assert first.flow[key] != nominal().flow[key], key
            assert first.flow[key] != other.flow[key], key
        else:
            assert first.flow[key] == nominal().flow[key], key


def test_draws_follow_their_prior():
    constant = table("larp_plate")["arrest_rate"]
    assert constant.distribution == "lognormal"
    drawn = np.log([twin_parameters("larp_plate", s).own["arrest_rate"] for s in range(300)])
    assert drawn.mean() == pytest.approx(np.log(constant.value), abs=0.15 * constant.prior_sd)
    # a normal cut at two deviations has 0.88 of its width
    assert drawn.std() == pytest.approx(0.88 * constant.prior_sd, rel=0.12)


def test_effects_by_name_belong_to_hidden_labs_only():
    assert nominal().keyed_normal("pump", "lead") == 0.0
    lab = draw(3)
    assert lab.keyed_normal("pump", "lead") == draw(3).keyed_normal("pump", "lead")
    assert lab.keyed_normal("pump", "lead") != lab.keyed_normal("batch", "lead")
    assert lab.keyed_normal("pump", "lead") != lab.keyed_normal("pump", "acid")


def test_mistakes_are_answered():
    with pytest.raises(KeyError, match="arrest_rate"):
        twin_parameters("larp_plate").own["arest_rate"]
    with pytest.raises(ValueError, match="at least 0, but got -1"):
        draw(-1)
    with pytest.raises(ValueError, match="but got 'rocks'"):
        table("rocks")
