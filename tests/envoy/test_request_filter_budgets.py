"""What the budget check is told, on a real Envoy. Route `capped` has a limit of 2000, `chat` has none."""

from collections.abc import Iterator

import pytest
from echo import Echo
from filter_gateway import DIRECTORY, Client, bootstrap
from gateway import EnvoyProcess

from fairlead.envoy import directory

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def budget_port() -> Iterator[int]:
    with (
        Echo() as echo,
        EnvoyProcess(bootstrap(echo_port=echo.port, directory={**DIRECTORY, directory.BUDGETS: "1"})) as envoy,
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
    ("/v1/chat/completions", '"model":"chat","n":0', "- 1", "at least one"),
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


@pytest.mark.parametrize("value", ["1e3", "2.5", '"100"', "-1", "true", "[1]"])
@pytest.mark.parametrize(
    ("member", "code"), [("max_tokens", "invalid_max_tokens"), ("n", "invalid_n"), ("best_of", "invalid_n")]
)
def test_what_only_some_servers_read_as_a_number_is_refused(
    budgeted: Client, member: str, code: str, value: str
) -> None:
    answer = budgeted.post(f'{{"model":"chat","{member}":{value}}}')
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, member)


def test_without_budgets_nobody_looks(client: Client) -> None:
    answer = client.post('{"model":"chat","n":"4","max_tokens":2.5}')
    assert (answer.status, answer.ask) == (200, "")


def test_a_member_that_counts_is_given_once_and_plainly(budgeted: Client, client: Client) -> None:
    for caller in (budgeted, client):
        assert caller.post('{"model":"chat","n":1,"n":9}').error["code"] == "invalid_json"
        assert caller.post('{"model":"chat","N":9}').error["code"] == "invalid_json"
