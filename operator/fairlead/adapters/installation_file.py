"""The installation file that `-c` names."""

from pathlib import Path

from fairlead.adapters import disk
from fairlead.adapters.document import DocumentError, parse
from fairlead.api.installation import Installation, decode_installation
from fairlead.errors import InstallationError


def read(path: Path) -> Installation:
    """Return the installation.

    Raises:
        InstallationError: the file cannot be read or is wrong; one line per problem.

    """
    try:
        content = disk.read(path)
        if content is None:
            raise InstallationError(f"{path}: got no such file, want the installation file; see docs/quickstart.md")
        documents = parse(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise InstallationError(f"{path}: got bytes that are not UTF-8, want UTF-8; save the file as UTF-8") from None
    except DocumentError as error:
        raise InstallationError(str(error)) from None
    if len(documents) != 1:
        raise InstallationError(f"{path}: got {len(documents)} documents, want one mapping with `regions`")
    decoded = decode_installation(documents[0].manifest)
    if isinstance(decoded, Installation):
        return decoded
    raise InstallationError("\n".join(f"{path}: {problem}" for problem in decoded))
