"""What the budget check is told, on a real Envoy. Route `capped` has a limit of 2000, `chat` has none."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from echo import Echo
from filter_gateway import CHECK, DIRECTORY, RESERVATION, Client, bootstrap
from gateway import EnvoyProcess

from fairlead.budgetserver import descriptor
from fairlead.envoy import directory

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def budget_port() -> Iterator[int]:
    budgets = {
        directory.BUDGETS: "1",
        "b:team/alice": "r *",
        "b:team/gold": "r team/capped shared/all",
        "m:other/bob": "1",
    }
    with (
        Echo() as echo,
        EnvoyProcess(bootstrap(echo_port=echo.port, directory={**DIRECTORY, **budgets})) as envoy,
    ):
        yield envoy.port("in")


@pytest.fixture
def budgeted(budget_port: int) -> Iterator[Client]:
    with Client(budget_port) as caller:
        yield caller


ASKS = [
    ("/v1/chat/completions", '"model":"chat"', "- 1", "nothing is said"),
    ("/v1/chat/completions", '"model":"chat","max_tokens":77', "77 1", "the limit"),
    ("/v1/chat/completions", '"model":"chat","max_tokens":7,"max_completion_tokens":99', "99 1", "of two the larger"),
    ("/v1/chat/completions", '"model":"chat","max_tokens":null,"n":null', "- 1", "null is as good as absent"),
    ("/v1/chat/completions", '"model":"chat","n":4,"max_tokens":5', "5 4", "n answers"),
    ("/v1/chat/completions", '"model":"chat","n_cmpl":8', "- 8", "llama.cpp's n"),
    ("/v1/chat/completions", '"model":"chat","n":2,"n_cmpl":3,"best_of":1', "- 3", "of three the largest"),
    ("/v1/completions", '"model":"chat","prompt_embeds":["QQ==" , "Qg=="],"n":2', "- 4", "vLLM's prompts"),
    ("/v1/completions", '"model":"chat","prompt":["a","b"],"prompt_embeds":["QQ=="]', "- 3", "both of them"),
    ("/v1/completions", '"model":"chat","prompt":[{"prompt_string":"a"},{"prompt_string":"b"}]', "- 2", "objects"),
    ("/v1/chat/completions", '"model":"chat","prompt":["a","b"],"n":3', "- 6", "whatever the endpoint"),
    (
        "/v1/chat/completions",
        '"model":"capped","max_tokens":9000',
        "9000 1",
        "the route's limit is the server's to apply",
    ),
    ("/v1/completions", '"model":"chat","best_of":6,"n":2', "- 6", "best_of are all generated"),
    ("/v1/completions", '"model":"chat","prompt":"a, b"', "- 1", "one prompt"),
    (
        "/v1/completions",
        '"model":"chat","prompt":["a, [b]" , "c","d\\"]"],"n":2',
        "- 6",
        "three prompts, two answers each",
    ),
    ("/v1/completions", '"model":"chat","prompt":[1,2,3]', "- 1", "a list of tokens is one prompt"),
    ("/v1/completions", '"model":"chat","prompt":[[1,2],[3]]', "- 2", "two of them"),
    ("/v1/completions", '"model":"chat","prompt":[]', "- 1", "no prompt at all"),
    ("/v1/responses", '"model":"chat","max_output_tokens":3', "3 1", "responses"),
    ("/v1/embeddings", '"model":"vectors","input":"x"', "- 1", "embeddings"),
    ("/v1/chat/completions", '"model":"chat","max_output_tokens":1', "- 1", "chat obeys no max_output_tokens"),
    ("/v1/chat/completions", '"model":"chat","n_predict":1', "- 1", "only llama.cpp obeys n_predict"),
    ("/v1/completions", '"model":"chat","max_completion_tokens":1', "- 1", "nor completions another's"),
    ("/v1/responses", '"model":"chat","max_tokens":1,"max_output_tokens":null', "- 1", "null is none"),
    ("/v1/messages", '"model":"chat","max_output_tokens":1', "- 1", "nor messages another's"),
    ("/v1/chat/completions", '"model":"chat","max_tokens":2,"n_predict":9', "9 1", "the largest that any server obeys"),
    (
        "/v1/chat/completions",
        '"model":"chat","max_tokens":999999999999999',
        "999999999999999 1",
        "the largest that is taken",
    ),
]


@pytest.mark.parametrize(("path", "members", "ask", "why"), ASKS, ids=[case[-1] for case in ASKS])
def test_ask(budgeted: Client, path: str, members: str, ask: str, why: str) -> None:
    answer = budgeted.post("{" + members + "}", path)
    assert answer.status == 200, answer.body
    assert answer.ask == ask, why


NO_NUMBERS = ("1e3", "2.5", '"100"', "-1", "0", "-0", "0.0", "true", "[1]", "1.0", "{}")


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize(
    ("member", "code"),
    [
        *((name, "invalid_max_tokens") for name in ("max_tokens", "max_completion_tokens", "n_predict")),
        *((name, "invalid_n") for name in ("n", "best_of", "n_cmpl")),
    ],
)
def test_what_only_some_servers_read_as_a_number_is_refused(
    budgeted: Client, member: str, code: str, value: str
) -> None:
    answer = budgeted.post(f'{{"model":"chat","{member}":{value}}}')
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, member)


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("member", ["max_tokens", "max_output_tokens", "n", "best_of", "n_cmpl"])
def test_a_caller_without_a_budget_is_not_judged_by_those_of_others(budget_port: int, member: str, value: str) -> None:
    sent = f'{{"model":"chat","{member}":{value}}}'
    with Client(budget_port, key="sk-picky") as free:
        answer = free.post(sent)
    assert (answer.forwarded.decode(), answer.ask) == (sent.replace("chat", "flash-us"), "- 1")


@pytest.mark.parametrize(("model", "status"), [("chat", 200), ("everyone", 200), ("capped", 400), ("spread", 400)])
def test_a_budget_for_some_routes_judges_these_alone(budget_port: int, model: str, status: int) -> None:
    with Client(budget_port, key="sk-gold") as caller:
        assert caller.post(f'{{"model":"{model}","n":1.0}}').status == status


def test_without_budgets_nobody_looks(client: Client) -> None:
    answer = client.post('{"model":"chat","n":"4","max_tokens":2.5}')
    assert (answer.status, answer.ask) == (200, "")


def test_a_member_that_counts_is_given_once_and_plainly(budgeted: Client, client: Client) -> None:
    for caller in (budgeted, client):
        assert caller.post('{"model":"chat","n":1,"n":9}').error["code"] == "invalid_json"
        assert caller.post('{"model":"chat","N":9}').error["code"] == "invalid_json"


def test_a_check_says_what_the_server_reads(budgeted: Client) -> None:
    answer = budgeted.post('{"model":"chat","n":3,"max_tokens":70,"stream":true}')
    said = descriptor.check(answer.headers[CHECK])
    assert said == descriptor.Check(
        consumer="team/alice",
        id=answer.head["x-request-id"],
        route="team/chat",
        model="chat",
        body_bytes=len(answer.forwarded),
        output_limit=70,
        choices=3,
        stream=True,
    )


PICTURE, FILE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}, {"file_data": "JVBE"}
SOURCE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
SEEN = [
    ("/v1/chat/completions", "messages", [PICTURE], 1),
    ("/v1/chat/completions", "messages", [{"type": "text", "text": '"image_url":'}], 0),
    ("/v1/chat/completions", "messages", [PICTURE, {"type": "file", "file": FILE}, PICTURE], 3),
    ("/v1/chat/completions", "messages", [{"type": "image_url", "image_url": "https://pictures.example/a.png"}], 1),
    ("/v1/chat/completions", "messages", [{"audio_url": {"url": "https://x.example/a"}}, {"document_url": "x"}], 2),
    ("/v1/responses", "input", [{"type": "input_image", "image_url": "data:,"}, {"type": "input_file", **FILE}], 2),
    ("/v1/messages", "messages", [SOURCE, {"type": "tool_result", "content": [SOURCE]}], 2),
    ("/v1/messages", "messages", [{"type": "search_result", "source": "a page's address"}], 0),
    ("/v1/messages", "messages", [{"type": "tool_use", "input": SOURCE}], 0),
]


@pytest.mark.parametrize(("path", "member", "parts", "seen"), SEEN)
@pytest.mark.parametrize("disguise", [False, True], ids=["plain", "in escapes"])
def test_a_picture_counts_however_few_bytes_it_has(
    budgeted: Client, path: str, member: str, parts: list[Any], seen: int, *, disguise: bool
) -> None:
    body = json.dumps({"model": "chat", member: [{"role": "user", "content": parts}]})
    if disguise:
        body = re.sub(r'"(image_url|source|file_data)":', lambda key: f'"{key[1][:-1]}\\u{ord(key[1][-1]):04x}":', body)
    answer = budgeted.post(body, path)
    assert answer.status == 200, answer.body
    said = descriptor.check(answer.headers[CHECK])
    assert said.body_bytes == len(answer.forwarded) + seen * 16_384


@pytest.mark.parametrize(("tools", "more"), [('[{"type":"bash_20250124","name":"bash"}]', 2048), ("null", 0)])
def test_a_provider_tells_a_model_of_tools_in_words_of_its_own(budgeted: Client, tools: str, more: int) -> None:
    answer = budgeted.post(f'{{"model":"chat","tools":{tools}}}', "/v1/messages")
    assert descriptor.check(answer.headers[CHECK]).body_bytes == len(answer.forwarded) + more


@pytest.mark.parametrize(
    ("key", "model", "checked", "why"),
    [
        ("sk-alice", "chat", True, "a policy for all routes"),
        ("sk-gold", "capped", True, "a policy for this route"),
        ("sk-gold", "chat", False, "a policy for other routes"),
        ("sk-picky", "chat", False, "no policy at all"),
        ("sk-other", "everyone", True, "no policy, and so many requests in flight"),
    ],
)
def test_only_what_has_to_fit_something_is_checked(
    budget_port: int, key: str, model: str, checked: bool, why: str
) -> None:
    with Client(budget_port, key=key) as caller:
        headers = caller.post(f'{{"model":"{model}"}}').headers
    assert (CHECK in headers) is checked, why
    assert headers.get(RESERVATION) == (None if checked else descriptor.NOTHING_RESERVED)


def test_without_budgets_nothing_is_checked(client: Client) -> None:
    headers = client.post('{"model":"chat"}').headers
    assert (headers.get(CHECK), headers.get(RESERVATION)) == (None, None)


def test_where_nobody_may_pass_without_an_answer_everybody_is_checked() -> None:
    with (
        Echo() as echo,
        EnvoyProcess(
            bootstrap(echo_port=echo.port, directory={**DIRECTORY, directory.BUDGETS: directory.ALL})
        ) as envoy,
        Client(envoy.port("in"), key="sk-picky") as caller,
    ):
        assert descriptor.check(caller.post('{"model":"chat"}').headers[CHECK]).consumer == "team/picky"
