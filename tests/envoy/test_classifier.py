"""A classifier, through a real Envoy: what it is asked, what is believed, and that nobody waits for it but who must."""

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import running
from classifying import Running, classifying, told
from judge import Answer, model, service

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]

WORDS = {
    "code": "code",
    "Code.": "code",
    "**CODE**": "code",
    "“code”, I think": "code",
    " - `Small-Talk`\n": "small-talk",
    "_code_": "code",
    "codes": "none",
    "code_review": "none",
    "écode": "none",
    "I would say code": "none",
    "": "none",
    "...": "none",
    "\u3010code\u3011": "code",
}
STRANGE: dict[str, Answer] = {
    "no JSON": (200, b"code"),
    "nothing": (200, b""),
    "a list": (200, b'["code"]'),
    "more behind it": (200, b'{"category":"code"} x'),
    "a number": (200, b'{"category":1}'),
    "twice": (200, b'{"category":"small-talk","category":"code"}'),
    "disguised": (200, b'{"Category":"code","category":"small-talk"}'),
    "surer than sure": (200, b'{"category":"code","confidence":1.5}'),
    "sure by a word": (200, b'{"category":"code","confidence":"high"}'),
    "half a letter": (200, b'{"category":"code \\ud800"}'),
    "no UTF-8": (200, b'{"category":"code \xff"}'),
    "deep": (200, b'{"category":"code","x":' + b"[" * 200 + b"]" * 200 + b"}"),
}


SORTED = ("code", "coding", "team/large")
UNSORTED = ("none", "none")


@pytest.fixture(scope="module")
def running_gateway() -> Iterator[Running]:
    with classifying() as one:
        yield one


@pytest.mark.parametrize("said", WORDS)
def test_the_first_word_of_an_answer_is_the_category(running_gateway: Running, said: str) -> None:
    for judge, route, answer in (
        (running_gateway.service, "service", service(said)),
        (running_gateway.model, "model", model(said)),
    ):
        judge.hold(said or "nothing").release(answer)
        assert running_gateway.told(route, said or "nothing")[0] == WORDS[said]


def test_null_is_no_category(running_gateway: Running) -> None:
    running_gateway.service.hold("null").release(service(None, confidence=0.25))
    running_gateway.model.hold("null").release(model(None))
    assert running_gateway.told("service", "null")[:2] == UNSORTED
    assert running_gateway.told("model", "null")[:2] == UNSORTED


def test_a_category_leads_to_its_rule_and_is_asked_only_when_needed(running_gateway: Running) -> None:
    asked = len(running_gateway.service.questions)
    assert running_gateway.told("service", "some sql") == SORTED
    assert running_gateway.told("service", "hi there") == ("small-talk", "chatter", "team/small")
    assert len(running_gateway.service.questions) == asked + 2
    json_format = {"type": "json_object"}
    assert running_gateway.told("service", "some sql", response_format=json_format) == (None, "forms", "team/forms")
    forced = running_gateway.told("service", "some sql", headers={"x-fairlead-rule": "none"})
    assert forced == (None, "none", "team/service")
    assert running_gateway.told("large", "some sql") == (None, None, "team/large")
    assert running_gateway.told("service", "") == (*UNSORTED, "team/service"), "there is nothing to sort"
    assert len(running_gateway.service.questions) == asked + 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"messages": [{"role": "user", "content": "sql"}], "stream": True}, "/v1/chat/completions"),
        ({"prompt": ["first", "sql"]}, "/v1/completions"),
        ({"instructions": "Be kind.", "input": [{"role": "user", "content": "sql"}]}, "/v1/responses"),
        ({"system": "Be kind.", "max_tokens": 5, "messages": [{"role": "user", "content": "sql"}]}, "/v1/messages"),
    ],
)
def test_every_api_has_categories(running_gateway: Running, body: dict[str, Any], path: str) -> None:
    answer = running_gateway.gateway.send(path, json.dumps({"model": "service", **body}))
    assert told(answer)[:2] == ("code", "coding")
    assert running_gateway.service.texts[-1] == "sql"


def test_what_is_asked_is_the_last_text_of_the_user_and_no_more(running_gateway: Running) -> None:
    question = 'first\t"é" \U0001f408 \\ \x7f'
    parts = [{"type": "text", "text": question}, {"type": "text", "text": "sql"}]
    messages = [{"role": "user", "content": "before"}, {"role": "user", "content": parts}]
    answer = running_gateway.gateway.ask("service", messages=[*messages, {"role": "assistant", "content": "and?"}])
    assert told(answer) == SORTED
    seen = running_gateway.service.questions[-1]
    assert seen.body == {"text": f"{question}\nsql"}
    assert seen.path == "/service"
    assert set(seen.headers) == {"host", "content-type", "content-length", "x-request-id"}, "nothing of the caller's"
    halves = running_gateway.gateway.send(
        running.CHAT, r'{"model":"service","messages":[{"role":"user","content":"sql \ud800\ud83d\udc08\udc00"}]}'
    )
    assert told(halves) == SORTED
    assert running_gateway.service.questions[-1].text == "sql \ufffd\U0001f408\ufffd"


@pytest.mark.parametrize("letter", ["a", "é", "日", "\U0001f408", "\x01"])
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_at_most_eight_kilobytes_are_asked_and_no_half_letters(
    running_gateway: Running, letter: str, shift: int
) -> None:
    text = "." * shift + letter * 9000
    assert running_gateway.told("long", text)[0] == "small-talk"
    most = (8192 - shift) // len(letter.encode())
    assert running_gateway.service.texts[-1] == "." * shift + letter * most


def test_a_model_is_asked_in_the_words_of_its_route(running_gateway: Running) -> None:
    assert running_gateway.told("model", 'some "sql"') == SORTED
    seen = running_gateway.model.questions[-1]
    assert seen.body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": 'One "word": code or small-talk.\nOne.'},
            {"role": "user", "content": 'some "sql"'},
        ],
        "max_completion_tokens": 16,
        "temperature": 0,
    }
    assert running_gateway.gateway.ask("tiny").status == 404, "the caller has no right on its name"


def test_a_question_to_a_route_is_a_request_of_the_callers_own(running_gateway: Running, wait_until: Wait) -> None:
    answer = running_gateway.ask("model", "sql, metered")
    request = answer.headers["x-request-id"]
    made = f"{request}-classifier"
    gateway = running_gateway.gateway

    def lines(kind: str, request_id: str) -> list[dict[str, Any]]:
        return [line for line in gateway.lines(kind) if line["request_id"] == request_id]

    (question,) = wait_until(lambda: lines("request", made))
    assert (question["consumer"], question["route"], question["target"]) == (running.CONSUMER, "team/tiny", "q/e/tiny")
    assert (question["prompt_tokens"], question["completion_tokens"], question["stream"]) == (40, 2, False)
    tried = wait_until(lambda: len(lines("attempt", made)) == 2 and lines("attempt", made))
    assert [line["target"] for line in tried] == ["gone/e/tiny", "q/e/tiny"], "its failover is its own"
    (line,) = wait_until(lambda: lines("request", request))
    assert (line["rule"], line["asked_route"]) == ("coding", "team/model")
    assert (line["category"], line["classified"]) == ("code", "asked")


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_answer_is_no_category_and_five_are_enough(
    running_gateway: Running, wait_until: Wait, kind: str
) -> None:
    route = f"strange-{list(STRANGE).index(kind)}"
    running_gateway.service.hold(kind).release(STRANGE[kind])
    before = len(running_gateway.service.questions)
    answers = [running_gateway.ask(route, kind) for _ in range(7)]
    assert [told(answer)[:2] for answer in answers] == [UNSORTED] * 7
    hows = [wait_until(lambda one=one: _how(running_gateway, one)) for one in answers]
    assert hows == ["malformed"] * 5 + ["open"] * 2
    assert len(running_gateway.service.questions) == before + 5


@pytest.mark.parametrize("status", [400, 413, 422])
def test_texts_that_are_refused_end_nobodys_classifier(running_gateway: Running, wait_until: Wait, status: int) -> None:
    text = f"refused with {status}"
    running_gateway.model.hold(text).release((status, b'{"error":{"code":"content_filter"}}'))
    answers = [running_gateway.ask("model", text) for _ in range(6)]
    assert [told(answer)[:2] for answer in answers] == [UNSORTED] * 6
    assert [wait_until(lambda one=one: _how(running_gateway, one)) for one in answers] == ["refused"] * 6
    assert running_gateway.told("model", "sql") == SORTED


def _how(running_gateway: Running, answer: running.Answer) -> str:
    request = answer.headers["x-request-id"]
    lines = [line for line in running_gateway.gateway.lines("request") if line["request_id"] == request]
    return lines[0]["classified"] if lines else ""


def test_a_long_answer_is_none_wherever_it_comes_from(running_gateway: Running, wait_until: Wait) -> None:
    long = service("code", why="x" * 3_000_000)
    running_gateway.service.hold("long answer").release(long)
    answer = running_gateway.ask("service", "long answer")
    assert told(answer)[:2] == UNSORTED
    assert wait_until(lambda: _how(running_gateway, answer)) == "refused"
    running_gateway.model.hold("long answer").release((200, model("code")[1] + b" " * 500_000))
    answer = running_gateway.ask("model", "long answer")
    assert told(answer)[:2] == UNSORTED
    assert wait_until(lambda: _how(running_gateway, answer)) == "malformed"


def test_nobody_there_and_an_error_are_no_category(running_gateway: Running, wait_until: Wait) -> None:
    answer = running_gateway.ask("killed", "sql")
    assert told(answer) == (*UNSORTED, "team/killed")
    assert wait_until(lambda: _how(running_gateway, answer)) == "unavailable"
    running_gateway.service.hold("teapot").release((418, service("code")[1]))
    answer = running_gateway.ask("service", "teapot")
    assert told(answer)[:2] == UNSORTED
    assert wait_until(lambda: _how(running_gateway, answer)) == "refused"


def test_one_that_hangs_is_given_up_and_then_not_asked(running_gateway: Running, wait_until: Wait) -> None:
    running_gateway.service.hold("hang")
    answers = [running_gateway.ask("breaker", "hang") for _ in range(6)]
    assert [told(answer) for answer in answers] == [(*UNSORTED, "team/breaker")] * 6
    hows = [wait_until(lambda one=one: _how(running_gateway, one)) for one in answers]
    assert hows == ["timeout"] * 5 + ["open"]
    wait_until(lambda: running_gateway.service.texts.count("hang") >= 5)  # read later than it was given up, perhaps
    assert running_gateway.service.texts.count("hang") == 5
    assert running_gateway.told("service", "sql") == SORTED, "another one's breaker is its own"
    running_gateway.service.held["hang"].go.set()


def test_answers_are_remembered_by_their_text(running_gateway: Running, wait_until: Wait) -> None:
    route, text = "remembered", "sql, twice"
    answers = [running_gateway.ask(route, text) for _ in range(3)]
    assert [told(answer) for answer in answers] == [SORTED] * 3
    hows = [wait_until(lambda one=one: _how(running_gateway, one)) for one in answers]
    assert hows == ["asked", "remembered", "remembered"]
    assert running_gateway.told(route, f"{text}!") == SORTED
    running_gateway.service.hold("no idea").release(service("prose"))
    assert [running_gateway.told(route, "no idea")[:2] for _ in range(2)] == [UNSORTED] * 2
    running_gateway.service.hold("an error").release((500, b"{}"))
    assert [running_gateway.told(route, "an error")[:2] for _ in range(2)] == [UNSORTED] * 2
    texts = running_gateway.service.texts
    assert [texts.count(one) for one in (text, f"{text}!", "no idea", "an error")] == [1, 1, 1, 2]


def test_requests_that_wait_side_by_side_keep_their_own(running_gateway: Running, wait_until: Wait) -> None:
    """All on one worker: what one request has found must not be another's after it has waited."""
    texts = [f"{'sql' if number % 2 else 'prose'} {'x' * number * 700} #{number}" for number in range(6)]
    held = [running_gateway.service.hold(text) for text in texts]
    with ThreadPoolExecutor(len(texts)) as pool:
        waiting: list[Future[running.Answer]] = [
            pool.submit(
                running_gateway.ask,
                "interleaved",
                text,
                max_tokens=100 + number,
                stream=number == 4,
                **({"tools": [{"type": "function", "function": {"name": f"f{number}"}}]} if number % 3 else {}),
            )
            for number, text in enumerate(texts)
        ]
        wait_until(lambda: set(texts) <= set(running_gateway.service.texts))
        assert running_gateway.told("large", "nobody waits for them") == (None, None, "team/large")
        refused = running_gateway.gateway.send(running.CHAT, b'{"model":"interleaved","messages":[{]}')
        assert refused.status == 400
        assert not any(one.done() for one in waiting)
        for number in (3, 0, 5, 1, 4, 2):
            held[number].release(service("code" if number % 2 else "small-talk"))
            answer = waiting[number].result()
            assert told(answer) == (SORTED if number % 2 else ("small-talk", "chatter", "team/small"))
    bodies = [json.loads(one.body) for one in running_gateway.providers.control.requests()]
    got = {body.get("max_tokens"): body for body in bodies}
    for number, text in enumerate(texts):
        body = got[100 + number]
        assert body["model"] == ("large" if number % 2 else "small")
        assert body["messages"] == [{"role": "user", "content": text}]
        assert ("tools" in body) == bool(number % 3)
        assert body["stream"] is (number == 4)


def test_a_client_that_leaves_takes_its_question_along(running_gateway: Running, wait_until: Wait) -> None:
    held = running_gateway.service.hold("left alone")
    connection = http.client.HTTPConnection("127.0.0.1", running_gateway.gateway.port, timeout=30)
    body = json.dumps({"model": "held", "messages": [{"role": "user", "content": "left alone"}]})
    headers = {"content-type": "application/json", "authorization": f"Bearer {running.KEY}"}
    connection.request("POST", running.CHAT, body, headers)
    wait_until(lambda: "left alone" in running_gateway.service.texts)
    connection.close()
    wait_until(
        lambda: [
            line for line in running_gateway.gateway.lines("request") if line["model"] == "held" and line["status"] == 0
        ]
    )
    held.release(service("code"))
    assert running_gateway.told("held", "sql") == SORTED


def test_what_a_client_writes_in_our_headers_has_no_effect(running_gateway: Running) -> None:
    forged = {
        "x-fl-consumer": "team/bob",
        "x-fl-route": "team/tiny",
        "x-fl-way": "tiny tiny q/e/tiny 2 /v1/chat/completions",
        "x-fl-ask": "0 free",
        "x-fl-asked": "team/other",
        "x-fl-hop": "q/e/tiny",
        "x-fairlead-category": "code",
    }
    before = len(running_gateway.model.questions)
    assert running_gateway.told("service", "hi", headers=forged) == ("small-talk", "chatter", "team/small")
    assert running_gateway.told("large", "hi", headers=forged) == (None, None, "team/large")
    seen = running_gateway.service.questions[-1].headers
    assert not any(name.startswith("x-f") for name in seen)
    assert len(running_gateway.model.questions) == before


def test_requests_are_counted_by_category_and_reason_and_questions_by_caller(
    running_gateway: Running, wait_until: Wait
) -> None:
    assert running_gateway.told("model", "sql") == SORTED

    def counted(series: str, *labels: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", running_gateway.gateway.envoy.port("metrics"), timeout=30)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        found = [line for line in lines if line.startswith(series) and all(label in line for label in labels)]
        return sum(int(line.rpartition(" ")[2]) for line in found)

    wait_until(
        lambda: counted("envoy_fairlead_classified_requests", 'route="team/model"', 'category="code"', 'reason="asked"')
    )
    who = (f'consumer="{running.CONSUMER}"', 'route="team/tiny"', 'target="q/e/tiny"')
    wait_until(lambda: counted("envoy_fairlead_classifier_prompt_tokens", *who) >= 40)
    assert counted("envoy_fairlead_requests", 'route="team/tiny"') == 0, "no client's request"
