"""What a probe meets, over real sockets: every way to be there, to be away, and to be a nuisance."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest
import trustme

from endpoint import Endpoint, Serve
from fairlead.adapters.probe import Finding, HttpProbes, trust
from fairlead.errors import EnvoyError
from fairlead.statuses import Failure

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
TIMEOUT_S, PATIENCE_S = 0.3, 10.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return trust(path)


def saying(*parts: bytes, pause_s: float = 0.0, then_hang: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if then_hang:
            await reader.read()  # until whoever asked has gone

    return serve


def found(
    serve: Serve,
    trusted: ssl.SSLContext,
    *,
    tls: ssl.SSLContext | None = None,
    scheme: str = "http",
    host: str = "127.0.0.1",
    timeout_s: float = PATIENCE_S,
) -> Finding:
    async def run() -> Finding:
        async with Endpoint(serve, tls) as port, HttpProbes(trusted) as probes:
            return await probes.ask(f"{scheme}://{host}:{port}/v1/models", timeout_s=timeout_s)

    return asyncio.run(asyncio.wait_for(run(), 20))


def answer(status: int, *headers: bytes) -> bytes:
    return b"HTTP/1.1 %d Word\r\n%scontent-length: 0\r\n\r\n" % (status, b"".join(line + b"\r\n" for line in headers))


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 429, 499])
def test_whoever_answers_below_500_is_alive(trusted: ssl.SSLContext, status: int) -> None:
    said = saying(answer(status, b"location: http://127.0.0.1:1/elsewhere", b"set-cookie: a=b"))
    assert found(said, trusted) == Finding(status=status, failure=None)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_error_is_a_failure(trusted: ssl.SSLContext, status: int) -> None:
    assert found(saying(answer(status)), trusted) == Finding(status=status, failure=Failure.SERVER_ERROR)


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        pytest.param((), Failure.CONNECTION_CUT, id="a connection that ends"),
        pytest.param((b"\xff\xfe sk-secret\r\n\r\n",), Failure.NO_HTTP, id="no HTTP"),
        pytest.param((b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 100_000), Failure.NO_HTTP, id="endless headers"),
        pytest.param((b"HTTP/1.1 200 OK\r\ncontent-le",), Failure.CONNECTION_CUT, id="half of an answer"),
    ],
)
def test_what_is_no_answer_says_why(trusted: ssl.SSLContext, said: tuple[bytes, ...], failure: Failure) -> None:
    assert found(saying(*said), trusted) == Finding(status=0, failure=failure)


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(saying(then_hang=True), id="silence"),
        pytest.param(saying(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 9999, pause_s=0.01), id="endless interim answers"),
        pytest.param(saying(b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n"] * 9999, pause_s=0.01), id="headers that trickle"),
    ],
)
def test_no_whole_head_in_time_is_a_time_out(trusted: ssl.SSLContext, serve: Serve) -> None:
    began = time.monotonic()
    finding = found(serve, trusted, timeout_s=TIMEOUT_S)
    assert finding == Finding(status=0, failure=Failure.TIMED_OUT, detail="no answer within 0.3 s")
    assert time.monotonic() - began < 5 * TIMEOUT_S


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", then_hang=True), id="that never comes"),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", *[b" " * 65536] * 10_000), id="of 655 MB"
        ),
        pytest.param(
            saying(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\xff\xff\xff"), id="a bomb"
        ),
    ],
)
def test_nobody_waits_for_a_body_and_the_connection_ends(trusted: ssl.SSLContext, body: Serve) -> None:
    async def run() -> None:
        endpoint = Endpoint(body)
        async with endpoint as port, HttpProbes(trusted) as probes:
            finding = await probes.ask(f"http://127.0.0.1:{port}/v1/models", timeout_s=PATIENCE_S)
            assert finding == Finding(status=200, failure=None)
            await asyncio.wait_for(endpoint.left.wait(), 5)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_nobody_there_is_said_in_the_words_of_the_system(trusted: ssl.SSLContext) -> None:
    async def run() -> list[Finding]:
        async with Endpoint(saying()) as gone:
            pass
        async with HttpProbes(trusted) as probes:
            urls = (f"http://127.0.0.1:{gone}/", "http://nowhere.invalid/", "https://nowhere.invalid/v1")
            return [await probes.ask(url, timeout_s=10) for url in urls]

    refused, *nameless = asyncio.run(run())
    assert refused == Finding(status=0, failure=Failure.CONNECTION_FAILED, detail="connection refused")
    assert nameless == [Finding(status=0, failure=Failure.UNRESOLVABLE, detail="no such name")] * 2


def server_side(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")])
def test_the_name_in_the_certificate_is_the_endpoint_s(
    trusted: ssl.SSLContext, authority: trustme.CA, host: str, name: str
) -> None:
    tls = server_side(authority, name)
    assert found(saying(OK), trusted, tls=tls, scheme="https", host=host) == Finding(status=200, failure=None)


@pytest.mark.parametrize(
    ("names", "ours", "words"),
    [
        (("elsewhere.example",), True, "Hostname mismatch, certificate is not valid for 'localhost'."),
        (("localhost",), False, "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_gateways_would_not_believe_is_none(
    trusted: ssl.SSLContext, authority: trustme.CA, names: tuple[str, ...], ours: bool, words: str
) -> None:
    tls = server_side(authority if ours else trustme.CA(), *names)
    finding = found(saying(OK), trusted, tls=tls, scheme="https", host="localhost")
    assert (finding.status, finding.failure) == (0, Failure.CONNECTION_FAILED)
    assert finding.detail == f"certificate not trusted: {words}"


def test_a_connection_that_never_stands_is_none(trusted: ssl.SSLContext) -> None:
    finding = found(saying(then_hang=True), trusted, scheme="https", timeout_s=TIMEOUT_S)
    assert finding == Finding(status=0, failure=Failure.CONNECTION_FAILED, detail="no connection in time")


def test_plain_http_where_tls_is_wanted_is_said(trusted: ssl.SSLContext) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    finding = found(serve, trusted, scheme="https")
    assert (finding.failure, finding.detail) == (Failure.CONNECTION_FAILED, "tls failed: wrong_version_number")


def test_it_sends_no_credential_no_cookie_and_takes_no_proxy(
    trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(200, b"set-cookie: a=b"))

    async def run() -> None:
        async with Endpoint(serve) as port, HttpProbes(trusted) as probes:
            for _ in range(2):
                assert (await probes.ask(f"http://127.0.0.1:{port}/v1/models", timeout_s=5)).status == 200

    asyncio.run(asyncio.wait_for(run(), 20))
    assert len(asked) == 2
    for head in asked:
        assert head.startswith(b"GET /v1/models HTTP/1.1\r\n")
        names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"accept", b"accept-encoding", b"user-agent", b"connection"}


def test_what_to_trust_must_be_readable(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (empty, tmp_path / "none.pem"):
        with pytest.raises(EnvoyError, match="want a file with certificates in PEM"):
            trust(path)
