"""TLS towards providers: the name of the endpoint is the SNI, the Host header, and what the certificate must carry."""

import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trustme
from serving import Rung, Serving, answered, route, seen

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]

NAME = "alpha.localhost"
"""Every name below localhost is this machine, by RFC 6761."""


class Place:
    """The TLS of one provider, and the server names that it was asked for."""

    def __init__(self, authority: trustme.CA, *names: str, expired: bool = False) -> None:
        options = {"not_after": datetime(2020, 1, 1, tzinfo=UTC)} if expired else {}
        certificate = authority.issue_cert(*names, **options)
        self.asked: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        self.context.sni_callback = self._asked

    def _asked(self, _socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.asked.append(name)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def serve(serve: Serve, ca_file: Path) -> Serve:
    return partial(serve, ca_file=ca_file)


@pytest.mark.parametrize(
    ("host", "names"),
    [
        pytest.param(NAME, (NAME,), id="its name"),
        pytest.param(NAME, ("other.localhost", NAME), id="one of its names"),
        pytest.param("eu.alpha.localhost", ("*.alpha.localhost",), id="a wildcard, as Azure's"),
        pytest.param("127.0.0.1", ("127.0.0.1",), id="an address"),
    ],
)
def test_a_provider_that_proves_its_name_serves(
    start_rung: Start, serve: Serve, authority: trustme.CA, host: str, names: tuple[str, ...]
) -> None:
    place = Place(authority, *names)
    alpha = start_rung("alpha", tls=place.context, host=host)
    gateway = serve(route("chat", alpha, start_rung("beta")))
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")
    (record,) = alpha.records
    assert record.header("host") == host
    assert set(place.asked) == {None if host[0].isdigit() else host}


def _other_authority(_: trustme.CA) -> Place:
    return Place(trustme.CA(), NAME)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        pytest.param(NAME, lambda ca: Place(ca, "beta.localhost"), id="another name"),
        pytest.param(NAME, lambda ca: Place(ca, "localhost"), id="the name above it"),
        pytest.param(NAME, lambda ca: Place(ca, "eu.alpha.localhost"), id="a name below it"),
        pytest.param("a.eu.alpha.localhost", lambda ca: Place(ca, "*.alpha.localhost"), id="a wildcard of one level"),
        pytest.param(NAME, lambda ca: Place(ca, "127.0.0.1"), id="only the address that it has"),
        pytest.param("127.0.0.1", lambda ca: Place(ca, NAME), id="another address"),
        pytest.param(NAME, lambda ca: Place(ca, NAME, expired=True), id="expired"),
        pytest.param(NAME, _other_authority, id="an authority that nobody trusts"),
    ],
)
def test_to_anybody_else_nothing_is_sent(
    start_rung: Start,
    serve: Serve,
    authority: trustme.CA,
    host: str,
    place: Callable[[trustme.CA], Place],
) -> None:
    alpha = start_rung("alpha", tls=place(authority).context, host=host)
    gateway = serve(route("chat", alpha, start_rung("beta")), route("alone", alpha))
    assert answered(gateway.ask("chat")) == (200, "beta", "2")
    # The last resort asks for the same proof.
    answer = gateway.ask("alone")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "no_backend")
    assert alpha.records == ()


def test_a_server_without_tls_gets_nothing(start_rung: Start, serve: Serve) -> None:
    alpha = start_rung("alpha", host=NAME)
    upstream = replace(alpha.target.upstream, tls=True)
    secured = replace(alpha, target=replace(alpha.target, upstream=upstream))
    gateway = serve(route("chat", secured, start_rung("beta")))
    assert answered(gateway.ask("chat")) == (200, "beta", "2")
    assert alpha.records == ()


def test_each_attempt_goes_by_its_own_name(start_rung: Start, serve: Serve, authority: trustme.CA) -> None:
    hosts = {name: f"{name}.localhost" for name in ("alpha", "beta", "gamma", "shadow")}
    places = {name: Place(authority, host) for name, host in hosts.items()}
    rungs = {
        name: start_rung(name, tls=places[name].context, host=host, max_in_flight=5 if name == "beta" else None)
        for name, host in hosts.items()
    }
    alpha, beta, gamma, shadow = rungs.values()
    gateway = serve(route("chat", alpha, beta, gamma, shadow=(shadow, 10_000)))
    alpha.sim.control.fault(status=500)
    beta.sim.control.fault(status=500)
    assert answered(gateway.ask("chat")) == (200, "gamma", "3")
    for name, rung in rungs.items():
        records = seen(rung, 1)
        assert [record.header("host") for record in records] == [hosts[name]]
        assert set(places[name].asked) == {hosts[name]}
        assert rung.sim.control.stats().problems == {}


def test_the_authorities_stand_in_the_bootstrap_only(
    start_rung: Start, serve: Serve, authority: trustme.CA, ca_file: Path
) -> None:
    alpha = start_rung("alpha", tls=Place(authority, NAME).context, host=NAME)
    gateway = serve(route("chat", alpha))
    naming = [path.name for path in gateway.folder.rglob("*.json") if str(ca_file) in path.read_text()]
    assert naming == ["bootstrap.json"]


def test_a_connection_is_kept_for_many_requests(start_rung: Start, serve: Serve, authority: trustme.CA) -> None:
    place = Place(authority, NAME)
    alpha = start_rung("alpha", tls=place.context, host=NAME)
    gateway = serve(route("chat", alpha))
    assert [gateway.ask("chat").status for _ in range(20)] == [200] * 20
    assert place.asked == [NAME]
