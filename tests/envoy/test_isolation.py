"""Credentials: each goes to its own provider and to nobody else, whatever failed before; in doubt, nothing goes."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filter_gateway import Client
from serving import ASK, Rung, Serving, answered, key_of, route, write

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]
Wait = Callable[[Callable[[], Any]], Any]

CLIENTS_OWN = {
    "x-api-key": "sk-clients-own",
    "api-key": "sk-clients-own",
    "x-goog-api-key": "sk-clients-own",
    "proxy-authorization": "Basic sk-clients-own",
    "ocp-apim-subscription-key": "sk-clients-own",
    "cookie": "session=sk-clients-own",
    "x-custom-key": "sk-clients-own",
}
HEADERS = ("Authorization", "api-key", "x-api-key", "X-Custom-Key")


@pytest.mark.parametrize("second", [*HEADERS, None])
@pytest.mark.parametrize("first", [*HEADERS, None])
def test_no_provider_sees_anothers_credential(
    start_rung: Start, serve: Serve, first: str | None, second: str | None
) -> None:
    def settings(header: str | None) -> dict[str, Any]:
        return {"header": header} if header else {"keys": ()}

    alpha = start_rung("alpha", settings=settings(first))
    beta = start_rung("beta", settings=settings(second))
    # gamma is there for its header: what any provider of the gateway calls a credential is one in a client's request.
    gamma = start_rung("gamma", settings={"header": "X-Custom-Key"})
    gateway = serve(route("chat", alpha, beta), route("back", beta, alpha), route("other", gamma))
    alpha.sim.control.fault(status=500, count=1)
    beta.sim.control.fault(status=500, count=2)
    # alpha, beta, alpha again as the last resort
    assert answered(gateway.ask("chat", headers=CLIENTS_OWN)) == (200, "alpha", "3")
    assert answered(gateway.ask("back", headers=CLIENTS_OWN)) == (200, "alpha", "2")
    for rung, other in ((alpha, beta), (beta, alpha)):
        assert rung.sim.control.stats().problems == {}
        sent = json.dumps([record.headers for record in rung.records])
        assert f"key-of-{other.name}" not in sent
        assert "sk-clients-own" not in sent
        assert "sk-alice" not in sent
        assert (f"key-of-{rung.name}" in sent) is (rung.credential is not None)


@contextmanager
def load(gateway: Serving, outcomes: Counter[int]) -> Iterator[None]:
    """Ask again and again from two connections."""
    done = threading.Event()

    def ask() -> None:
        with Client(gateway.port, key=key_of("team/alice")) as client:
            while not done.is_set():
                outcomes[client.post(json.dumps({"model": "chat", "messages": ASK})).status] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_rotation_under_load(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha = start_rung("alpha")
    gateway = serve(route("chat", alpha, max_attempts=1))
    file = gateway.folder / "credentials" / "alpha" / "key"
    outcomes: Counter[int] = Counter()
    old = "key-of-alpha"
    with load(gateway, outcomes):
        for new in ("rotated-1", "rotated-2", "rotated-3"):
            alpha.sim.control.set(keys=(old, new))
            write(file, new.encode())
            # Ten in a row: whatever the two connections still had in flight with the old one is over.
            wait_until(lambda new=new: newest(alpha, 10) == [f"Bearer {new}"] * 10)
            alpha.sim.control.set(keys=(new,))
            alpha.sim.control.reset()
            wait_until(lambda: len(alpha.records) > 20)
            old = new
    assert set(outcomes) == {200}


def newest(rung: Rung, count: int) -> list[str | None]:
    """Return the credentials of the last requests that a provider saw."""
    return [record.header("authorization") for record in rung.records[-count:]]


def test_rotation_in_a_mounted_secret(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    # As the kubelet does it: a link to the folder of all keys is replaced, the file itself never is.
    alpha = start_rung("alpha", settings={"keys": ("key-of-alpha", "rotated")})
    gateway = serve(route("chat", alpha), without=("credentials/alpha/key",), before=_mount)
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")
    _swap(gateway.folder / "credentials" / "alpha", "..2", b"rotated")

    def rotated() -> bool:
        assert gateway.ask("chat").status == 200
        return newest(alpha, 1) == ["Bearer rotated"]

    wait_until(rotated)


def _mount(folder: Path) -> None:
    secret = folder / "credentials" / "alpha"
    secret.mkdir(parents=True)
    _swap(secret, "..1", b"key-of-alpha")
    (secret / "key").symlink_to("..data/key")


def _swap(folder: Path, version: str, content: bytes) -> None:
    (folder / version).mkdir()
    (folder / version / "key").write_bytes(content)
    draft = folder / "..data_tmp"
    draft.symlink_to(version)
    draft.replace(folder / "..data")


def _without(*keys: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """Take metadata off the hosts."""

    def alter(files: dict[str, bytes]) -> dict[str, bytes]:
        clusters = json.loads(files["xds/cds.json"])
        for cluster in clusters["resources"]:
            for locality in cluster.get("load_assignment", {}).get("endpoints", ()):
                for endpoint in locality["lb_endpoints"]:
                    for key in keys:
                        endpoint["metadata"]["filter_metadata"]["fairlead"].pop(key, None)
                    if not keys:
                        del endpoint["metadata"]
        return {**files, "xds/cds.json": json.dumps(clusters).encode()}

    return alter


@pytest.mark.parametrize("alter", [_without(), _without("host")], ids=["no metadata", "no host line"])
def test_without_metadata_nothing_leaves(
    start_rung: Start, serve: Serve, alter: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    alpha, beta = start_rung("alpha"), start_rung("beta")
    gateway = serve(route("chat", alpha, beta), alter=alter)
    answer = gateway.ask("chat")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "no_backend")
    assert alpha.records == beta.records == ()


def test_without_its_file_a_rung_is_refused_and_the_next_one_serves(
    start_rung: Start, serve: Serve, wait_until: Wait
) -> None:
    alpha, beta, gamma = (start_rung(name) for name in ("alpha", "beta", "gamma"))
    gateway = serve(
        route("chat", alpha, beta, gamma),
        without=("credentials/beta/key",),
        before=lambda folder: (folder / "credentials" / "beta").mkdir(parents=True),
    )
    alpha.sim.control.fault(status=500)
    assert answered(gateway.ask("chat")) == (200, "gamma", "3")
    (record,) = beta.records
    assert record.header("authorization") is None
    write(gateway.folder / "credentials" / "beta" / "key", b"key-of-beta")
    wait_until(lambda: answered(gateway.ask("chat")) == (200, "beta", "2"))
