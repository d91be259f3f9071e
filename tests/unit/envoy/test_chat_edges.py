"""Texts, ids and pictures as clients of chat/completions send them, where Anthropic's API is stricter."""

import json

import pytest

from chat_cases import CALL, QUESTION, messages, user
from chat_lua import PLAIN, words, words_of

ANSWERED = {"role": "tool", "tool_call_id": "t", "content": "a"}


@pytest.mark.parametrize("text", ["", "\n\n", " \t\r\n "])
def test_what_is_blank_before_a_call_is_not_said(text: str) -> None:
    turns = ({"role": "assistant", "content": text, "tool_calls": [CALL]}, {**ANSWERED, "content": "\n"}, QUESTION)
    said, rest = words({**PLAIN, **messages(*turns)})
    assert ([one["type"] for one in said["messages"][0]["content"]], rest) == (["tool_use"], "")
    assert said["messages"][1]["content"][0]["content"] == "\n"
    said, _ = words({**PLAIN, **messages({**turns[0], "content": text + "\\n"}, *turns[1:])})
    assert said["messages"][0]["content"][0]["text"] == text + "\\n"


@pytest.mark.parametrize("spelled", ['"a\\/\\u0062é"', '"a/bé"', '"\\u0061/b\\u00e9"'])
def test_an_id_is_one_however_its_json_is_spelled(spelled: str) -> None:
    turns = [{"role": "assistant", "tool_calls": [{**CALL, "id": "ID"}]}, {**ANSWERED, "tool_call_id": "a/bé"}]
    said, _ = words_of(json.dumps({**PLAIN, "messages": turns}).replace('"ID"', spelled))
    use, result = (turn["content"][0] for turn in said["messages"])
    assert use["id"] == result["tool_use_id"] == "a_2fb_c3_a9"


@pytest.mark.parametrize(("said", "kind"), [("image/jpg", "image/jpeg"), ("IMAGE/PNG", "image/png")])
def test_what_pictures_are_is_said_as_the_other_api_calls_it(said: str, kind: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:{said};base64,aGk="}}
    (turn,) = words({**PLAIN, **messages(user(picture))})[0]["messages"]
    assert turn["content"][0]["source"]["media_type"] == kind
