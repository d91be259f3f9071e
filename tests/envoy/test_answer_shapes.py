"""An answer of 200 has what its endpoint's clients read: what lacks it (`{}`, a `detail`) is a failed attempt."""

import json
from collections.abc import Iterator

import pytest
from running import Gateway, gateway, plan, route, target
from scripted import JSON, Script, ScriptedProvider

from fairlead import ir

pytestmark = pytest.mark.envoy

LISTS = {
    "/v1/chat/completions": "choices",
    "/v1/completions": "choices",
    "/v1/responses": "output",
    "/v1/messages": "content",
    "/v1/embeddings": "data",
}
NO_ANSWERS = {
    "nothing said": "{}",
    "a detail": '{"detail":"Not Found"}',
    "a message": '{"message":"no route","code":404}',
    "null": '{"id":"x","%s":null}',
    "no list": '{"id":"x","%s":{"a":[1]}}',
    "the list of another": '{"id":"x","results":[{"%s":[1]}]}',
    "its name as a value": '{"id":"%s"}',
    "an error in another's shape": '{"error":{"message":"m"},"%s":[]}',
    "an error behind an escape": '{"\\u0061":1,"error":"m"}',
}
ANSWERS = {
    "plain": '{"%s":[{}]}',
    "empty": '{"id":"x","%s":[]}',
    "behind blanks": '{ "id" : "x" ,\n "a" : {"b":"]}"} , "%s" : [ 1 ] }',
    "behind an odd key": '{"na\\u00efve \\"":1,"%s":[1]}',
    "with members of its own": '{"detail":"x","%s":[1],"error":null}',
}


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as one:
        yield one


@pytest.fixture(scope="module")
def running(provider: ScriptedProvider) -> Iterator[Gateway]:
    patient = ir.Breaker(consecutive_failures=100_000, open_for_ms=1)
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    one = target("p/e/m", provider, upstream=upstream, breaker=patient)  # type: ignore[arg-type]
    chat = route("team/chat", plan("team/chat/0", last=one), max_attempts=1)
    vectors = route("team/vectors", plan("team/vectors/0", last=one, kind=ir.ModelKind.EMBEDDING), max_attempts=1)
    orders = route("team/orders", plan("team/orders/0", last=one, kind=ir.ModelKind.RERANK), max_attempts=1)
    images = route("team/images", plan("team/images/0", last=one, kind=ir.ModelKind.IMAGE), max_attempts=1)
    ladders = {f"team/{name}/0": (one,) for name in ("chat", "vectors", "images", "orders")}
    with Gateway(gateway({"chat": chat, "vectors": vectors, "images": images, "orders": orders}, ladders)) as started:
        yield started


def status(running: Gateway, provider: ScriptedProvider, path: str, body: str, *, chunked: bool = False) -> int:
    """Ask where the provider answers so; 502 = a failed attempt."""
    provider.script = Script(pieces=(body.encode(),), content_type=JSON, chunked=chunked)
    answer = running.ask("vectors" if path == "/v1/embeddings" else "chat", path=path)
    assert answer.status == 200 or json.loads(answer.body)["error"]["message"]
    return answer.status


@pytest.mark.parametrize("path", LISTS)
def test_what_clients_cannot_read_is_no_answer(running: Gateway, provider: ScriptedProvider, path: str) -> None:
    bodies = {case: body.replace("%s", LISTS[path]) for case, body in NO_ANSWERS.items()}
    seen = {case: status(running, provider, path, body) for case, body in bodies.items()}
    assert seen == dict.fromkeys(bodies, 502)


@pytest.mark.parametrize("path", LISTS)
def test_what_they_can_read_passes_whatever_stands_beside_it(
    running: Gateway, provider: ScriptedProvider, path: str
) -> None:
    bodies = {case: body.replace("%s", LISTS[path]) for case, body in ANSWERS.items()}
    seen = {case: status(running, provider, path, body) for case, body in bodies.items()}
    assert seen == dict.fromkeys(bodies, 200)


def test_so_it_is_in_chunks(running: Gateway, provider: ScriptedProvider) -> None:
    path = "/v1/chat/completions"
    assert status(running, provider, path, "{}", chunked=True) == 502
    assert status(running, provider, path, '{"choices":[]}', chunked=True) == 200


def test_pictures_in_chunks_are_as_long_as_they_like(running: Gateway, provider: ScriptedProvider) -> None:
    picture = b'{"b64_json":"' + b"a" * (1 << 20) + b'"}'
    pieces = (b'{"data":[', *[picture + b","] * 19, picture + b"]}")
    provider.script = Script(pieces=pieces, content_type=JSON, chunked=True)
    answer = running.ask("images", path="/v1/images/generations")
    assert (answer.status, answer.body == b"".join(pieces)) == (200, True), "20 MiB, and gateways hold 16"


@pytest.mark.parametrize(
    ("body", "expected"), [('{"results":[]}', 200), ('{"object":"list","data":[{"index":0}]}', 200), ('{"a":[]}', 502)]
)
def test_an_order_has_one_of_two_names(running: Gateway, provider: ScriptedProvider, body: str, expected: int) -> None:
    provider.script = Script(pieces=(body.encode(),), content_type=JSON)
    assert running.ask("orders", path="/v1/rerank").status == expected
