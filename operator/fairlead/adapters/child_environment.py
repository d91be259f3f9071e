"""What a child of `fairlead up` gets of its environment: what any program needs, and no provider's key.

`up` itself may have been started with all keys of its Secrets in variables; children read theirs from files.
"""

from collections.abc import Mapping

_NEEDED = frozenset(
    {
        "HOME",
        "HOSTALIASES",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOCALDOMAIN",
        "PATH",
        "RES_OPTIONS",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "TZDIR",
        "USER",
        "VIRTUAL_ENV",
    }
)
"""Where programs, libraries and certificates are, how names resolve, which time it is."""
_NEEDED_PREFIXES = ("GLIBC_", "LC_", "MALLOC_", "PYTHON")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Choose the variables that a child gets."""
    return {name: value for name, value in environment.items() if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)}
