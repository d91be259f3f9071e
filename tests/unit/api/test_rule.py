from fairlead.api.rule import Rule, repeated


def test_a_rule_that_holds_is_broken_nowhere() -> None:
    rule = Rule(holds=lambda value: value == 1, cel="self == 1", message="want `1`", field="a")
    assert rule.broken_at(1) == ()


def test_a_broken_rule_names_its_field() -> None:
    rule = Rule(holds=lambda value: value == 1, cel="self == 1", message="want `1`", field="a")
    assert rule.broken_at(2) == ("a",)


def test_a_rule_with_places_names_each() -> None:
    rule = Rule(holds=lambda _: False, places=lambda _: ["a[0]", "a[2]"], cel=None, message="want less")
    assert rule.broken_at({}) == ("a[0]", "a[2]")


def test_repeated_gives_the_later_ones() -> None:
    assert repeated(["a", "b", "a", "a"]) == (2, 3)
