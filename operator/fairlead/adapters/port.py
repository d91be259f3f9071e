"""Whether an address can be listened on, asked before Envoy does.

Envoy binds with `reuse_port`, so a second one on the same port would share its connections without a word.
"""

import errno
import socket

from fairlead.adapters import disk


def problem(host: str, port: int) -> str | None:
    """Why nothing can listen there, as the middle of a sentence; None when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a gateway that ended a moment ago linger in TIME_WAIT and hinder nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return "another process listens there" if error.errno == errno.EADDRINUSE else disk.reason(error)
    return None


def free(host: str = "127.0.0.1") -> int:
    """Find a port that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
