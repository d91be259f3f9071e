"""maxOutputTokens at the gateway, on a real Envoy. Route `capped` has a limit of 2000, `chat` has none."""

import pytest
from filter_gateway import Client

pytestmark = pytest.mark.envoy

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")


def forwarded(client: Client, members: str, path: str = "/v1/chat/completions") -> str:
    """The members after the model, of a request that had it in front and of one that had it behind."""
    first = client.post(f'{{"model":"capped"{"," if members else ""}{members}}}', path).forwarded.decode()
    last = client.post(f'{{{members}{"," if members else ""}"model":"capped"}}', path).forwarded.decode()
    assert first == last
    assert first.startswith('{"model":"flash-us",')
    return first.removeprefix('{"model":"flash-us",').removesuffix("}")


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/v1/chat/completions", "max_completion_tokens"),
        ("/v1/completions", "max_tokens"),
        ("/v1/responses", "max_output_tokens"),
        ("/v1/messages", "max_tokens"),
    ],
)
def test_the_endpoints_own_limit_is_added_where_none_is(client: Client, path: str, own: str) -> None:
    assert forwarded(client, "", path) == f'"{own}":2000'
    assert forwarded(client, '"a":1', path) == f'"{own}":2000,"a":1'
    assert forwarded(client, f'"{own}":null', path) == f'"{own}":2000'
    assert forwarded(client, f'"{own}" : 2001', path) == f'"{own}" : 2000'
    assert forwarded(client, f'"{own}":7', path) == f'"{own}":7'


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    ("given", "sent"),
    [("1", "1"), ("1999", "1999"), ("2000", "2000"), ("2001", "2000"), ("999999999999999", "2000")],
)
def test_larger_limits_are_lowered_whatever_their_name(client: Client, name: str, given: str, sent: str) -> None:
    assert f'"{name}":{sent}' in forwarded(client, f'"a":1,"{name}":{given},"b":2').split(",")


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    "given",
    [
        "0",
        "-0",
        "-1",
        "1e9",
        "1E9",
        "2.5",
        "1.0",
        '"100000"',
        "true",
        "[]",
        "{}",
    ],
)
def test_what_is_no_plain_integer_does_not_get_past_a_limit(client: Client, name: str, given: str) -> None:
    answer = client.post(f'{{"model":"capped","{name}":{given}}}')
    assert answer.status == 400
    assert answer.error["code"] == "invalid_max_tokens"
    assert answer.error["param"] == name


@pytest.mark.parametrize("model", ["chat", "capped"])
@pytest.mark.parametrize("name", [*LIMITS, "n", "best_of", "n_cmpl"])
@pytest.mark.parametrize(
    "given", ["1000000000000000", "9007199254740993", "18446744073709551617", "-1000000000000000", "9" * 65_536]
)
def test_a_number_that_parsers_read_differently_is_refused_for_everybody(
    client: Client, model: str, name: str, given: str
) -> None:
    answer = client.post(f'{{"model":"{model}","{name}":{given}}}')
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_number", name)


@pytest.mark.parametrize("given", ["999999999999999", "-999999999999999", '"1000000000000000"', "[1000000000000000]"])
def test_what_is_no_such_number_is_not(client: Client, given: str) -> None:
    sent = f'{{"model":"chat","max_tokens":{given}}}'
    assert client.post(sent).forwarded.decode() == sent.replace("chat", "flash-us")


@pytest.mark.parametrize("given", ["-1", "1e9", '"100000"', "99999999"])
def test_without_a_limit_nothing_is_looked_at(client: Client, given: str) -> None:
    sent = f'{{"model":"chat","max_tokens":{given},"n_predict":{given}}}'
    assert client.post(sent).forwarded.decode() == sent.replace("chat", "flash-us")


@pytest.mark.parametrize(
    ("path", "members", "result"),
    [
        # Chat has two of its own: the older one is enough, and both are lowered.
        ("/v1/chat/completions", '"max_tokens":5', '"max_tokens":5'),
        (
            "/v1/chat/completions",
            '"max_tokens":9999,"max_completion_tokens":9998',
            '"max_tokens":2000,"max_completion_tokens":2000',
        ),
        (
            "/v1/chat/completions",
            '"max_tokens":null,"max_completion_tokens":null',
            '"max_tokens":null,"max_completion_tokens":2000',
        ),
        ("/v1/chat/completions", '"max_tokens":null', '"max_completion_tokens":2000,"max_tokens":null'),
        # Another endpoint's does not count: llama.cpp ignores max_output_tokens in chat.
        ("/v1/chat/completions", '"max_output_tokens":1', '"max_completion_tokens":2000,"max_output_tokens":1'),
        ("/v1/completions", '"max_completion_tokens":1', '"max_tokens":2000,"max_completion_tokens":1'),
        ("/v1/messages", '"max_output_tokens":1', '"max_tokens":2000,"max_output_tokens":1'),
        ("/v1/responses", '"max_tokens":9999', '"max_output_tokens":2000,"max_tokens":2000'),
        # llama.cpp takes n_predict before all others, at every endpoint.
        ("/v1/chat/completions", '"n_predict":9999', '"max_completion_tokens":2000,"n_predict":2000'),
    ],
)
def test_limits_together(client: Client, path: str, members: str, result: str) -> None:
    assert forwarded(client, members, path) == result


def test_a_capped_stream_gets_both(client: Client) -> None:
    members = '"stream":true,"max_tokens":9999,"stream_options":{"include_usage":false}'
    expected = '"stream":true,"max_tokens":2000,"stream_options":{"include_usage":true}'
    assert forwarded(client, members) == expected
    assert forwarded(client, '"stream":true') == (
        '"stream_options":{"include_usage":true},"max_completion_tokens":2000,"stream":true'
    )


def test_embeddings_have_no_output_to_limit(client: Client) -> None:
    assert client.post('{"model":"vectors"}', "/v1/embeddings").forwarded == b'{"model":"bge-us"}'


def test_a_limit_inside_another_value_is_not_meant(client: Client) -> None:
    assert forwarded(client, '"a":{"max_tokens":9999}') == '"max_completion_tokens":2000,"a":{"max_tokens":9999}'
