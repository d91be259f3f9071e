"""A gateway says which keys and which credentials it holds, to the operator only, and never what they are."""

import asyncio
import http.client
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from running import Gateway, credential, simple, target

from fairlead import envoy
from fairlead.adapters.gateway_answer import Held, HttpGatewayAnswers
from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy import held

pytestmark = pytest.mark.envoy

MARK = held.mark(b"some keys")


def ask(running: Gateway, key: str | None, *files: str, method: str = "GET") -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    try:
        headers = {held.FILES_HEADER: ",".join(files), **({"x-api-key": key} if key else {})}
        connection.request(method, held.PATH, headers=headers)
        answer = connection.getresponse()
        assert answer.read() == b"" or answer.status != 200
        return answer.status, answer.getheader(held.ABSENT_HEADER)
    finally:
        connection.close()


def asked(running: Gateway, mark: str, files: list[str]) -> Held | None:
    async def question() -> Held | None:
        async with httpx.AsyncClient(timeout=10) as client:
            return await HttpGatewayAnswers(client).held("127.0.0.1", running.port, mark=mark, files=files)

    return asyncio.run(question())


def test_keys_and_credentials_are_read_back(wait_until: Callable[[Callable[[], Any]], Any]) -> None:
    with SimulatedProvider() as provider:
        whole = simple(target("acme/fra/chat", provider, credential="s/key"), credentials=[credential("s")])
        with Gateway(whole) as running:
            secrets = running.folder / "credentials"
            # Nobody without a key, and nobody by a mark of other keys
            assert ask(running, None)[0] == 401
            assert ask(running, MARK)[0] == 401
            # The mark comes with the keys, and opens nothing else
            keys = envoy.api_keys([("sk-alice", "team/alice")], None, MARK)
            running.write({"keys/ecds.json": keys})
            wait_until(lambda: ask(running, MARK)[0] == 200)
            assert running.ask(key=MARK).status == 401
            assert ask(running, "sk-alice", "s/key") == (404, None), "no consumer asks"
            # What is there is not named; what is not there, is empty, or leads elsewhere is
            (secrets / "s").mkdir(exist_ok=True)
            (secrets / "s" / "key").write_text("value")
            (secrets / "s" / "empty").write_text("\n")
            (secrets.parent / "outside").write_text("value")
            absent = ["s/none", "s/empty", "../outside", "s/../../outside", "s", "/etc/passwd", "s/.."]
            assert ask(running, MARK, "s/key", *absent) == (200, ",".join(absent))
            assert ask(running, MARK, "s/key") == (200, "")
            assert ask(running, MARK, "s/key", method="POST")[0] != 200
            # The operator's own question, in parts where there are many files
            names = [f"s/{number}" for number in range(150)]
            assert asked(running, MARK, ["s/key", *names]) == Held(keys=True, absent=frozenset(names))
            assert asked(running, "another", ["s/key"]) == Held(keys=False)
            # A credential that comes later is seen
            (secrets / "s" / "none").write_text("value")
            assert ask(running, MARK, "s/none") == (200, "")
