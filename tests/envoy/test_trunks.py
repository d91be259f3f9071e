"""TLS to providers: names are checked, alone and behind a trunk."""

import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from running import Gateway, gateway, plan, route, target, upstream
from running_up import until

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy import trunks

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a CA, a certificate of it for `localhost` and one for `elsewhere.example`."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "2")
    for name in ("localhost", "elsewhere.example"):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{name}\n")
        ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl("x509", "-req", "-in", f"{name}.csr", *ca, "-out", f"{name}.pem", "-extfile", f"{name}.ext")
    return folder


def serving(folder: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@pytest.fixture(scope="module")
def trusted(certificates: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tls=serving(certificates, "localhost"), models=("m0", "m1"), keys=()) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(certificates: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tls=serving(certificates, "elsewhere.example"), models=("m0",), keys=()) as running:
        yield running


def crowd(provider: SimulatedProvider, first: int = 0) -> list[ir.Target]:
    """More targets at one TLS address than go there by themselves."""
    address = upstream(provider, host="localhost", tls=True)
    return [target(f"api/{provider.port}/m{n}", provider, upstream=address) for n in range(first, trunks.CROWD + 1)]


def catalogue(rungs: dict[str, tuple[ir.Target, ...]]) -> ir.Gateway:
    """One wildcard route with a plan per model name."""
    ladders = {f"team/all/{model}/0": targets for model, targets in rungs.items()}
    plans = [plan(f"team/all/{model}/0", last=targets[0], key=model) for model, targets in sorted(rungs.items())]
    return gateway({"*": route("team/all", *plans)}, ladders)


@pytest.mark.parametrize("crowded", [False, True], ids=["alone", "trunk"])
def test_the_right_name_is_served(certificates: Path, trusted: SimulatedProvider, *, crowded: bool) -> None:
    targets = crowd(trusted) if crowded else crowd(trusted)[:2]
    trusted.control.reset()
    with Gateway(catalogue({one.model: (one,) for one in targets}), ca_file=str(certificates / "ca.pem")) as running:
        for model in ("m0", "m1"):
            answer = running.ask(model)
            assert (answer.status, answer.target) == (200, f"api/{trusted.port}/{model}")
        assert [record.header("host") for record in trusted.control.requests()] == ["localhost", "localhost"]
        trunks = [
            name for name in running.envoy.admin("/clusters").splitlines() if "!trunk::observability_name" in name
        ]
        assert len(trunks) == crowded


@pytest.mark.parametrize("crowded", [False, True], ids=["alone", "trunk"])
def test_a_wrong_name_gets_nothing_and_the_next_rung_serves(
    certificates: Path, trusted: SimulatedProvider, elsewhere: SimulatedProvider, *, crowded: bool
) -> None:
    wrong = crowd(elsewhere) if crowded else crowd(elsewhere)[:1]
    (right,) = crowd(trusted)[:1]
    rungs = {wrong[0].model: (wrong[0], right)} | {one.model: (one,) for one in wrong[1:]}
    whole = replace(catalogue(rungs))
    with Gateway(whole, ca_file=str(certificates / "ca.pem")) as running:
        answer = running.ask("m0")
        assert (answer.status, answer.target, answer.headers["x-fairlead-attempts"]) == (200, right.name, "2")
        assert not elsewhere.control.requests()


def test_a_dead_crowded_address_is_ejected_target_by_target(certificates: Path, trusted: SimulatedProvider) -> None:
    with SimulatedProvider(models=("m0",), keys=()) as dead:
        dead.control.die()
        gone = crowd(dead)
        (right,) = crowd(trusted)[:1]
        whole = catalogue({"m0": (gone[0], right)} | {one.model: (one,) for one in gone[1:]})
        with Gateway(whole, ca_file=str(certificates / "ca.pem")) as running:
            attempts = [running.ask("m0").headers["x-fairlead-attempts"] for _ in range(5)]
            until(lambda: running.is_ejected(gone[0].name))
            attempts += [running.ask("m0").headers["x-fairlead-attempts"] for _ in range(3)]
            assert attempts == ["2"] * 5 + ["1"] * 3  # five failures in a row, then it is skipped


def test_a_large_body_passes_a_trunk_both_ways(certificates: Path, trusted: SimulatedProvider) -> None:
    trusted.control.reset()
    targets = [replace(one, wire_model="m1") for one in crowd(trusted)]
    with Gateway(
        replace(catalogue({one.model: (one,) for one in targets}), limits=ir.Limits(request_bytes=8 << 20)),
        ca_file=str(certificates / "ca.pem"),
    ) as running:
        text = "x" * (5 << 20)
        answer = running.ask("m0", messages=[{"role": "user", "content": text}])
        assert answer.status == 200, answer.body[:200]
        (record,) = trusted.control.requests()
        assert record.body.count(b"x") >= len(text)
