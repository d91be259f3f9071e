"""What all callers share is the provider's account: nobody reads what another left there, or picks a model or a price.

On a real Envoy. team/alice has a budget on all routes, team/gold one on route `capped` alone.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from echo import Echo
from filter_gateway import DIRECTORY, Client, bootstrap
from gateway import EnvoyProcess

from fairlead.envoy import directory

pytestmark = pytest.mark.envoy

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    budgets = {directory.BUDGETS: "1", "b:team/alice": "r *", "b:team/gold": "r team/capped"}
    with (
        Echo() as echo,
        EnvoyProcess(bootstrap(echo_port=echo.port, directory={**DIRECTORY, **budgets})) as envoy,
    ):
        yield envoy.port("in")


@pytest.fixture(scope="module")
def budgeted(port: int) -> Iterator[Client]:
    with Client(port) as caller:
        yield caller


@pytest.fixture(scope="module")
def free(port: int) -> Iterator[Client]:
    with Client(port, key="sk-gold") as caller:
        yield caller


def body(**members: Any) -> str:
    return json.dumps({"model": "chat", **members})


def refused(client: Client, text: str, path: str = CHAT) -> str:
    """Ask for what must be refused, and return what is named."""
    answer = client.post(text, path)
    if path == MESSAGES:
        said = json.loads(answer.body)["error"]
        assert (answer.status, said["type"]) == (400, "invalid_request_error"), answer.body
        return str(said["message"].split()[1])
    assert (answer.status, answer.error["code"]) == (400, "unsupported_parameter"), answer.body
    return str(answer.error["param"])


def said(*content: Any) -> list[Any]:
    return [{"role": "user", "content": list(content)}]


IDS = (
    *("file_id", "file_ids", "file_uri", "vector_store_id", "vector_store_ids", "container", "container_id"),
    *("connector_id", "skill_id", "batch_id", "prompt_id", "response_id", "previous_response_id", "conversation_id"),
    *("cached_content", "upload_id", "library_ids", "collection_ids", "knowledge_id"),
)


@pytest.mark.parametrize("name", IDS)
def test_nothing_kept_is_named_at_any_depth(free: Client, name: str) -> None:
    for value in ({name: "x"}, {"a": [{"b": {name: "x"}}]}, {"a": [], "parameters": {}, name: "x"}):
        assert refused(free, body(messages=said({"type": "file", "file": value}))) == name
        assert refused(free, body(tools=[{"type": "x", **value}]), RESPONSES) == name


@pytest.mark.parametrize(
    "key",
    ["file_id", "file\\u005fid", "\\u0066ile_id", "FILE_ID", "fileId", "file-id", "f\u0131le_id", "file_id\\u0000x"],
)
@pytest.mark.parametrize("blank", ["", " ", "\n\t "])
def test_no_spelling_gets_around(free: Client, key: str, blank: str) -> None:
    text = f'{{"model":"chat","messages":[{{"content":[{{"file":{{"{key}"{blank}:{blank}"file-1"}}}}]}}]}}'
    assert refused(free, text) == "file_id"


KEPT = [
    ("an item", RESPONSES, {"input": [{"type": "item_reference", "id": "msg_x"}]}, "item_reference"),
    ("an item of no type", RESPONSES, {"input": [{"id": "msg_x"}]}, "id"),
    ("reasoning", RESPONSES, {"input": [{"role": "user"}, {"type": "reasoning", "id": "rs_1", "summary": []}]}, "id"),
    ("reasoning with a list", RESPONSES, {"input": [{"type": "reasoning", "id": "rs_1", "content": []}]}, "id"),
    ("reasoning with others' members", RESPONSES, {"input": [{"type": "reasoning", "id": "r", "output": "x"}]}, "id"),
    ("a message", RESPONSES, {"input": [{"type": "message", "id": "msg_1", "content": ""}]}, "id"),
    ("a picture", RESPONSES, {"input": [{"type": "image_generation_call", "id": "ig_1", "result": None}]}, "id"),
    ("a file", RESPONSES, {"input": said({"type": "input_file", "file_id": "file-1"})}, "file_id"),
    (
        "a file in an output",
        RESPONSES,
        {"input": [{"type": "function_call_output", "output": [{"type": "input_file", "file_id": "f"}]}]},
        "file_id",
    ),
    ("a store", RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "vector_store_ids"),
    ("a container", RESPONSES, {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, "container"),
    ("a connector", RESPONSES, {"tools": [{"type": "mcp", "connector_id": "connector_x"}]}, "connector_id"),
    ("an answer, asked elsewhere", CHAT, {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("a voice", CHAT, {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "audio"),
    ("a file of messages", MESSAGES, {"messages": said({"source": {"type": "file", "file_id": "f"}})}, "file_id"),
    ("a container of messages", MESSAGES, {"container": "container_1"}, "container"),
    ("skills", MESSAGES, {"container": {"skills": [{"skill_id": "s"}]}}, "skill_id"),
    ("a cache", CHAT, {"extra_body": {"google": {"cached_content": "cachedContents/1"}}}, "cached_content"),
    ("blocks of a cache", CHAT, {"kv_transfer_params": {"remote_block_ids": [1]}}, "kv_transfer_params"),
    ("an answer later", CHAT, {"deferred": True}, "deferred"),
    ("behind what is its own", CHAT, {"tools": [{"parameters": {}}, {"vector_store_ids": [1]}]}, "vector_store_ids"),
    ("deeper than what is its own", CHAT, {"a": [[{"parameters": 1}], [[{"file_id": "x"}]]]}, "file_id"),
]


@pytest.mark.parametrize(("why", "path", "members", "param"), KEPT, ids=[case[0] for case in KEPT])
def test_what_is_kept_at_the_account_is_refused_by_name(
    free: Client, why: str, path: str, members: dict[str, Any], param: str
) -> None:
    assert refused(free, body(**members), path) == param, why


OWN = [
    (
        "a tool that takes a file_id",
        CHAT,
        {"tools": [{"type": "function", "function": {"parameters": {"file_id": {}}}}]},
    ),
    ("a schema", MESSAGES, {"tools": [{"name": "f", "input_schema": {"properties": {"container": {"type": "x"}}}}]}),
    ("a call of it", MESSAGES, {"messages": said({"type": "tool_use", "id": "t", "input": {"file_id": "1"}})}),
    ("what it is about", CHAT, {"metadata": {"file_id": "x", "conversation_id": "y"}}),
    ("a text that looks like one", CHAT, {"messages": said({"type": "text", "text": '{"file_id":"x"}'})}),
    ("a value", CHAT, {"messages": [{"role": "user", "content": "file_id"}]}),
    ("null", CHAT, {"messages": said({"type": "file", "file": {"file_id": None, "file_data": "x"}})}),
    ("a form", CHAT, {"response_format": {"json_schema": {"schema": {"batch_id": {"type": "string"}}}}}),
    ("a message with its text", RESPONSES, {"input": [{"type": "message", "id": "m", "content": [{"text": "a"}]}]}),
    ("reasoning of its own", RESPONSES, {"input": [{"type": "reasoning", "id": "r", "encrypted_content": "x"}]}),
    ("a call", RESPONSES, {"input": [{"type": "function_call", "id": "f", "call_id": "c", "arguments": ""}]}),
    ("an empty output", RESPONSES, {"input": [{"type": "function_call_output", "id": "f", "output": ""}]}),
    ("where it was found", RESPONSES, {"input": said({"text": "a", "annotations": [{"file_id": "f"}]})}),
]


@pytest.mark.parametrize(("why", "path", "members"), OWN, ids=[case[0] for case in OWN])
def test_what_is_the_callers_own_passes(budgeted: Client, why: str, path: str, members: dict[str, Any]) -> None:
    answer = budgeted.post(body(**members), path)
    assert answer.status == 200, (why, answer.body)


STEERING = (
    *("models", "fallbacks", "route", "provider", "preset", "model_list", "user_config", "context_window_fallbacks"),
    *("content_policy_fallbacks", "custom_llm_provider", "api_base", "base_url", "api_key", "lora", "lora_path"),
    *("lora_request", "adapter_id"),
)


@pytest.mark.parametrize("name", STEERING)
def test_nobody_lets_a_provider_choose_another_model(free: Client, name: str) -> None:
    for path in (CHAT, RESPONSES, MESSAGES):
        assert refused(free, body(**{name: ["gpt-5-pro"]}), path) == name
    assert free.post(body(**{name: None})).status == 200
    disguised = free.post(body(**{name.title(): ["gpt-5-pro"]}))
    assert (disguised.status, disguised.error["code"]) == (400, "invalid_json")


PRICED = [
    *(("service_tier", tier) for tier in ("priority", "fast", "AUTO", 1, ["auto"])),
    ("speed", "fast"),
    ("inference_geo", "us"),
    ("prediction", {"type": "content", "content": "a"}),
    ("data_sources", [{"type": "azure_search"}]),
    *((name, True) for name in ("enable_search", "web_search", "enable_enhancement")),
    *((name, {}) for name in ("search_options", "search_settings", "compound_custom")),
    ("extra_body", {"google": {}}),
    ("chat_template", "{% for i in range(100000) %}a{% endfor %}"),
    ("web_search_options", {}),
    ("search_parameters", {"mode": "on"}),
    ("plugins", [{"id": "web"}]),
    ("mcp_servers", [{"type": "url", "url": "https://x.example"}]),
    *(
        ("tools", [{"type": "function", "function": {"name": "f"}}, {"type": kind}])
        for kind in ("web_search", "web_search_20250305", "web_fetch_20250910", "code_execution_20250825", "mcp", "x")
    ),
    *(("tools", [{"type": kind}]) for kind in ("file_search", "image_generation", "code_interpreter", None, "shell")),
    ("tools", [{"google_search": {}}]),
]


@pytest.mark.parametrize(("name", "value"), PRICED)
def test_what_costs_by_another_price_is_refused_under_a_budget(
    budgeted: Client, free: Client, name: str, value: Any
) -> None:
    assert refused(budgeted, body(**{name: value})) == name
    assert free.post(body(**{name: value})).status == 200, "no budget counts this route"
    assert refused(free, json.dumps({"model": "capped", name: value})) == name


UNPRICED = [
    *(("service_tier", tier) for tier in (None, "auto", "default", "flex", "standard_only")),
    ("speed", "standard"),
    ("mcp_servers", []),
    ("prediction", None),
    *((name, False) for name in ("enable_search", "web_search", "enable_enhancement")),
    ("data_sources", []),
    ("tools", []),
    ("tools", [{"type": "function"}, {"type": "custom", "name": "x"}, {"name": "f", "input_schema": {}}]),
    ("tools", [{"type": "bash_20250124"}, {"type": "text_editor_20250728"}, {"type": "memory_20250818"}]),
    ("tools", [{"type": "func\u0074ion"}]),
]


@pytest.mark.parametrize(("name", "value"), UNPRICED)
def test_what_costs_the_models_price_passes(budgeted: Client, name: str, value: Any) -> None:
    assert budgeted.post(body(**{name: value})).status == 200


def test_a_type_in_escapes_is_read(budgeted: Client, free: Client) -> None:
    assert refused(budgeted, '{"model":"chat","tools":[{"type":"web\\u005fsearch"}]}') == "tools"
    item = '{"model":"chat","input":[{"type":"item\\u005freference","id":"x","content":"a"}]}'
    assert refused(free, item, RESPONSES) == "item_reference"


@pytest.mark.parametrize("key", ["\\\\u0066{}", "i" + "_" * 9 + "D"])
def test_keys_in_disguise_are_not_looked_at_without_end(free: Client, key: str) -> None:
    keys = ",".join(f'{{"{key.format(number)}":1}}' for number in range(1_100))
    answer = free.post(f'{{"model":"chat","a":[{keys}]}}')
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert "in disguise" in answer.error["message"]
