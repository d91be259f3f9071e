"""Exec plugins of a KUBECONFIG: commands that log in at a cloud, by the protocol of `client.authentication.k8s.io`.

`kubernetes.aio` runs them without a bound, leaves one that hangs behind, and does not say which cluster is meant.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairlead.adapters.answer import decoded
from fairlead.errors import AnswerError, ClusterError

_TIMEOUT_S = 60.0
"""How long a plugin may take: some ask a person."""
_TOLD = 300
"""So many characters of what it wrote to stderr stand in the error."""


async def run(plugin: Mapping[str, Any], *, folder: str, cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run `plugin` (`exec` of a user) and return the `status` that it says; raises `ClusterError`.

    `folder`: of the KUBECONFIG, since a command with a slash is relative to it. `cluster`: as there.
    """
    command = plugin.get("command")
    if not isinstance(command, str) or not command or not isinstance(plugin.get("apiVersion"), str):
        raise ClusterError("exec plugin: got no command or no apiVersion, want both")
    try:
        code, out, err = await _output(_words(plugin, command, folder), _environment(plugin, cluster))
    except TimeoutError as error:
        raise ClusterError(f"exec plugin `{command}`: no answer within {_TIMEOUT_S:g} s") from error
    except OSError as error:
        hint = plugin.get("installHint")
        raise ClusterError(f"exec plugin `{command}`: {error.strerror}{f'. {hint}' if hint else ''}") from error
    if code != 0:
        told = err.decode(errors="replace").strip()[-_TOLD:]
        raise ClusterError(f"exec plugin `{command}`: exit code {code}{f': {told}' if told else ''}")
    return _status(plugin, command, out)


def _words(plugin: Mapping[str, Any], command: str, folder: str) -> list[str]:
    return [str(Path(folder) / command) if os.sep in command else command, *map(str, plugin.get("args") or [])]


def _environment(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": sys.stdin.isatty() and plugin.get("interactiveMode") != "Never"}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = cluster
    info = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec}
    wanted = {one["name"]: one["value"] for one in plugin.get("env") or []}
    return {**os.environ, **wanted, "KUBERNETES_EXEC_INFO": json.dumps(info)}


async def _output(words: list[str], environment: Mapping[str, str]) -> tuple[int | None, bytes, bytes]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, env=environment, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode, out, err


def _status(plugin: Mapping[str, Any], command: str, out: bytes) -> Mapping[str, Any]:
    try:
        credential = decoded(out)
        version, status = credential["apiVersion"], credential["status"]
    except (AnswerError, TypeError, KeyError) as error:
        raise ClusterError(f"exec plugin `{command}`: got no ExecCredential with a status, want one as JSON") from error
    if version != plugin["apiVersion"]:
        raise ClusterError(f"exec plugin `{command}`: got apiVersion {version}, want {plugin['apiVersion']}")
    if not isinstance(status, dict) or not (
        "token" in status or {"clientCertificateData", "clientKeyData"} <= {*status}
    ):
        raise ClusterError(f"exec plugin `{command}`: got neither token nor certificate and key, want one of them")
    return status
