"""What a child of `fairlead up` gets of its environment: what any program needs, and no provider's key.

`up` itself may have been started with all keys of its Secrets in variables; children read theirs from files.
"""

from collections.abc import Mapping

_PLACES = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "USER", "VIRTUAL_ENV")
_NETWORK = ("HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "SSL_CERT_DIR", "SSL_CERT_FILE")
_TIME = ("TZ", "TZDIR")
_LANGUAGE = ("LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME")
_MEMORY = ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_CONF", "MALLOC_TRIM_THRESHOLD_")
_PYTHON = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONFAULTHANDLER",
    "PYTHONHASHSEED",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONSAFEPATH",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
    "PYTHONWARNINGS",
)
_NEEDED = frozenset((*_PLACES, *_NETWORK, *_TIME, *_LANGUAGE, *_MEMORY, *_PYTHON))
"""By whole names: a prefix would let somebody's `PYTHON_TOKEN` through."""


_AWS = (
    *("AWS_CONFIG_FILE", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULT_REGION", "AWS_REGION"),
    *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
"""Where Envoy finds what AWS gives this machine, for providers of Bedrock without a credential: places, no secrets."""


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Choose the variables that a child gets."""
    return {name: value for name, value in environment.items() if name in _NEEDED}


def of_envoy(environment: Mapping[str, str]) -> dict[str, str]:
    """Choose those that an Envoy gets."""
    return {**inherited(environment), **{name: environment[name] for name in _AWS if name in environment}}
