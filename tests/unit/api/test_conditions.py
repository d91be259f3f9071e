import pytest

from fairlead.api.conditions import ABNORMAL, REASONS, Condition, ConditionStatus, ConditionType, Reason


def _condition(**fields: object) -> Condition:
    given = {
        "type": ConditionType.ACCEPTED,
        "status": ConditionStatus.TRUE,
        "reason": Reason.ACCEPTED,
        "message": "the object is as it should be",
    }
    return Condition(**{**given, **fields})  # type: ignore[arg-type]


def test_every_type_has_reasons_for_every_status() -> None:
    whole = {(kind, status) for kind in ConditionType for status in ConditionStatus if kind not in ABNORMAL}
    assert set(REASONS) == whole | {(kind, ConditionStatus.TRUE) for kind in ABNORMAL}
    assert all(REASONS.values())


def test_every_reason_belongs_somewhere() -> None:
    assert {reason for reasons in REASONS.values() for reason in reasons} == set(Reason)


def test_words_are_found_by_value_and_say_what_they_mean() -> None:
    assert Reason("NameConflict") is Reason.NAME_CONFLICT
    assert all(word.doc.endswith(".") for word in (*ConditionType, *Reason))


def test_a_condition_keeps_what_it_is_given() -> None:
    assert _condition(observed_generation=3).observed_generation == 3


def test_a_reason_of_another_type_is_a_bug() -> None:
    with pytest.raises(ValueError, match="Accepted=True has no reason NameConflict"):
        _condition(reason=Reason.NAME_CONFLICT)


def test_a_message_of_two_lines_is_a_bug() -> None:
    with pytest.raises(ValueError, match="one"):
        _condition(message="one\ntwo")
