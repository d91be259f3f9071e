"""What gateways send, read as plain values."""

from typing import Any

import pytest

from fairlead.budget.attempt import Attempt
from fairlead.budget.belief import NOTHING_SAID, Claim
from fairlead.budget.estimate import Ask
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.descriptor import Check, Report, check
from fairlead.budgetserver.lease_words import Want
from fairlead.budgetserver.messages import Request

WORDS = {
    "consumer": "t/a",
    "id": "x1",
    "model": "chat",
    "bytes": "121",
    "route": "t/chat",
    "reservation": "t/a|x1",
    "target": "p/e/m",
    "stream": "true",
    "status": "200",
    "flags": "-",
    "attempts": "2",
    "sent": "1408",
    "gateway": "eu-1",
}


COUNTED = "1 11 22 4 3 2 5 6"
TRIED = {
    "wire": "900",
    "duration": "1200",
    "tried": "1795906512236,400,p/e/m",
    "failed": "-",
    "lost": "-",
    "asked": "-",
    "cluster": "@t/chat/0",
    "counts": "counts-asked",
    "back": "-",
}


def text(usage: str = COUNTED, ask: str = "77 4", **changes: str) -> str:
    words = WORDS | TRIED | changes
    names = (*descriptor.REPORT, *descriptor.ATTEMPTS)
    return " ".join(words[name] for name in names) + f" ; {ask} ; {usage}"


def report(usage: str = COUNTED, ask: str = "77 4", **changes: str) -> Report:
    return descriptor.report(text(usage, ask, **changes))


NUMBERS = [
    ("512", 512, "a number"),
    ("-", None, "not said"),
    ("-1", None, "not known"),
    ("1e9", None, "in another form"),
    ("\u0661\u0662", None, "digits of another script"),
    ("9" * 16, None, "longer than any number of bytes or tokens"),
]


@pytest.mark.parametrize(("text", "number", "why"), NUMBERS, ids=[case[-1] for case in NUMBERS])
def test_numbers(text: str, number: int | None, why: str) -> None:
    found = check(f"t/a x chat {text} t/chat {text} 1")
    assert (found.body_bytes, found.output_limit) == (number, number), why


def test_a_check() -> None:
    assert check("t/a x chat 121 t/chat 77 4") == Check(
        consumer="t/a", id="x", route="t/chat", model="chat", body_bytes=121, output_limit=77, choices=4
    )
    assert check("t/a x chat 121 t/chat - 0").choices == 1
    assert check("t/a x chat 121 t/chat - 1 of-a-later-version").choices == 1


def test_a_check_that_comes_before_its_directory() -> None:
    found = check("t/a x chat 121 t/chat -")
    assert (found.output_limit, found.choices) == (None, 1)


@pytest.mark.parametrize("words", ["", "t/a", "t/a x chat 121 t/chat"])
def test_too_few_words(words: str) -> None:
    with pytest.raises(ValueError, match="not enough"):
        check(words)
    with pytest.raises(ValueError, match="not enough"):
        descriptor.report(f"{words} ; - ; -")
    with pytest.raises(ValueError, match="not enough"):
        descriptor.report(words)


def message(*entries: tuple[str, str]) -> Any:
    request = Request(domain="fairlead")
    descriptor_ = request.descriptors.add()
    for key, value in entries:
        descriptor_.entries.add(key=key, value=value)
    return request


def test_messages() -> None:
    assert isinstance(descriptor.read(message(("check", "t/a x chat 121 t/chat 77 4"))), Check)
    assert isinstance(descriptor.read(message(("report", text()))), Report)


OTHER_VERSIONS = [
    (Request(), "got no descriptor", "nothing in it"),
    (message(), "got no descriptor", "an empty descriptor"),
    (message(("kind", "check"), ("consumer", "t/a")), "got `kind`, want `check` or `report`", "an entry per value"),
    (message(("check", "t/a")), "not enough", "too few words"),
    (message(("x" * 99, "")), "got `" + "x" * 40 + "`", "a message shows no more than it needs"),
]


@pytest.mark.parametrize(("request_", "error", "why"), OTHER_VERSIONS, ids=[case[-1] for case in OTHER_VERSIONS])
def test_messages_of_other_versions(request_: Any, error: str, why: str) -> None:
    with pytest.raises(ValueError, match=error):
        pytest.fail(f"{why}: {descriptor.read(request_)}")


def test_a_report() -> None:
    found = report()
    assert (found.metered, found.checked, found.stream, found.unanswered, found.rejected) == (True,) * 3 + (False,) * 2
    assert found.claim == Claim(
        said=True, input=11, output=22, cached=4, cache_write=3, cache_write_1h=2, audio_input=5, audio_output=6
    )
    assert (found.status, found.attempts, found.sent_bytes, found.body_bytes) == (200, 2, 1408, 121)
    assert (found.target, found.gateway) == ("p/e/m", "eu-1")


NONE = {"usage": "-"}
ENDS = [
    ({"status": "429", "flags": "RL", "attempts": "0", "target": "-"} | NONE, "rejected", True, "our own 429"),
    ({"status": "0", "flags": "DC", "attempts": "1"} | NONE, "unanswered", False, "it left: a provider worked"),
    ({"status": "0", "flags": "DC", "attempts": "0"} | NONE, "unanswered", True, "it left before anybody was asked"),
    ({"status": "503", "flags": "URX", "attempts": "4"} | NONE, "unanswered", True, "every rung failed"),
    ({"usage": "2 - 22 0 0 0 0 0"}, "metered", False, "one side is no count"),
    ({"usage": "2 - 22 0 0 0 0 0"}, "claim", Claim(said=True, output=22), "what there is of it is known"),
    ({"usage": "3 9 22 0 0 0 0 0"}, "claim", Claim(said=True, input=9, output=22, contradictory=True), "impossible"),
    ({"usage": "1 - 22 0 0 0 0 0"}, "metered", False, "complete, they say, but without a number"),
    ({"usage": "2 - - 0 0 0 0 0"}, "claim", Claim(said=True), "said, but not how much"),
    (NONE, "claim", NOTHING_SAID, "not a word"),
    ({"usage": ""}, "claim", NOTHING_SAID, "not a word, in the other spelling"),
    ({"ask": "-"}, "choices", 1, "no directory yet"),
    ({"ask": ""}, "output_limit", None, "no directory yet, in the other spelling"),
    ({"reservation": "-"}, "checked", False, "nobody answered the check"),
    ({"target": "-"}, "target", "", "nobody answered the request"),
    ({"flags": "UF,RL"}, "rejected", True, "one flag among others"),
]


@pytest.mark.parametrize(("changes", "name", "value", "why"), ENDS, ids=[case[-1] for case in ENDS])
def test_ends(changes: dict[str, str], name: str, value: object, why: str) -> None:
    assert getattr(report(**changes), name) == value, why


def test_a_report_of_attempts() -> None:
    found = report(failed="502", lost="0,1001,p/e/m;500,3,q/e/org/m")
    assert found.last == Attempt(target="p/e/m", status=502, elapsed_ms=1200)
    assert found.lost == (
        Attempt(target="p/e/m", status=0, elapsed_ms=1001),
        Attempt(target="q/e/org/m", status=500, elapsed_ms=3),
    )
    assert found.ask == Ask(body_bytes=121, output_limit=77, choices=4)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"wire": "400"}, id="nothing went out at the last attempt"),
        pytest.param({"wire": "-"}, id="nothing ever went out"),
        pytest.param({"tried": "-"}, id="nobody was asked"),
        pytest.param({"tried": ""}, id="nothing was noted"),
    ],
)
def test_nothing_was_sent(changes: dict[str, str]) -> None:
    assert report(**changes).last is None


def test_a_report_without_attempts() -> None:
    words = " ".join(WORDS[name] for name in descriptor.REPORT)
    found = descriptor.report(f"{words} ; - ; -")
    assert (found.last, found.lost, found.output_limit, found.choices) == (None, (), None, 1)


def test_the_check_of_a_copy() -> None:
    found = descriptor.shadow_check("t/a r1 chat 100 t/chat p/e/copy 50 2")
    assert found == descriptor.check("t/a r1 chat 100 t/chat 50 2")._replace(shadow="p/e/copy")
    unbounded = descriptor.shadow_check("t/a r1 chat - t/chat p/e/copy -")
    assert (unbounded.shadow, unbounded.body_bytes, unbounded.output_limit, unbounded.choices) == (
        "p/e/copy",
        None,
        None,
        1,
    )
    for words in ("", "t/a r1 chat 100 t/chat"):
        with pytest.raises(ValueError, match="values to unpack"):
            descriptor.shadow_check(words)


def test_policies_of_the_asked_route_count_what_another_answered() -> None:
    assert report().routes == (report().route,)
    assert report(asked="t/chat", route="t/small").routes == ("t/chat", "t/small")
    assert report(asked="t/chat,t/large", route="t/small").routes == ("t/chat", "t/large", "t/small")


def test_a_check_says_which_route_was_asked_where_a_rule_chose_another() -> None:
    words = "t/a r1 chat 9 t/large 50 1"
    assert check(f"{words} t/chat").routes == ("t/chat", "t/large")
    assert check(f"{words} -").routes == ("t/large",)
    assert check(words).routes == ("t/large",), "as a gateway of the version before sends it"


def test_what_costs_nothing_says_so() -> None:
    assert descriptor.check("t/a r1 chat 100 t/chat 0 free").free
    assert not descriptor.check("t/a r1 chat 100 t/chat 0 1").free
    words = " ".join(WORDS[name] for name in descriptor.REPORT)
    assert descriptor.report(f"{words} ; 0 free ; -").free
    assert not descriptor.report(f"{words} ; 0 1 ; -").free


def test_what_goes_on_from_an_answer_says_so() -> None:
    found = descriptor.check("t/a r1 chat 100 t/chat 50 1+ - true")
    assert (found.goes_on, found.choices, found.output_limit, found.stream) == (True, 1, 50, True)
    assert found.ask.goes_on
    assert not descriptor.check("t/a r1 chat 100 t/chat 50 1 - true").goes_on
    words = " ".join(WORDS[name] for name in descriptor.REPORT)
    reported = descriptor.report(f"{words} ; 50 1+ ; -")
    assert (reported.goes_on, reported.choices, reported.ask.goes_on) == (True, 1, True)
    assert not descriptor.report(f"{words} ; 50 1 ; -").goes_on


def test_an_answer_that_a_cascade_rejected_is_none_that_was_lost() -> None:
    found = report(lost="503,4,p/e/m;200,900,q/e/org/m,1,11,22,4,3,2,5,6;0,1001,p/e/m;200,9,r/e/m,2,-,22,0,0,0,0,0")
    assert [one.target for one in found.lost] == ["p/e/m", "p/e/m"]
    first, second = found.judged
    assert first.attempt == Attempt(target="q/e/org/m", status=200, elapsed_ms=900)
    assert (first.claim, first.metered) == (report().claim, True)
    assert (second.claim.input, second.claim.output, second.metered) == (None, 22, False)
    assert report(lost="200,9,p/e/m").judged == ()


def test_a_check_says_whether_a_stream_is_wanted() -> None:
    words = "t/a r1 chat 9 t/large 50 1"
    assert check(f"{words} t/chat true") == check(f"{words} t/chat")._replace(stream=True)
    assert check(f"{words} - false") == check(f"{words} -")
    early = check("t/a r1 chat 9 t/large - t/chat true")
    assert (early.output_limit, early.choices, early.stream) == (None, 1, True)


def test_a_check_asks_for_a_lease_and_gives_back_others() -> None:
    words = "t/a r1 chat 9 t/large 50 1 t/chat true"
    found = check(f"{words} 8,4096,900,2 a1:3-5;b2:32-32")
    assert found == check(words)._replace(
        want=Want(units=8, body_bytes=4096, output_limit=900, choices=2),
        back=("lease|a1.3", "lease|a1.4", "lease|a1.5", "lease|b2.32"),
    )
    assert check(f"{words} 99,1,-,1 -").want == Want(units=32, body_bytes=1, output_limit=None, choices=1)
    assert check(f"{words} - -") == check(words)


NOT_BACK = [
    ("a1:3", "no end"),
    ("a1:5-3", "backwards"),
    ("a1:0-3", "numbers begin at 1"),
    ("A1:1-3", "no name that a server makes"),
    ("a1:1-300", "more than any lease has"),
    ("|x:1-2", "another's reservation"),
    (";;", "nothing"),
]


@pytest.mark.parametrize(("word", "why"), NOT_BACK, ids=[case[-1] for case in NOT_BACK])
def test_what_is_not_understood_is_not_given_back(word: str, why: str) -> None:
    words = "t/a r1 chat 9 t/large 50 1 t/chat true -"
    assert check(f"{words} {word}").back == (), why
    assert check(f"{words} {word};c3:1-1").back == ("lease|c3.1",), "each stands for itself"


def test_a_report_says_that_a_lease_was_asked_for() -> None:
    asked = report(back="asked")
    assert (asked.asked_lease, asked.back) == (True, ())
    assert not report(back="a1:1-2").asked_lease


def test_what_is_given_back_is_bounded() -> None:
    word = ";".join(f"a{number}:1-99" for number in range(20))
    assert len(report(back=word).back) == 8 * 32
    assert report(back="a1:1-2;a1:2-3").back == ("lease|a1.1", "lease|a1.2", "lease|a1.3")


UNITS = [
    ("a1.3", "lease|a1.3", "a unit"),
    ("3f6b8c1e-0000-4000-8000-000000000000", "", "a check of its own"),
    ("none", "", "nothing is reserved"),
    ("-", "", "nobody answered"),
    ("a1.0", "", "numbers begin at 1"),
    ("a1.3.4", "", "not two of them"),
    ("t/a|x.3", "", "not of this form"),
]


@pytest.mark.parametrize(("word", "unit", "why"), UNITS, ids=[case[-1] for case in UNITS])
def test_a_report_names_its_unit(word: str, unit: str, why: str) -> None:
    assert report(reservation=word).unit == unit, why
