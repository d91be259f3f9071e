from collections.abc import Callable

import pytest

from fairlead.api.conditions import ConditionType, Reason
from fairlead.api.meta import ObjectKey, ObjectMeta
from fairlead.api.problem import Problem
from fairlead.api.resource import Resource
from fairlead.translate.diagnostics import Diagnostics, Served, Standing, Versions, resolve


class Thing(Resource):
    """Means what its name says."""

    kind = "Thing"


WHOLE, PARTLY, NOT_AT_ALL, REFUSED = "whole", "partly", "not-at-all", "refused"
KEY = ObjectKey("Thing", "team", "x")


def thing(name: str) -> Thing:
    return Thing(metadata=ObjectMeta(name=name, namespace="team"))


def meaning(written: Thing, diagnostics: Diagnostics) -> str | None:
    name = written.metadata.name.partition(".")[0]
    if name == PARTLY:
        diagnostics.miss(Reason.MODEL_NOT_FOUND, "spec.a", "got x")
    if name == NOT_AT_ALL:
        diagnostics.miss(Reason.PROVIDER_NOT_FOUND, "spec.b", "got y")
        diagnostics.give_up()
    if name == REFUSED:
        diagnostics.refuse(Reason.NAMESPACE_NOT_ALLOWED, "spec.c", "got z")
        return None
    return written.metadata.name


def run(current: str | None, last_good: str | None) -> tuple[Served, str | None, Diagnostics]:
    asked = [] if last_good is None else [thing(last_good)]
    resolved = resolve(
        Versions(
            key=KEY,
            generation=2,
            current=None if current is None else thing(current),
            problems=() if current is not None else (Problem("spec", "got nonsense"),),
            last_good=(lambda: asked[0]) if asked else None,
        ),
        meaning,
    )
    assert resolved.known is (last_good is not None)
    return resolved.served, resolved.value, resolved.diagnostics


@pytest.mark.parametrize(
    ("current", "last_good", "served", "value", "reason"),
    [
        ("whole", None, Served.CURRENT, "whole", "the usual case"),
        ("whole", "whole.old", Served.CURRENT, "whole", "a good edit"),
        ("partly", None, Served.CURRENT, "partly", "what is left serves"),
        ("partly", "whole.old", Served.LAST_GOOD, "whole.old", "a broken edit: the old version is whole"),
        ("partly", "partly.old", Served.CURRENT, "partly", "a dependency vanished: both lack it, the new one serves"),
        ("partly", "partly", Served.CURRENT, "partly", "the version did not change"),
        ("not-at-all", "partly.old", Served.LAST_GOOD, "partly.old", "better in part than not at all"),
        ("not-at-all", "not-at-all.old", Served.NOTHING, "not-at-all", "nothing serves; the names are known"),
        ("not-at-all", None, Served.NOTHING, "not-at-all", "never good, absent"),
        ("refused", "whole.old", Served.LAST_GOOD, "whole.old", "an edit that is not allowed"),
        ("refused", "not-at-all.old", Served.NOTHING, "not-at-all.old", "the old version tells the names"),
        ("refused", None, Served.NOTHING, None, "never good, absent"),
        (None, "whole.old", Served.LAST_GOOD, "whole.old", "cannot be decoded"),
        (None, "partly.old", Served.LAST_GOOD, "partly.old", "cannot be decoded, and a dependency vanished"),
        (None, "refused.old", Served.NOTHING, None, "neither version is allowed"),
        (None, None, Served.NOTHING, None, "never good, absent"),
    ],
)
def test_the_version_that_stands_better_serves(
    current: str | None, last_good: str | None, served: Served, value: str | None, reason: str
) -> None:
    assert run(current, last_good)[:2] == (served, value), reason


def test_findings_are_those_of_the_version_that_is_written() -> None:
    assert run("partly", "whole.old")[2].diagnostics[0].reason is Reason.MODEL_NOT_FOUND
    assert run(None, "partly.old")[2].diagnostics[0].reason is Reason.MODEL_NOT_FOUND, "it tells why not all serves"


def test_a_whole_version_needs_no_memory() -> None:
    def asked() -> Thing:
        raise AssertionError("the last good version costs a decoding")

    resolve(Versions(key=KEY, generation=None, current=thing(WHOLE), problems=(), last_good=asked), meaning)


@pytest.mark.parametrize(
    ("say", "type_", "standing"),
    [
        (Diagnostics.refuse, ConditionType.ACCEPTED, Standing.NOT_AT_ALL),
        (Diagnostics.contest, ConditionType.ACCEPTED, Standing.WHOLE),
        (Diagnostics.miss, ConditionType.RESOLVED_REFS, Standing.PARTLY),
        (Diagnostics.note, ConditionType.RESOLVED_REFS, Standing.WHOLE),
    ],
)
def test_what_is_said_decides_what_serves(
    say: Callable[[Diagnostics, Reason, str, str], None], type_: ConditionType, standing: Standing
) -> None:
    diagnostics = Diagnostics()
    say(diagnostics, Reason.INVALID, "spec", "got x")
    assert diagnostics.standing is standing
    assert [diagnostic.type for diagnostic in diagnostics.diagnostics] == [type_]


def test_nothing_good_follows_from_giving_up() -> None:
    diagnostics = Diagnostics()
    diagnostics.give_up()
    diagnostics.miss(Reason.MODEL_NOT_FOUND, "spec", "got x")
    assert diagnostics.standing is Standing.NOT_AT_ALL
