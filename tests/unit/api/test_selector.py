from fairlead.api.schema import of_part
from fairlead.api.selector import Consumers, From, LabelSelector, Namespaces
from fairlead.api.validation import judge


def test_the_default_is_the_own_namespace() -> None:
    assert Consumers().namespaces.from_ is From.SAME


def test_an_empty_selector_is_well_formed_and_selects_all() -> None:
    assert judge(of_part(LabelSelector), {}, "selector")[1] == ()
    assert LabelSelector() == LabelSelector(match_labels={}, match_expressions=())


def test_defaults_are_filled_in_at_every_depth() -> None:
    assert judge(of_part(Consumers), {"namespaces": {}}, "consumers")[0] == {"namespaces": {"from": "Same"}}


def test_a_selector_is_one_value_for_server_side_apply() -> None:
    assert of_part(LabelSelector).atomic
    assert not of_part(Namespaces).atomic
