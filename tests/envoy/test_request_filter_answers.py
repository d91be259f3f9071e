"""What the request filter answers by itself, on a real Envoy: OpenAI's error body, and nothing is forwarded."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from echo import Echo
from filter_gateway import Client, bootstrap
from gateway import EnvoyProcess

from fairlead.envoy import request_filter

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "invalid_json"),
        ("   ", "invalid_json"),
        ("null", "invalid_json"),
        ("[]", "invalid_json"),
        ('"model"', "invalid_json"),
        ("{", "invalid_json"),
        ("{]", "invalid_json"),
        ('{"model":"chat"', "invalid_json"),
        ('{"model":"chat"}}', "invalid_json"),
        ('{"model":"chat"} x', "invalid_json"),
        ('{"model":"chat"}{"model":"chat"}', "invalid_json"),
        ('{"model":"chat",}', "invalid_json"),
        ('{,"model":"chat"}', "invalid_json"),
        ('{"a":1,,"model":"chat"}', "invalid_json"),
        ('{"a":1 "model":"chat"}', "invalid_json"),
        ('{"a" 1,"model":"chat"}', "invalid_json"),
        ('{"a":,"model":"chat"}', "invalid_json"),
        ("{model:'chat'}", "invalid_json"),
        ('{"a":[1,2,"model":"chat"}', "invalid_json"),
        ('{"a":"never closed,"model":"chat"}', "invalid_json"),
        ('{"a":"closed by an escaped quote\\","model":"chat"}', "invalid_json"),
        ('\ufeff{"model":"chat"}', "invalid_json"),
        ('{"a":1}\0', "invalid_json"),
        ('{"a":\f1,"model":"chat"}', "invalid_json"),
        # What only lenient parsers take for JSON, also where nobody looks.
        ('{"a":[1]/*,"model":"everyone"*/,"model":"chat"}', "invalid_json"),
        ('{"a":{/*"*/"b":1/*"*/},"model":"chat"}', "invalid_json"),
        ('{"a":[1,//"\n2],"model":"chat"}', "invalid_json"),
        ('{"a":[1 #"\n],"model":"chat"}', "invalid_json"),
        ('{"a":[\'"\'],"model":"chat"}', "invalid_json"),
        ('{"a":[b],"model":"chat"}', "invalid_json"),
        ('{"a":{b:1},"model":"chat"}', "invalid_json"),
        ('{"a":{"b" 1},"model":"chat"}', "invalid_json"),
        ('{"a":{"b"=1},"model":"chat"}', "invalid_json"),
        ('{"a":{"b":1;"c":2},"model":"chat"}', "invalid_json"),
        ('{"a":{1:1},"model":"chat"}', "invalid_json"),
        ('{"a":[1,],"model":"chat"}', "invalid_json"),
        ('{"a":[,1],"model":"chat"}', "invalid_json"),
        ('{"a":[1 2],"model":"chat"}', "invalid_json"),
        ('{"a":{"b":1,},"model":"chat"}', "invalid_json"),
        ('{"a":{"b":},"model":"chat"}', "invalid_json"),
        ('{"a":{"b": },"model":"chat"}', "invalid_json"),
        ('{"a":[{"b":\n}],"model":"chat"}', "invalid_json"),
        ('{"a":{"b":],"model":"chat"}', "invalid_json"),
        ('{"a":{"b"},"model":"chat"}', "invalid_json"),
        ('{"a":[{]},"model":"chat"}', "invalid_json"),
        ('{"a":[1},"model":"chat"}', "invalid_json"),
        ('{"a":{"b":1],"model":"chat"}', "invalid_json"),
        ('{"a":["\\x22"],"model":"chat"}', "invalid_json"),
        ('{"a":["\\\'"],"model":"chat"}', "invalid_json"),
        ('{"a":["\\u12"],"model":"chat"}', "invalid_json"),
        ('{"a":["\\u{22}"],"model":"chat"}', "invalid_json"),
        ('{"a":["\\\n"],"model":"chat"}', "invalid_json"),
        ('{"a":["\n"],"model":"chat"}', "invalid_json"),
        ('{"a":"\t","model":"chat"}', "invalid_json"),
        ('{"a":["\0"],"model":"chat"}', "invalid_json"),
        *(
            (f'{{"a":[{literal}],"model":"chat"}}', "invalid_json")
            for literal in (
                *("NaN", "Infinity", "-Infinity", "undefined", "True", "nul", "nulll", "truefalse", "+1", ".5", "1."),
                *("01", "-", "-01", "1e", "1e+", "0x10", "1_000", "1.e3", "--1", "1-1", "0b1", "\x0b1", "\u00a01"),
            )
        ),
        ('{"a":' + "[" * 128 + "]" * 128 + ',"model":"chat"}', "invalid_json"),
        ('{"a":' + "[" * 128 + "1" + "]" * 128 + ',"model":"chat"}', "invalid_json"),
        ('{"a":' + '{"a":' * 128 + "1" + "}" * 128 + ',"model":"chat"}', "invalid_json"),
        ('{"a":{' + '"b":1,' * 100_000 + '"c":1},"model":"chat"}', "invalid_json"),
        ('{"a":[' + '{"b":1},' * 100_000 + '1],"model":"chat"}', "invalid_json"),
        ('{"a":[' + "[]," * 100_000 + '1],"model":"chat"}', "invalid_json"),
        ("{" + ",".join(f'"x{number}":1' for number in range(1_000)) + ',"model":"chat"}', "invalid_json"),
        # Two readers could take different ones.
        ('{"model":"chat","model":"chat"}', "invalid_json"),
        ('{"stream":true,"model":"chat","stream":true}', "invalid_json"),
        ('{"max_tokens":1,"model":"chat","max_tokens":1}', "invalid_json"),
        ('{"stream_options":{},"model":"chat","stream_options":{}}', "invalid_json"),
        # One reader could see a second one.
        ('{"m\\u006fdel":"everyone","model":"chat"}', "invalid_json"),
        ('{"\\u006d\\u006f\\u0064\\u0065\\u006c":"everyone","model":"chat"}', "invalid_json"),
        ('{"Model":"everyone","model":"chat"}', "invalid_json"),
        ('{"MODEL":"everyone"}', "invalid_json"),
        ('{"\\u004dodel":"everyone","model":"chat"}', "invalid_json"),
        ('{"\u017ftream":true,"model":"chat"}', "invalid_json"),
        ('{"\\u017Ftream":true,"model":"chat"}', "invalid_json"),
        ('{"max_to\u212aens":9,"model":"chat"}', "invalid_json"),
        ('{"max_to\\u212aens":9,"model":"chat"}', "invalid_json"),
        ('{"' + "".join(f"\\u{ord(c):04x}" for c in "max_completion_tokens") + '":9,"model":"chat"}', "invalid_json"),
        ('{"model\\u0000x":"everyone","model":"chat"}', "invalid_json"),
        ('{"model\\u0000' + "x" * 999 + '":"everyone","model":"chat"}', "invalid_json"),
        ('{"model\\ud800":"everyone","model":"chat"}', "invalid_json"),
        ('{"model ":"everyone","model":"chat"}', "invalid_json"),
        ('{"maxTokens":9,"model":"chat"}', "invalid_json"),
        ('{"max-tokens":9,"model":"chat"}', "invalid_json"),
        ('{"best_Of":9,"model":"chat"}', "invalid_json"),
        ('{"n_pred\u0131ct":9,"model":"chat"}', "invalid_json"),
        ('{"n_pred\\u0130ct":9,"model":"chat"}', "invalid_json"),
        ("{}", "missing_model"),
        ('{"a":{"model":"chat"}}', "missing_model"),
        ('{"model":null}', "invalid_model"),
        ('{"model":7}', "invalid_model"),
        ('{"model":["chat"]}', "invalid_model"),
        ('{"model":""}', "invalid_model"),
        ('{"model":"ch\\u000at"}', "invalid_model"),
        ('{"model":"ch\\u0085t"}', "invalid_model"),
        ('{"model":"ch\u0085t"}', "invalid_model"),
        ('{"model":"ch\\u007ft"}', "invalid_model"),
        ('{"model":"\\u0000"}', "invalid_model"),
        ('{"model":"ch\\ud800t"}', "invalid_model"),
        ('{"model":"ch\\udc08\\ud83dt"}', "invalid_model"),
        ('{"model":"ch\\nt"}', "invalid_model"),
        ('{"model":"' + "\\u0061" * 513 + '"}', "invalid_model"),
        ('{"model":"' + "a" * 513 + '"}', "invalid_model"),
        ('{"model":"chat","stream":1}', "invalid_stream"),
        ('{"model":"chat","stream":"true"}', "invalid_stream"),
        ('{"model":"chat","stream":{}}', "invalid_stream"),
        ('{"model":"chat","stream":TRUE}', "invalid_json"),
        ('{"model":"chat","stream":true,"stream_options":true}', "invalid_stream_options"),
        ('{"model":"chat","stream":true,"stream_options":[]}', "invalid_stream_options"),
        ('{"model":"chat","stream":true,"stream_options":"x"}', "invalid_stream_options"),
        ('{"model":"chat","stream":true,"stream_options":nulL}', "invalid_json"),
        ('{"model":"chat","stream":true,"stream_options":{"include_usage":1}}', "invalid_stream_options"),
        ('{"model":"chat","stream":true,"stream_options":{"include_usage":{}}}', "invalid_stream_options"),
        ('{"model":"chat","stream":true,"stream_options":{"include_usage":true,}}', "invalid_json"),
        ('{"model":"chat","stream":true,"stream_options":{]}}', "invalid_json"),
        (
            '{"model":"chat","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
            "invalid_json",
        ),
        (
            '{"model":"chat","stream":true,"stream_options":{"include_usage":true,"Include_Usage":false}}',
            "invalid_json",
        ),
    ],
)
def test_bad_requests(client: Client, body: str, code: str) -> None:
    answer = client.post(body)
    assert answer.status == 400
    assert answer.error["code"] == code
    assert answer.error["type"] == "invalid_request_error"
    assert "connection" not in answer.headers


@pytest.mark.parametrize(
    ("name", "character"),
    [("a\\nb", "U+000A"), ("a\\u0000", "U+0000"), ("\u007f", "U+007F"), ("\\u0085", "U+0085"), ("\\udfff", "U+DFFF")],
)
def test_the_character_that_no_name_has_is_named(client: Client, name: str, character: str) -> None:
    answer = client.post(f'{{"model":"{name}"}}')
    assert answer.status == 400
    assert character in answer.error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nchat\r\n--x--',
        b"model=chat",
        '{"model":"chat"}'.encode("utf-16"),
        '{"model":"chat"}'.encode("utf-16-be"),
        '{"model":"chat"}'.encode("utf-32-le"),
        b'{"model":"chat","a":"+ACI-}\xff"}',
        b'{"a":"\xe9","model":"chat"}',
        b'{"a":"\xc0\xa2","model":"chat"}',
        b'{"a":"\xc1\xbf","model":"chat"}',
        b'{"a":"\xe0\x9f\xbf","model":"chat"}',
        b'{"a":"\xed\xa0\x80","model":"chat"}',
        b'{"a":"\xf0\x8f\xbf\xbf","model":"chat"}',
        b'{"a":"\xf4\x90\x80\x80","model":"chat"}',
        b'{"a":"\xf8\x88\x80\x80\x80","model":"chat"}',
        b'{"a":"\xe2\x82","model":"chat"}',
        b'{"a":"\x80","model":"chat"}',
        b'{"a\xff":1,"model":"chat"}',
        b'{"a":"\xe5\xa4","b":"\xa9","model":"chat"}',
    ],
)
def test_what_is_no_json_in_utf_8_is_refused(client: Client, body: bytes) -> None:
    answer = client.post(body)
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset='utf-7'",
        "application/json; charset=utf-8; charset=utf-7",
        'application/json; x=y; CHARSET = "UTF-7"',
        "application/json; charset*=utf-7",
        "application/json; charset=latin1",
        "application/json; charset=",
        "application/json, text/plain",
        "application/jsonp",
        "application/json5",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json;charset=utf-8\tcharset=utf-7",
    ],
)
def test_a_body_that_is_said_to_be_something_else_is_not_read(client: Client, content_type: str) -> None:
    answer = client.send("POST", "/v1/chat/completions", '{"model":"chat"}', content_type=content_type)
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert "content-type: application/json" in answer.error["message"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "compress", "utf-7", "identity, br"])
def test_an_encoding_that_is_not_read_is_named(client: Client, encoding: str) -> None:
    answer = client.post('{"model":"chat"}', headers={"Content-Encoding": encoding})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_encoding")
    assert f"`{encoding}`" in answer.error["message"]


def test_no_encoding_at_all_may_be_said(client: Client) -> None:
    answer = client.post('{"model":"chat"}', headers={"Content-Encoding": "identity"})
    assert "content-encoding" not in answer.head


STORED = ['"previous_response_id":"resp_1"', '"conversation":"conv_1"', '"conversation":{"id":"conv_1"}']
STORED += ['"prompt":{"id":"pmpt_1"}', '"background":true', '"background":1']


@pytest.mark.parametrize("member", STORED)
def test_what_one_provider_keeps_is_not_asked_of_another(client: Client, member: str) -> None:
    # Nor is it known whose it is, nor how long: another tenant's conversation would be read, and not be reserved for.
    answer = client.post(f'{{"model":"chat",{member}}}', "/v1/responses")
    assert (answer.status, answer.error["code"]) == (400, "unsupported_parameter")
    assert answer.error["param"] == member.split('"')[1]
    kept_by_any = "conversation" in member or "previous" in member
    assert client.post(f'{{"model":"chat",{member}}}').status == (400 if kept_by_any else 200)


@pytest.mark.parametrize("member", ['"previous_response_id":null', '"conversation":null', '"background":false'])
def test_what_is_as_good_as_absent_passes(client: Client, member: str) -> None:
    assert client.post(f'{{"model":"chat",{member}}}', "/v1/responses").status == 200


def test_an_unknown_model_is_named_in_the_words_of_openai(client: Client) -> None:
    answer = client.post('{"model":"gpt-9"}')
    assert answer.status == 404
    assert answer.error == {
        "message": "The model `gpt-9` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("POST", "/v1/images/variations", "POST /v1/images/variations."),
        ("POST", "/", "POST /."),
        ("POST", "/V1/chat/completions", "POST /V1/chat/completions."),
        ("DELETE", "/v1/models/chat", "DELETE /v1/models/chat."),
        # The query may hold a secret, and the path may hold anything.
        ("GET", "/nothing?api_key=sk-secret", "GET /nothing."),
        ("GET", '/a"b\\c', 'GET /a"b\\c.'),
    ],
)
def test_unknown_urls(client: Client, method: str, path: str, message: str) -> None:
    answer = client.send(method, path, b'{"model":"chat"}' if method != "GET" else None)
    assert answer.status == 404
    assert answer.error["code"] == "unknown_url"
    assert answer.error["message"] == f"Unknown request URL: {message} Please check the URL for typos."


@pytest.mark.parametrize(
    ("method", "path", "advice"),
    [
        ("POST", "/v1/models", "It answers GET."),
        ("GET", "/v1/chat/completions?x=1", "It answers POST."),
        ("PUT", "/v1/chat/completions", "It answers POST."),
        ("POST", "/v1/chat/completions/", "Without the slash at its end it is /v1/chat/completions."),
        ("GET", "/v1/models/", "Without the slash at its end it is /v1/models."),
    ],
)
def test_urls_that_are_nearly_known(client: Client, method: str, path: str, advice: str) -> None:
    answer = client.send(method, path, b'{"model":"chat"}' if method != "GET" else None)
    assert (answer.status, answer.error["code"]) == (404, "unknown_url")
    assert answer.error["message"].endswith(f". {advice}")


@pytest.mark.parametrize(
    ("path", "model", "status"),
    [
        ("/v1/embeddings", "vectors", 200),
        ("/v1/embeddings", "chat", 404),
        ("/v1/chat/completions", "vectors", 404),
        ("/v1/responses", "qwen/q4", 404),
        ("/v1/embeddings", "qwen/q4", 200),
        ("/v1/messages", "chat", 200),
    ],
)
def test_a_model_answers_the_endpoints_of_its_kind(client: Client, path: str, model: str, status: int) -> None:
    answer = client.post(f'{{"model":"{model}"}}', path)
    assert answer.status == status
    if status == 404:
        assert answer.error["code"] == "unsupported_endpoint"
        assert answer.error["param"] == "model"
        assert f"`{model}`" in answer.error["message"]
        assert path in answer.error["message"]


def test_a_failure_in_lua_is_an_answer_and_nothing_is_forwarded(start_envoy: Callable[..., EnvoyProcess]) -> None:
    broken = request_filter.source().replace(
        "local function scan(", "local function scan() error('x') end\nlocal function unused("
    )
    assert broken != request_filter.source()
    with Echo() as echo:
        envoy = start_envoy(bootstrap(echo_port=echo.port, lua=broken))
        with Client(envoy.port("in")) as client:
            answer = client.post('{"model":"chat"}')
        assert answer.status == 500
        assert answer.error["code"] == "internal_error"
        assert answer.error["type"] == "server_error"
        assert echo.requests == 0


def test_the_log_names_who_asked_for_what_and_why_it_was_refused(
    start_envoy: Callable[..., EnvoyProcess], wait_until: Callable[[Callable[[], Any]], Any]
) -> None:
    with Echo() as echo:
        envoy = start_envoy(bootstrap(echo_port=echo.port, access_log="access.log"))
        with Client(envoy.port("in")) as client:
            client.post('{"model":"gpt-9","stream":true}')
        log = envoy.folder / "access.log"
        line = json.loads(wait_until(lambda: (text := log.read_text()).endswith("\n") and text))
    assert line["status"] == 404
    assert line["consumer"] == "team/alice"
    assert line["model"] == "gpt-9"
    assert line["stream"] is True
    assert line["error"] == "model_not_found"
