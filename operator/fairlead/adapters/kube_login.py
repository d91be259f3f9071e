"""Who we are for an API server: the pod's ServiceAccount, or KUBECONFIG as kubectl reads it.

`kubernetes.aio.config` finds and merges files, contexts and certificates. What it leaves out stands here: credentials
that rotate are read again.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, incluster_config
from kubernetes.aio.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger
from yaml.error import MarkedYAMLError, YAMLError

from fairlead.adapters import exec_plugin
from fairlead.adapters.clock import Clock, SystemClock
from fairlead.errors import ClusterError, NoClusterError

_READ_AGAIN_S = 30.0
"""How old what was read from files may be. A kubelet rotates a token long before it expires."""
_EARLY = timedelta(seconds=60)
"""So long before it expires, an exec plugin's credential is replaced."""
_APART_S = 5.0
"""Between two readings, also when an API server refuses what was read: a plugin is a process."""
_DEFAULT_FILE = "~/.kube/config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the API server is and what is shown to it. No part of it belongs in a log: see `__repr__`."""

    server: str
    ca_file: str | None = None
    """PEM; None = the system's certificates."""
    verify: bool = True
    server_name: str | None = None
    """The name that its certificate carries, where that is not the host of `server`."""
    proxy: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    authorization: str | None = None
    """The value of the header; None = a client certificate, or nobody."""
    is_of_plugin: bool = False
    """An exec plugin made it: it holds until `expires_at`, or until it is refused."""
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        """Name the server only."""
        return f"Access({self.server})"


class Login:
    """Access that is kept up to date. One of it belongs to one event loop.

    `context`: which one of KUBECONFIG's; default: its current one. Order: a KUBECONFIG or a context that is asked for,
    the pod's ServiceAccount, `~/.kube/config`.
    """

    def __init__(
        self, context: str | None = None, *, environment: Mapping[str, str] = os.environ, clock: Clock | None = None
    ) -> None:
        self._context, self._environment = context, environment
        # Once and for all: while a token is replaced, its file may not be there.
        is_mounted = Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file()
        self._is_pod = is_mounted and context is None and not environment.get("KUBECONFIG")
        self._clock: Clock = clock or SystemClock()
        self._lock = asyncio.Lock()
        self._access: Access | None = None
        self._read_at = 0.0

    async def access(self, *, refused: Access | None = None) -> Access:
        """Return what holds now; raises `ClusterError` if there is nothing, or a plugin fails.

        `refused`: what the API server said 401 to. It is read again, unless that was done just now.
        A renewal that fails keeps what was read before until the API server refuses it.
        """
        async with self._lock:
            known = self._access
            if known is not None and not self._is_due(known, refused):
                return known
            try:
                read = await self._read()
            except ClusterError:
                if known is None or known == refused:
                    raise
                read = known
            self._access, self._read_at = read, self._clock.monotonic()
            return read

    def _is_due(self, known: Access, refused: Access | None) -> bool:
        age_s = self._clock.monotonic() - self._read_at
        if age_s < _APART_S:
            return False
        if known == refused:
            return True
        if known.expires_at is not None:
            return self._clock.now() >= known.expires_at - _EARLY
        return age_s >= _READ_AGAIN_S and not known.is_of_plugin

    async def _read(self) -> Access:
        if self._is_pod:
            return _service_account(self._environment)
        return await _kubeconfig(self._environment.get("KUBECONFIG") or _DEFAULT_FILE, self._context)


def _service_account(environment: Mapping[str, str]) -> Access:
    configuration = Configuration()
    try:
        incluster_config.InClusterConfigLoader(
            token_filename=incluster_config.SERVICE_TOKEN_FILENAME,
            cert_filename=incluster_config.SERVICE_CERT_FILENAME,
            try_refresh_token=False,
            environ=environment,
        ).load_and_set(configuration)
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterError(f"the pod's ServiceAccount: {error}") from error
    return _access(configuration)


async def _kubeconfig(files: str, context: str | None) -> Access:
    try:
        loader, configuration = _Loader(_merged(files, context), context, config_base_path=None), Configuration()
        await loader.load_and_set(configuration)
    except (ClusterError, ConfigException) as error:
        raise NoClusterError(f"no cluster to speak to: {files}: {error}") from error
    except Exception as error:  # the library does not check a KUBECONFIG: it stumbles over it in many ways
        told = f"no KUBECONFIG as kubectl writes it{_reason(error)}; `kubectl config view` shows how it is read"
        raise NoClusterError(f"no cluster to speak to: {files}: {told}") from error
    return replace(_access(configuration), is_of_plugin=loader.ran_plugin, expires_at=loader.expires_at)


def _reason(error: Exception) -> str:
    """Say in one line what is wrong, where that says something to whoever wrote the file; names of Python's do not."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f": not YAML in line {error.problem_mark.line + 1}"
    if isinstance(error, OSError | ValueError | YAMLError):
        return f": {' '.join(str(error).split())}"
    return ""


def _merged(files: str, context: str | None) -> Any:
    if not any(Path(path).expanduser().is_file() for path in files.split(os.pathsep) if path):
        raise ConfigException("not found, want the file that kubectl uses: name it in KUBECONFIG")
    merged = KubeConfigMerger(files).config
    names = [one["name"] for one in merged["contexts"].value]
    if context is not None and context not in names:
        raise ConfigException(f"got context `{context}`, want one of {', '.join(f'`{name}`' for name in names)}")
    return merged


def _access(configuration: Any) -> Access:
    authorization = configuration.api_key.get("BearerToken")
    return Access(
        server=configuration.host,
        ca_file=configuration.ssl_ca_cert,
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        # A token in a file often ends with a line break, which no header can carry.
        authorization=authorization.strip() if authorization else None,
    )


class _Loader(KubeConfigLoader):  # type: ignore[misc]  # the library is not typed
    """The library's, which only logs what an exec plugin did wrong, and then goes on as nobody."""

    ran_plugin = False
    expires_at: datetime | None = None

    async def load_from_exec_plugin(self) -> bool:
        folder = self._get_base_path(self._user.path)
        status = await exec_plugin.run(self._user["exec"].value, folder=folder, cluster=_told(self._cluster.value))
        self.ran_plugin = True
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
        if status.get("clientCertificateData"):
            self.cert_file, self.key_file = (_as_file(status, f"client{key}Data") for key in ("Certificate", "Key"))
        if status.get("expirationTimestamp"):
            self.expires_at = datetime.fromisoformat(status["expirationTimestamp"])
        return True

    def _load_user_token(self) -> Any:
        if self._user.safe_get("tokenFile"):  # as kubectl: it wins over `token`
            self._user.value.pop("token", None)
        return super()._load_user_token()


def _told(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a cluster as plugins are told of it: the same fields, and what its extension for plugins says."""
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    told = {name: cluster[name] for name in names if name in cluster}
    for one in cluster.get("extensions") or []:
        if one["name"] == "client.authentication.k8s.io/exec":
            told["config"] = one["extension"]
    return told


def _as_file(status: Mapping[str, Any], key: str) -> str:
    """Write what Python's TLS reads from files only: mode 0600, removed when the process ends."""
    return str(FileOrData(status, "", data_key_name=key, base64_file_content=False).as_file())
