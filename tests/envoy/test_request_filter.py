import json
from collections.abc import Iterator

import pytest
from echo import Echo
from filter_gateway import Client, bootstrap
from gateway import EnvoyProcess

pytestmark = pytest.mark.envoy

DIRECTORY = {
    "c:team/alice": "- - team|*",
    "l:team": "chat",
    "n:team|chat": "team/chat Chat - flash-us flash-last api/us/flash",
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        Echo() as echo,
        EnvoyProcess(bootstrap(echo_port=echo.port, directory=DIRECTORY, routes=["team/chat"])) as envoy,
        Client(envoy.port("in")) as caller,
    ):
        yield caller


def test_a_chat_request_goes_to_its_route(client: Client) -> None:
    answer = client.post('{"messages": [1.0, 1e3],\n "model":"chat", "n": 12345678901234567890}')
    assert answer.forwarded == b'{"model":"flash-us","messages": [1.0, 1e3], "n": 12345678901234567890}'
    assert answer.headers["x-route"] == "team/chat"


def test_models(client: Client) -> None:
    assert [model["id"] for model in json.loads(client.get("/v1/models").body)["data"]] == ["chat"]
