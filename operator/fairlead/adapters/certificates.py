"""The certificates that providers' TLS is checked against, by probes and by the gateways of `fairlead up`."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from fairlead.errors import EnvoyError


def ca_bundle(environment: Mapping[str, str]) -> Path:
    """Find the certificates that providers' TLS is checked against.

    `SSL_CERT_FILE` where it is set, the system's, else those that httpx brings. Raises `EnvoyError` for a file that is
    not there.
    """
    chosen = environment.get("SSL_CERT_FILE")
    if chosen:
        if not Path(chosen).is_file():
            raise EnvoyError(f"SSL_CERT_FILE: got `{chosen}`, want a file with certificates in PEM")
        return Path(chosen).absolute()
    of_system = ssl.get_default_verify_paths().cafile
    if of_system and Path(of_system).is_file():
        return Path(of_system)
    import certifi  # noqa: PLC0415  a dependency of httpx, needed on systems without certificates only

    return Path(certifi.where())
