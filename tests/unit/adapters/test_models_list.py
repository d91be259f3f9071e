"""What the question for models makes of every kind of answer, over real sockets."""

import asyncio
import ssl

import pytest

from endpoint import Endpoint
from fairlead.adapters import models_list
from fairlead.adapters.models_list import Listing, Outcome
from fairlead.api.core import Redacted
from fairlead.api.protocol import Protocol
from fairlead.demo.provider import SimulatedProvider

TRUSTED = ssl.create_default_context()


def ask(base_url: str, key: str | None = None, header: str | None = None, within_s: float = 30) -> Listing:
    secret = None if key is None else Redacted(key.encode())
    return asyncio.run(models_list.ask(base_url, TRUSTED, key=secret, header=header, within_s=within_s))


def answering(answer: bytes, *, within_s: float = 30) -> Listing:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if not answer:
            await reader.read()

    async def run() -> Listing:
        async with Endpoint(serve) as port:
            return await models_list.ask(f"http://127.0.0.1:{port}/v1", TRUSTED, within_s=within_s)

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_a_strict_provider_is_asked_as_it_wants_to_be() -> None:
    with SimulatedProvider(models=("a", "b/c"), embedding_models=("e",), keys=("sk-1",)) as provider:
        assert ask(provider.base_url, "sk-1") == Listing(outcome=Outcome.LISTED, models=("a", "b/c", "e"), status=200)
        assert ask(f"{provider.base_url}/", "sk-1").outcome is Outcome.LISTED
        assert ask(provider.base_url, "sk-2").outcome is Outcome.KEY_REFUSED
        assert ask(provider.base_url).outcome is Outcome.KEY_REFUSED
        assert ask(provider.base_url.removesuffix("/v1"), "sk-1").outcome is Outcome.NOT_THERE
        assert ask(f"{provider.base_url}/chat/completions", "sk-1").outcome is Outcome.NOT_THERE
        provider.control.fault(status=503, count=1)
        assert ask(provider.base_url, "sk-1") == Listing(outcome=Outcome.FAILED, status=503)
    with SimulatedProvider(models=("a",), keys=("sk-1",), header="api-key") as provider:
        assert ask(provider.base_url, "sk-1", "api-key").models == ("a",)


@pytest.mark.parametrize("version", ["2024-10-21", None])
def test_azure_is_asked_at_its_own_paths(version: str | None) -> None:
    azure = {"header": "api-key", "base": "/openai", "azure": True}
    with SimulatedProvider(models=("a",), keys=("sk-1",), **azure) as provider:
        asked = models_list.ask(
            provider.base_url,
            TRUSTED,
            key=Redacted(b"sk-1"),
            protocol=Protocol.AZURE_OPENAI,
            api_version=version,
            within_s=30,
        )
        assert asyncio.run(asked).models == ("a",)


@pytest.mark.parametrize(
    ("content", "models"),
    [
        (b'{"data": [{"id": "a"}, {"id": "a"}, {"id": 1}, "b", {"id": ""}]}', ("a",)),
        (b'{"data": []}', ()),
    ],
)
def test_ids_are_taken_once_and_odd_entries_are_none(content: bytes, models: tuple[str, ...]) -> None:
    listing = answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content))
    assert (listing.outcome, listing.models) == (Outcome.LISTED, models)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"data": {}}', b"\xff", b"[" * 100_000])
def test_what_is_no_list_is_none(content: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content)
    assert answering(answer) == Listing(outcome=Outcome.NO_LIST, status=200)


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_list, "MOST_BYTES", 1000)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b" " * 100_000
    assert answering(answer).outcome is Outcome.NO_LIST


def test_a_redirect_is_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    assert answering(answer) == Listing(outcome=Outcome.MOVED, status=302)


def test_silence_ends_in_time() -> None:
    assert answering(b"", within_s=0.2).outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"])
def test_what_is_no_answer_is_nobody(answer: bytes) -> None:
    assert answering(answer).outcome is Outcome.UNREACHABLE


def test_nobody_there_is_said_in_the_systems_words() -> None:
    assert ask("http://127.0.0.1:1/v1") == Listing(outcome=Outcome.UNREACHABLE, detail="connection refused")
    assert ask("http://no-such-name.invalid/v1").outcome is Outcome.UNRESOLVABLE
    assert ask("nonsense").outcome is Outcome.UNREACHABLE
    assert ask("http://127.0.0.1:1/v1", "k\ney").outcome is Outcome.UNREACHABLE
