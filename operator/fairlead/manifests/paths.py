"""Where a gateway's pod has its files and ports: what the pod's volumes and Envoy's configuration must agree on."""

BOOTSTRAP_DIR = "/etc/fairlead/bootstrap"
XDS_DIR = "/etc/fairlead/xds"
KEYS_DIR = "/etc/fairlead/keys"
CREDENTIALS_DIR = "/etc/fairlead/credentials"
"""One folder below it per Secret."""
RUN_DIR = "/run/fairlead"
"""Writable, of the pod: Envoy's admin socket."""
ADMIN_SOCKET = f"{RUN_DIR}/admin.sock"
ACCESS_LOG = "/dev/stdout"
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
"""In Envoy's official images, and in the one of `make images`."""

HTTP_PORT = 8080
METRICS_PORT = 9090
READY_PATH = "/fairlead/ready"
"""Answers 503 while a pod drains, else 200 with the digest of the configuration that it serves."""
