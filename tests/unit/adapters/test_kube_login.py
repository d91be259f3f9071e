"""Logins that real clusters use: a pod's, and KUBECONFIG in the shapes that cloud providers write."""

import asyncio
import base64
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.config import incluster_config

from fairlead.adapters import exec_plugin
from fairlead.adapters.kube_login import Access, Login
from fairlead.errors import ClusterError
from fast_clock import FastClock

SERVER = "https://there:6443"


def kubeconfig(folder: Path, user: Mapping[str, Any], *, cluster: Mapping[str, Any] | None = None) -> Path:
    """Write a KUBECONFIG of one context `there`, as kubectl does."""
    path = folder / "config"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "there",
        "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": dict(user)}],
    }
    path.write_text(json.dumps(content))
    return path


def plugin(folder: Path, *says: Mapping[str, Any], prints: str = "", fails: str = "") -> Path:
    """Write an exec plugin that says one status after the other; the last one again and again."""
    for number, status in enumerate(says):
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        (folder / f"answer-{number}").write_text(json.dumps(answer))
    script = folder / "login"
    script.write_text(
        f"#!/bin/sh\ncd {folder}\necho x >> runs\nN=$(($(wc -l < runs) - 1))\n"
        + (f"echo '{fails}' >&2; exit 3\n" if fails else "")
        + (f"echo '{prints}'; exit 0\n" if prints else "")
        + f"[ -e answer-$N ] || N={len(says) - 1}\ncat answer-$N\n"
    )
    script.chmod(0o755)
    return script


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def exec_of(command: Path | str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(command), **more}}


def login(path: Path | str, context: str | None = None, clock: FastClock | None = None) -> Login:
    return Login(context, environment={"KUBECONFIG": str(path)}, clock=clock)


def access(path: Path | str, context: str | None = None) -> Access:
    return asyncio.run(login(path, context).access())


def test_a_token_that_stands_in_the_file(tmp_path: Path) -> None:
    assert access(kubeconfig(tmp_path, {"token": "t"})) == Access(server=SERVER, authorization="Bearer t")


def test_a_token_file_wins_is_relative_to_its_kubeconfig_and_its_line_break_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    found = access(kubeconfig(tmp_path, {"tokenFile": "token", "token": "old"}))
    assert found.authorization == "Bearer from-file"


def test_client_certificates_in_the_file_and_beside_it(tmp_path: Path) -> None:
    encoded = {key: base64.b64encode(key.encode()).decode() for key in ("certificate", "key", "ca")}
    user = {"client-certificate-data": encoded["certificate"], "client-key-data": encoded["key"]}
    within = access(kubeconfig(tmp_path, user, cluster={"certificate-authority-data": encoded["ca"]}))
    assert [Path(path or "").read_text() for path in (within.certificate_file, within.key_file, within.ca_file)] == [
        "certificate",
        "key",
        "ca",
    ]
    assert stat.S_IMODE(Path(within.key_file or "").stat().st_mode) == 0o600
    for name in ("me.crt", "me.key", "ca.crt"):
        (tmp_path / name).write_text(name)
    user = {"client-certificate": "me.crt", "client-key": "me.key"}
    beside = access(kubeconfig(tmp_path, user, cluster={"certificate-authority": "ca.crt"}))
    assert (beside.certificate_file, beside.key_file, beside.ca_file) == tuple(
        str(tmp_path / name) for name in ("me.crt", "me.key", "ca.crt")
    )


def test_what_a_kubeconfig_says_of_the_way_there(tmp_path: Path) -> None:
    cluster = {"insecure-skip-tls-verify": True, "tls-server-name": "inner", "proxy-url": "http://proxy:3128"}
    found = access(kubeconfig(tmp_path, {"username": "a", "password": "b"}, cluster=cluster))
    assert (found.verify, found.server_name, found.proxy) == (False, "inner", "http://proxy:3128")
    assert found.authorization == f"Basic {base64.b64encode(b'a:b').decode()}"


def test_several_files_and_another_context(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    kubeconfig(first, {"token": "one"})
    content = json.loads(kubeconfig(second, {"token": "two"}).read_text())
    content["users"][0]["name"] = "v"
    content["contexts"] = [{"name": "other", "context": {"cluster": "c", "user": "v"}}]
    (second / "config").write_text(json.dumps(content))
    both = f"{first / 'config'}:{tmp_path / 'none'}:{second / 'config'}"
    assert access(both, "there").authorization == "Bearer one"
    assert access(both, "other").authorization == "Bearer two"


def test_an_exec_plugin_with_arguments_and_environment(tmp_path: Path) -> None:
    script = tmp_path / "login"
    script.write_text(
        "#!/bin/sh\n"
        'printf \'{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential",'
        ' "status": {"token": "%s-%s", "expirationTimestamp": "2026-11-21T13:00:00Z"}}\' "$1" "$PROFILE"\n'
        'echo "$KUBERNETES_EXEC_INFO" > "${0%/*}/info"\n'
    )
    script.chmod(0o755)
    # a path is relative to the KUBECONFIG, as for kubectl
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "./login",
            "args": ["get-token"],
            "env": [{"name": "PROFILE", "value": "prod"}],
            "interactiveMode": "IfAvailable",
            "provideClusterInfo": True,
        }
    }
    found = access(kubeconfig(tmp_path, user))
    assert json.loads((tmp_path / "info").read_text())["spec"]["cluster"] == {"server": SERVER}
    assert found.authorization == "Bearer get-token-prod"
    assert found.expires_at is not None
    assert found.expires_at.isoformat() == "2026-11-21T13:00:00+00:00"


def test_an_exec_plugin_that_gives_a_client_certificate(tmp_path: Path) -> None:
    script = plugin(tmp_path, {"clientCertificateData": "PEM of it", "clientKeyData": "PEM of its key"})
    found = access(kubeconfig(tmp_path, exec_of(script)))
    assert Path(found.certificate_file or "").read_text() == "PEM of it"
    assert Path(found.key_file or "").read_text() == "PEM of its key"
    assert found.authorization is None


def test_a_plugin_runs_again_shortly_before_its_credential_expires_and_not_before(tmp_path: Path) -> None:
    script = plugin(
        tmp_path,
        {"token": "one", "expirationTimestamp": "2026-11-21T13:00:00Z"},
        {"token": "two", "expirationTimestamp": "2026-11-21T14:00:00Z"},
    )

    async def tokens() -> list[str | None]:
        clock = FastClock(1)  # begins at 12:00
        asked = login(kubeconfig(tmp_path, exec_of(script)), clock=clock)
        found = [(await asked.access()).authorization]
        for minutes in (58, 1.1):
            clock.ahead(minutes * 60)
            found.append((await asked.access()).authorization)
        return found

    assert asyncio.run(tokens()) == ["Bearer one", "Bearer one", "Bearer two"]
    assert runs(tmp_path) == 2


def test_a_plugin_that_fails_later_costs_nothing_until_the_api_server_refuses(tmp_path: Path) -> None:
    path = kubeconfig(
        tmp_path, exec_of(plugin(tmp_path, {"token": "one", "expirationTimestamp": "2026-11-21T12:10:00Z"}))
    )

    async def ask() -> None:
        clock = FastClock(1)
        asked = login(path, clock=clock)
        first = await asked.access()
        plugin(tmp_path, fails="who are you?")
        clock.ahead(3600)
        assert await asked.access() == first
        clock.ahead(6)
        with pytest.raises(ClusterError, match=r"exec plugin .*login`: .*who are you\?"):
            await asked.access(refused=first)

    asyncio.run(ask())


def test_what_is_refused_is_read_again_but_not_for_each_of_many_calls(tmp_path: Path) -> None:
    script = plugin(tmp_path, {"token": "one"}, {"token": "two"})

    async def ask() -> None:
        clock = FastClock(1)
        asked = login(kubeconfig(tmp_path, exec_of(script)), clock=clock)
        first = await asked.access()
        clock.ahead(3600)  # without a time it holds until it is refused
        assert await asked.access() == first
        renewed = await asyncio.gather(*(asked.access(refused=first) for _ in range(16)))
        assert {one.authorization for one in renewed} == {"Bearer two"}
        assert await asked.access(refused=renewed[0]) == renewed[0]

    asyncio.run(ask())
    assert runs(tmp_path) == 2


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Mount a ServiceAccount as a kubelet does."""
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text("first\n")
    (account / "ca.crt").write_text("PEM")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(account / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(account / "ca.crt"))
    return account


POD = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_s_token_that_rotates_is_in_use_without_a_restart(pod: Path) -> None:
    async def ask() -> None:
        clock = FastClock(1)
        asked = Login(environment=POD, clock=clock)
        first = await asked.access()
        assert (first.server, first.ca_file) == ("https://[fd00::1]:443", str(pod / "ca.crt"))
        (pod / "token").write_text("second")
        assert (await asked.access()).authorization == "bearer first"
        clock.ahead(31)
        assert (await asked.access()).authorization == "bearer second"
        (pod / "token").unlink()  # a moment in which it is not there
        clock.ahead(31)
        assert (await asked.access()).authorization == "bearer second"
        (pod / "token").write_text("third")
        clock.ahead(6)
        assert (await asked.access(refused=await asked.access())).authorization == "bearer third"

    asyncio.run(ask())


def test_a_token_file_of_a_kubeconfig_rotates_too(tmp_path: Path) -> None:
    async def ask() -> None:
        clock = FastClock(1)
        (tmp_path / "token").write_text("first")
        asked = login(kubeconfig(tmp_path, {"tokenFile": "token"}), clock=clock)
        await asked.access()
        (tmp_path / "token").write_text("second")
        clock.ahead(31)
        assert (await asked.access()).authorization == "Bearer second"

    asyncio.run(ask())


def test_in_a_pod_a_kubeconfig_that_is_asked_for_wins(tmp_path: Path, pod: Path) -> None:
    environment = POD | {"KUBECONFIG": str(kubeconfig(tmp_path, {"token": "asked-for"}))}
    assert asyncio.run(Login(environment=environment).access()).authorization == "Bearer asked-for"
    with pytest.raises(ClusterError, match=r"the pod's ServiceAccount: .*Service host/port"):
        asyncio.run(Login(environment={}).access())
    assert pod.is_dir()


def test_no_secret_is_told_by_accident(tmp_path: Path) -> None:
    assert "hidden" not in repr(access(kubeconfig(tmp_path, {"token": "hidden"})))


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (exec_of("not-installed", installHint="Get it at Example"), "exec plugin `not-installed`: No such file or "),
        (exec_of("not-installed", installHint="Get it at Example"), "Get it at Example"),
        (exec_of("false"), "exec plugin `false`: exit code 1"),
        (exec_of("echo", args=["hello"]), "exec plugin `echo`: got no ExecCredential"),
        (
            exec_of("echo", args=['{"apiVersion": "v2", "kind": "E", "status": {}}']),
            "got apiVersion v2, want client.authentication.k8s.io/v1",
        ),
        ({"exec": {"command": "login"}}, "got no command or no apiVersion"),
        ({"client-certificate": "none.crt", "client-key": "none.key"}, "none.crt"),
        ({"tokenFile": "none"}, "No such file"),
    ],
)
def test_a_login_that_fails_says_why(tmp_path: Path, user: Mapping[str, Any], told: str) -> None:
    with pytest.raises(ClusterError) as error:
        access(kubeconfig(tmp_path, user))
    assert str(error.value).startswith(f"no cluster to speak to: {tmp_path / 'config'}: ")
    assert told in str(error.value)


@pytest.mark.parametrize(
    "status", [{}, {"clientCertificateData": "PEM"}, {"token": "t", "expirationTimestamp": "soon"}]
)
def test_a_plugin_that_answers_half(tmp_path: Path, status: Mapping[str, Any]) -> None:
    with pytest.raises(ClusterError, match="no cluster to speak to"):
        access(kubeconfig(tmp_path, exec_of(plugin(tmp_path, status))))


def test_a_plugin_that_answers_deep_json(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="got no ExecCredential"):
        access(kubeconfig(tmp_path, exec_of(plugin(tmp_path, prints="[" * 100_000))))


def test_a_plugin_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "_TIMEOUT_S", 0.2)
    with pytest.raises(ClusterError, match="exec plugin `sleep`: no answer within"):
        access(kubeconfig(tmp_path, exec_of("sleep", args=["60"])))


@pytest.mark.parametrize("text", ["", "[]", "a: {", "contexts: 5", "users: [x]\ncontexts: []", "\x00"])
def test_what_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ClusterError, match="no cluster to speak to") as told:
        access(tmp_path / "config")
    assert not re.search(r"Error|Exception|object at|'str'|'NoneType'|\n", str(told.value)), "that is for programmers"


def test_a_kubeconfig_or_context_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"none: not found, want .* name it in KUBECONFIG$"):
        access(tmp_path / "none")
    with pytest.raises(ClusterError, match="got context `elsewhere`, want one of `there`"):
        access(kubeconfig(tmp_path, {"token": "t"}), "elsewhere")
