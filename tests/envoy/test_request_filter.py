"""What the request filter does to a body it understands, on a real Envoy: which bytes change, and which never do."""

import json
from collections.abc import Iterator

import pytest
from filter_gateway import ODD, Client

pytestmark = pytest.mark.envoy

ODD_BODY = '{"model":"~b: \\u0022q\\u005cp\\u0022 (1m), 100%20=ü 日本🐈|*?"}'
"""How a body carries `ODD`: no quote inside, for who looks for its end."""
DEEP = "[" * 127 + "1" + "]" * 127


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        # A name in escapes is the same name.
        ('{"model":"qwen\\/q3.5"}', '{"model":"q35-us"}'),
        ('{"model":"\\u0063hat","n":1}', '{"model":"flash-us","n":1}'),
        (json.dumps({"model": ODD}), ODD_BODY),
        (json.dumps({"model": ODD}, ensure_ascii=False), ODD_BODY),
        # Where the model stands.
        ('{"model":"chat"}', '{"model":"flash-us"}'),
        ('{"model":"chat","n":1}', '{"model":"flash-us","n":1}'),
        ('{"n":1,"model":"chat"}', '{"model":"flash-us","n":1}'),
        ('{"a":1,"model":"chat","b":2}', '{"model":"flash-us","a":1,"b":2}'),
        # White space: around the object it goes, between members it stays with them.
        (' \t\r\n{"model":"chat"} \t\r\n', '{"model":"flash-us"}'),
        ('{ "model" : "chat" }', '{"model":"flash-us" }'),
        ('{\n  "a": 1,\n  "model": "chat",\n  "b": 2\n}', '{"model":"flash-us",\n  "a": 1,\n  "b": 2\n}'),
        ('{"a":1 ,\n "model"\t:\r"chat"\n}', '{"model":"flash-us","a":1 \n}'),
        ('{\n"model":"chat"\n,"b":2}', '{"model":"flash-us"\n,"b":2}'),
        # A model, or what looks like one, further inside.
        ('{"a":{"model":"x"},"model":"chat"}', '{"model":"flash-us","a":{"model":"x"}}'),
        ('{"a":"\\"model\\":\\"x\\"","model":"chat"}', '{"model":"flash-us","a":"\\"model\\":\\"x\\""}'),
        ('{"a":["model","x"],"model":"chat"}', '{"model":"flash-us","a":["model","x"]}'),
        ('{"a":"},{","model":"chat","b":"]}"}', '{"model":"flash-us","a":"},{","b":"]}"}'),
        # Keys near to one that is read.
        ('{"modelz":1,"mode":2,"model":"chat","":3}', '{"model":"flash-us","modelz":1,"mode":2,"":3}'),
        ('{"_model":1,"model":"chat","n1":2}', '{"model":"flash-us","_model":1,"n1":2}'),
        # Escapes in other keys are no business of the gateway.
        ('{"caf\\u00e9\\n":1,"model":"chat"}', '{"model":"flash-us","caf\\u00e9\\n":1}'),
        ('{"\\\\":1,"\\"":2,"model":"chat"}', '{"model":"flash-us","\\\\":1,"\\"":2}'),
        ('{"\\\\u006dodel":1,"model":"chat"}', '{"model":"flash-us","\\\\u006dodel":1}'),
        # Numbers, as they are: 1.0 is not 1, and 2**64 is no float.
        ('{"a":[1.0,1e3,-0,1E+5,0.10],"model":"chat"}', '{"model":"flash-us","a":[1.0,1e3,-0,1E+5,0.10]}'),
        ('{"a":18446744073709551617,"model":"chat"}', '{"model":"flash-us","a":18446744073709551617}'),
        # Text, as it is.
        ('{"a":"é日本🙂\\ud83d\\ude42\\/","model":"chat"}', '{"model":"flash-us","a":"é日本🙂\\ud83d\\ude42\\/"}'),
        ('{"a":"\\\\","model":"chat","b":"\\\\\\""}', '{"model":"flash-us","a":"\\\\","b":"\\\\\\""}'),
        ('{"a":"\x7f\u2028","model":"chat"}', '{"model":"flash-us","a":"\x7f\u2028"}'),
        # Doubled keys that nobody reads are the provider's to judge.
        ('{"a":1,"a":2,"model":"chat"}', '{"model":"flash-us","a":1,"a":2}'),
        (f'{{"a":{DEEP},"model":"chat"}}', f'{{"model":"flash-us","a":{DEEP}}}'),
        # null and false for stream are as good as absent, and stay.
        ('{"stream":null,"model":"chat"}', '{"model":"flash-us","stream":null}'),
        ('{"stream":false,"model":"chat"}', '{"model":"flash-us","stream":false}'),
        # Not streamed: options are not looked at.
        ('{"stream_options":7,"model":"chat"}', '{"model":"flash-us","stream_options":7}'),
    ],
)
def test_the_model_comes_first_and_the_rest_keeps_its_bytes(client: Client, sent: str, forwarded: str) -> None:
    answer = client.post(sent)
    assert answer.forwarded.decode() == forwarded
    assert answer.head["content-length"] == str(len(forwarded.encode()))


def test_a_body_that_needs_no_change_is_left_alone(client: Client) -> None:
    # The name is the wire id, and it is first already. (Not so: a name that only begins alike.)
    assert client.post(ODD_BODY).forwarded.decode() == ODD_BODY
    assert client.post('{"model":"flash-us","a":1}').status == 404
    sent = '{"model":"everyone","a":1}'
    assert client.post(sent).forwarded == b'{"model":"pro-us","a":1}'


@pytest.mark.parametrize(
    ("options", "forwarded"),
    [
        ("", '"stream_options":{"include_usage":true},"stream":true'),
        (',"stream_options":{"include_usage":true}', '"stream":true,"stream_options":{"include_usage":true}'),
        (',"stream_options": null', '"stream":true,"stream_options": {"include_usage":true}'),
        (',"stream_options":{}', '"stream":true,"stream_options":{"include_usage":true}'),
        (',"stream_options":{ }', '"stream":true,"stream_options":{"include_usage":true }'),
        (',"stream_options":{"include_usage":false}', '"stream":true,"stream_options":{"include_usage":true}'),
        (',"stream_options":{"include_usage" : null }', '"stream":true,"stream_options":{"include_usage" : true }'),
        (',"stream_options":{"include_usage": true }', '"stream":true,"stream_options":{"include_usage": true }'),
        # Other options stay, also those that nobody knows yet.
        (
            ',"stream_options":{"include_obfuscation":false}',
            '"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}',
        ),
        (
            ',"stream_options":{"x":{"include_usage":false},"include_usage":false,"y":["}"]}',
            '"stream":true,"stream_options":{"x":{"include_usage":false},"include_usage":true,"y":["}"]}',
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_streams_are_asked_for_their_usage(client: Client, path: str, options: str, forwarded: str) -> None:
    # Options after and before the model: the edits must land in the order of their places.
    after = client.post(f'{{"model":"chat","stream":true{options}}}', path)
    assert after.forwarded.decode() == f'{{"model":"flash-us",{forwarded}}}'
    before = client.post(f'{{"stream":true{options},"model":"chat"}}', path)
    assert before.forwarded.decode() == f'{{"model":"flash-us",{forwarded}}}'
    assert before.metadata["stream"] == "true"


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_streams_that_always_tell_their_usage_are_not_asked(client: Client, path: str) -> None:
    answer = client.post('{"stream":true,"model":"chat"}', path)
    assert answer.forwarded == b'{"model":"flash-us","stream":true}'
    assert answer.metadata["stream"] == "true"


def test_large_bodies(client: Client) -> None:
    words = 'a "quoted" word, a \\ and a {brace} \n'
    large = json.dumps({"messages": [{"role": "user", "content": words * 40}] * 7000, "model": "chat"})
    assert len(large) > 10_000_000
    expected = '{"model":"flash-us",' + large[1:].replace(', "model": "chat"', "")
    assert client.post(large).forwarded.decode() == expected


@pytest.mark.parametrize(
    "filler",
    [
        "[" + "[]," * 90_000 + "1," * 2_400_000 + "1]",
        "[" + "1," * 2_500_000 + "1]",
        '"' + '\\"' * 2_500_000 + '"',
        '"' + "\\\\" * 2_500_000 + '"',
        '"' + "é" * 2_500_000 + '"',
    ],
    ids=["arrays", "numbers", "quotes", "backslashes", "no ASCII"],
)
def test_large_values_of_the_worst_kind(client: Client, filler: str) -> None:
    answer = client.post(f'{{"a":{filler},"model":"chat"}}')
    assert answer.forwarded.decode() == f'{{"model":"flash-us","a":{filler}}}'


def test_many_keys_as_a_schema_may_have(client: Client) -> None:
    members = ",".join(f'"Model{number}":{number}' for number in range(90_000))
    answer = client.post(f'{{"tools":{{{members}}},"model":"chat"}}')
    assert answer.forwarded.decode() == f'{{"model":"flash-us","tools":{{{members}}}}}'


def test_a_chunked_upload_goes_on_with_its_length(client: Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"messages":["'
        yield from [b"word " * 1000] * 50
        yield b'"],"model":'
        yield b'"chat"}'

    answer = client.post(pieces())
    text = answer.forwarded.decode()
    assert text == '{"model":"flash-us","messages":["' + "word " * 50_000 + '"]}'
    assert "transfer-encoding" not in answer.head
    assert answer.head["content-length"] == str(len(text))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/json;charset=utf8",
        "application/json; odata.metadata=none",
        "application/json;",
        "",
        None,
    ],
)
def test_the_provider_is_told_what_was_read(client: Client, content_type: str | None) -> None:
    answer = client.send("POST", "/v1/chat/completions", '{"model":"chat"}', content_type=content_type)
    assert answer.head["content-type"] == "application/json"


def test_a_body_that_stays_as_it_is_has_a_length_too(client: Client) -> None:
    # The budget check reads it: without one it took the body for the largest that there is.
    text = '{"model":"same","messages":[]}'
    answer = client.post(piece.encode() for piece in (text[:9], text[9:]))
    assert (answer.forwarded.decode(), answer.head["content-length"]) == (text, str(len(text)))
    assert "transfer-encoding" not in answer.head


def test_a_query_is_no_part_of_the_path(client: Client) -> None:
    answer = client.post('{"model":"chat"}', "/v1/chat/completions?api-version=1&x=/v1/models")
    assert answer.metadata["way"].endswith(" /v1/chat/completions")
