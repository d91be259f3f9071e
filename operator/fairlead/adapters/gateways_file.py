"""`gateways.json`, in which the chart says how gateways run: read as what anybody may have written."""

from pathlib import Path

from fairlead.adapters import disk
from fairlead.adapters.answer import decoded
from fairlead.errors import AnswerError, InstallationError, StateError
from fairlead.manifests import Settings, decode_settings

_ADVICE = "want `gateways.json` of the ConfigMap `<release>-installation`, run helm upgrade"


def read(path: Path) -> Settings:
    """Return how gateways run.

    Raises:
        InstallationError: the file cannot be read, or is not what the chart writes.

    """
    try:
        content = disk.read(path)
    except StateError as error:
        raise InstallationError(f"{error}; {_ADVICE}") from None
    if content is None:
        raise InstallationError(f"{path}: got no such file, {_ADVICE}")
    return decode(content, str(path))


def decode(content: bytes, place: str) -> Settings:
    """Return how gateways run, from the content of such a file; raises `InstallationError` that names `place`."""
    try:
        return decode_settings(decoded(content))
    except (AnswerError, InstallationError) as error:
        raise InstallationError(f"{place}: {error}, {_ADVICE}") from None
