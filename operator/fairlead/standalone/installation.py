"""The installation file as `fairlead up` takes it, at its start and while its gateways run."""

from pathlib import Path

from fairlead.adapters import installation_file
from fairlead.api.installation import AnonymousPolicy, Installation
from fairlead.errors import InstallationError


def read_installation(path: Path) -> Installation:
    """Read the installation as `fairlead up` takes it: without a choice, callers without a key are let in."""
    installation = installation_file.read(path)
    if installation.anonymous is None:
        return installation.model_copy(update={"anonymous": AnonymousPolicy.ALLOW})
    return installation


def check_live(old: Installation, new: Installation) -> None:
    """Raise where the gateways would have to start anew."""
    before, after = ({region.name: region.listen for region in one.served} for one in (old, new))
    if before != after:
        differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        raise InstallationError(
            f"regions: got another address or another choice of served regions ({', '.join(differing)}), want the ones"
            " that `fairlead up` started with; stop it and start it again"
        )
