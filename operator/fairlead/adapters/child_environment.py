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


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Choose the variables that a child gets."""
    return {name: value for name, value in environment.items() if name in _NEEDED}
