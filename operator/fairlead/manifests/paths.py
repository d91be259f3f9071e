"""Where a gateway's pod has its files and ports: what the pod's volumes and Envoy's configuration must agree on."""

import hashlib

BOOTSTRAP_DIR = "/etc/fairlead/bootstrap"
XDS_DIR = "/etc/fairlead/xds"
PACKED_DIR = "/etc/fairlead/packed"
"""Where ConfigMaps in gzip are mounted, beside what unpacks them into `XDS_DIR`."""
KEYS_DIR = "/etc/fairlead/keys"
CREDENTIALS_DIR = "/etc/fairlead/credentials"
"""One folder below it per Secret."""
RUN_DIR = "/run/fairlead"
"""Writable, of the pod: Envoy's admin socket."""
ADMIN_SOCKET = f"{RUN_DIR}/admin.sock"
ACCESS_LOG = "/dev/stdout"
NO_LOG = "/dev/null"
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
"""In Envoy's official images, and in the one of `make images`."""

HTTP_PORT = 8080
METRICS_PORT = 9090
DRAIN_PORT = 9091
POD_NAME = "POD_NAME"
"""The environment variable that holds it."""
DRAIN_PATH = "DRAIN_PATH"
"""The environment variable that holds `drain_path`: the files of a gateway are the same in every release."""
READY_PATH = "/fairlead/ready"
"""Answers 503 while a pod drains, else 200 with the digest of the configuration that it serves."""


def drain_path(owner_uid: str) -> str:
    """Return where a pod's preStop hook asks it to drain: known to who may read the Deployment, guessed by nobody."""
    return f"/drain/{hashlib.sha256(f'drain {owner_uid}'.encode()).hexdigest()[:32]}"
