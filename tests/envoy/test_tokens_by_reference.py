"""The token filter finds by search what Python's parser finds by parsing every event, however a stream is cut."""

import http.client
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.gateways.upstream import HCM, ROUTER
from gateway import EnvoyProcess
from usage_reference import DECOYS, Maker, Stream, read

from fairlead.envoy import token_filter

pytestmark = pytest.mark.envoy

SEED = 20260601
SMALL, LARGE = 120, 12
MEGABYTES = 3 << 20
BETWEEN = "\1\1\1"
SPLIT = Path(__file__).with_name("split_filter.lua")


@pytest.fixture(scope="module")
def envoy() -> Iterator[EnvoyProcess]:
    lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    source = {"inline_string": f"{token_filter.source()}\n{SPLIT.read_text()}"}
    manager = {
        "@type": HCM,
        "stat_prefix": "split",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "-",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 500}}],
                }
            ]
        },
        "http_filters": [
            {"name": "split", "typed_config": {"@type": lua, "default_source_code": source}},
            {"name": "router", "typed_config": {"@type": ROUTER}},
        ],
    }
    listener = {
        "name": "in",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "per_connection_buffer_limit_bytes": 64 << 20,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    with EnvoyProcess({"static_resources": {"listeners": [listener]}}) as started:
        yield started


def check(envoy: EnvoyProcess, stream: Stream, cuts: str) -> None:
    """Hold whatever the filter says, cut as it may be, against the reference."""
    with closing(http.client.HTTPConnection("127.0.0.1", envoy.port("in"), timeout=60)) as connection:
        headers = {"x-unasked": str(int(stream.unasked)), "x-cuts": cuts}
        connection.request("POST", "/", stream.body, headers)
        response = connection.getresponse()
        body = response.read()
    assert response.status == 200, body
    results = [one.partition(b"\n") for one in body.split(BETWEEN.encode())]
    right = (stream.words, stream.shown)
    wrong = [(" ".join(words.decode().split()[:4]), shown) for words, _, shown in results]
    assert [one for one in wrong if one != right] == [], (stream, right)


def test_streams_cut_at_every_byte(envoy: EnvoyProcess) -> None:
    rng = random.Random(SEED)
    kinds = set()
    for _ in range(SMALL):
        stream = Maker(rng).stream()
        kinds.add((bool(stream.words), stream.shown != stream.body))
        check(envoy, stream, "all")
    assert kinds == {(False, False), (True, False), (True, True)}, "else it shows nothing"


def test_lines_of_megabytes(envoy: EnvoyProcess) -> None:
    rng = random.Random(SEED)
    for number in range(LARGE):
        stream = Maker(rng).stream(large=(20_000, 300_000, MEGABYTES)[number % 3])
        cuts = sorted(rng.randrange(1, len(stream.body)) for _ in range(rng.choice((0, 3, 40, 400))))
        check(envoy, stream, " ".join(map(str, cuts)))


def test_the_reference_itself() -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22}}\n\n'
    body = b'data: {"choices":[{"delta":{"content":"' + b'\\"usage\\":{' + b'"}}]}\n\n' + usage + b"data: [DONE]\n\n"
    assert read(body, unasked=True) == Stream(
        body=body, unasked=True, shown=body.replace(usage, b""), words="1 11 22 0"
    )
    assert read(body, unasked=False).shown == body
    assert any('"usage":{' in decoy for decoy in DECOYS)
