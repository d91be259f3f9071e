"""Ids of answers that a provider keeps: signed for one caller, and opened again, by the gateway's own Lua in LuaJIT."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.demo.provider import responses
from fairlead.demo.provider.reply import Habits, Question, answer
from response_ids_lua import CONSUMER, SECRET, TARGET, Lua

RAW = "resp_0123456789abcdef"


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Lua:
    return Lua(tmp_path_factory.mktemp("secrets"), key=SECRET)


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=200))
@settings(max_examples=60)
def test_the_mac_is_that_of_the_standard(lua: Lua, secret: bytes, text: bytes) -> None:
    assert lua.call("mac_of", secret, text) == hmac.digest(secret, text, "sha256").hex()[:32]


@pytest.mark.parametrize("length", [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 128])
def test_every_length_is_padded_as_the_standard_has_it(lua: Lua, length: int) -> None:
    for secret in (b"k" * 64, b"k" * 65):
        found = lua.call("mac_of", secret, b"x" * length)
        assert found == hmac.new(secret, b"x" * length, hashlib.sha256).hexdigest()[:32]


def test_an_id_carries_the_target_and_is_bound_to_the_caller(lua: Lua) -> None:
    signed = lua.sign(RAW)
    assert signed is not None
    head, version, mac, rest = signed.split("_", 3)
    assert (head, version) == ("resp", "fl1")
    what = f"{TARGET} {RAW}".encode()
    assert base64.urlsafe_b64decode(rest + "==") == what
    assert mac == hmac.digest(SECRET.encode(), b"response\0" + CONSUMER.encode() + b"\0" + what, "sha256").hex()[:32]
    assert lua.open(signed) == (TARGET, RAW)
    assert lua.open(signed, "team/bob") is None
    assert lua.open(RAW) is None


@given(st.text("abcXYZ019_.:-+/=~", min_size=1, max_size=40))
def test_every_id_comes_back(lua: Lua, raw: str) -> None:
    signed = lua.sign(raw)
    assert signed is not None
    assert lua.open(signed) == (TARGET, raw)


@pytest.mark.parametrize("raw", ["", "a b", "a\tb", "é", 'a"b', "a\\b", "x" * 1025])
def test_an_id_that_is_none_stays_what_it_is(lua: Lua, raw: str) -> None:
    assert lua.sign(raw) is None


def test_a_byte_that_is_changed_anywhere_is_noticed(lua: Lua) -> None:
    signed = lua.sign(RAW) or ""
    for at in range(len(signed)):
        for other in {"A", "0", "_", "-", "="} - {signed[at]}:
            assert lua.open(signed[:at] + other + signed[at + 1 :]) is None
        assert lua.open(signed[:at] + signed[at + 1 :]) is None
        assert lua.open(signed[:at]) is None
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [one for one in digits if lua.open(signed[:-1] + one)] == [signed[-1]], "also in bits that say nothing"


@given(st.text(max_size=60))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_anything_else_is_none(lua: Lua, text: str) -> None:
    for one in (text, f"resp_fl1_{text}", f"resp_fl1_{'0' * 32}_{text}"):
        assert lua.open(one) is None


def test_a_new_secret_signs_and_the_old_one_is_believed_until_it_goes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    old = Lua(tmp_path, old=SECRET).sign(RAW) or ""
    both = Lua(tmp_path, new=SECRET[::-1], old=SECRET)
    assert both.open(old) == (TARGET, RAW)
    new = both.sign(RAW) or ""
    assert new != old
    alone = Lua(tmp_path, new=SECRET[::-1])
    assert (alone.open(new), alone.open(old)) == ((TARGET, RAW), None)


@pytest.mark.parametrize("new", [None, "", "short"])
def test_a_new_secret_that_is_not_mounted_yet_ends_no_conversation(tmp_path: Path, new: str | None) -> None:
    before = Lua(tmp_path, old=SECRET).sign(RAW)
    both = Lua(tmp_path, new=new or "", old=SECRET)
    if new is None:
        (tmp_path / "ids" / "new").unlink()
    assert both.sign(RAW) == before


@pytest.mark.parametrize("secret", ["", "short", "x" * 31])
def test_a_secret_that_can_be_guessed_signs_nothing(tmp_path: Path, secret: str) -> None:
    weak = Lua(tmp_path, key=secret)
    assert weak.sign(RAW) is None
    assert weak.open(Lua(tmp_path, other=SECRET).sign(RAW) or "") is None


def test_another_provider_is_not_signed_for(lua: Lua) -> None:
    assert lua.sign(RAW, target="other/eu/gpt") is None


def said(*, stream: bool) -> tuple[Question, bytes]:
    question = Question(model="gpt", stream=stream, prompt_tokens=5, limit=4, stored=True)
    reply = answer(question, Habits(region="eu", answer_tokens=4, cached_percent=0), number=7, usage=None)
    if not stream:
        return question, json.dumps(responses.whole(reply, question)).encode()
    return question, b"".join(responses.stream(reply, question, tokens_per_chunk=1))


def test_an_answer_in_one_piece_differs_by_its_id_alone(lua: Lua) -> None:
    body = said(stream=False)[1].decode()
    raw = json.loads(body)["id"]
    found = lua.whole(body)
    assert found == body.replace(f'"{raw}"', f'"{lua.sign(raw)}"', 1)


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "{", '{"id":7}', '{"id":"a\\"b"}', '{"id":"a","store":false}', '{"a":{"id":"a"}}']
)
def test_what_has_no_id_to_sign_stays_byte_by_byte(lua: Lua, body: str) -> None:
    assert lua.whole(body) == body


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "RAW", "previous_response_id": "before"}',
        '{"previous_response_id":"before" ,"metadata":{"id":"RAW"},"id":"RAW"}',
    ],
)
def test_the_answer_before_has_the_id_that_the_client_knows(lua: Lua, body: str) -> None:
    found = json.loads(lua.whole(body.replace("RAW", RAW), previous="client's"))
    assert (found["id"], found["previous_response_id"]) == (lua.sign(RAW), "client's")
    assert found.get("metadata", {}).get("id", RAW) == RAW


def test_an_answer_that_is_not_kept_names_the_one_before_as_its_client_does(lua: Lua) -> None:
    body = f'{{"previous_response_id":"before","id":"{RAW}","store":false}}'
    assert json.loads(lua.whole(body, previous="client's")) == {
        "previous_response_id": "client's",
        "id": RAW,
        "store": False,
    }
    assert lua.whole('{"previous_response_id":"before"}', previous="client's") == '{"previous_response_id":"client\'s"}'


def test_slashes_in_escapes_are_those_of_the_id(lua: Lua) -> None:
    assert json.loads(lua.whole('{"id":"resp_a\\/b=="}'))["id"] == lua.sign("resp_a/b==")


def test_errors_name_the_answer_before_as_its_client_does(lua: Lua) -> None:
    error = f"Response '{RAW}', {RAW}"
    assert lua.call("renamed", error, RAW, "x%1") == "Response 'x%1', x%1"
    assert lua.call("renamed", "a 500 of 5", "5", "x") == "a 500 of 5"


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_stream_is_the_same_wherever_it_is_cut(lua: Lua, ending: bytes) -> None:
    stream = said(stream=True)[1].replace(b"\n", ending)
    plain = stream.replace(b"\r", b"")
    raw = json.loads(plain.split(b"data: ")[1].split(b"\n")[0])["response"]["id"]
    signed = (lua.sign(raw) or "").encode()
    events = plain.count(b'"object":"response"')
    assert events == 3
    want = plain.replace(f'"id":"{raw}"'.encode(), b'"id":"' + signed + b'"')
    assert want.count(signed) == events
    for at in range(len(stream) + 1):
        assert lua.streamed(stream[:at], stream[at:]) == want
    assert lua.streamed(*(stream[at : at + 1] for at in range(len(stream)))) == want


def test_a_stream_that_breaks_is_passed_as_far_as_it_came(lua: Lua) -> None:
    stream = said(stream=True)[1]
    for at in range(0, len(stream), 97):
        found = lua.streamed(stream[:at])
        assert found.count(b"\n") == stream[:at].count(b"\n")


def test_an_event_beyond_all_bounds_is_not_held(lua: Lua) -> None:
    state = lua.state()
    chunk, passed = b"data: " + b"x" * 65536, 0
    for _ in range(140):
        passed += len(lua.functions[b"signed_chunk"](state, chunk))
    assert passed == 140 * len(chunk)
