"""Files in gzip that a kubelet mounts, unpacked into another folder in the way in which a kubelet brings files.

A kubelet writes a new version into a folder of its own (`..2026_06_01_...`), and lets the link `..data` lead there by
one rename; names in the mount lead through that link. Whoever watches the mount sees all files change at once, and
nobody sees half a file. The copy does the same, under the same names without `.gz`.
"""

import shutil
from pathlib import Path

from fairlead.manifests import packing
from fairlead.manifests.configuration import LONGEST_FILE_BYTES, PACKED_SUFFIX

_LINK, _NEXT_LINK = "..data", "..data_next"


class Unpacked:
    """A mount's files as they were before they were packed."""

    def __init__(self, mount: Path, folder: Path) -> None:
        """`folder`: where they are to stand; nobody else writes there."""
        self._mount, self._folder = mount, folder

    def is_current(self) -> bool:
        """Tell whether the folder has what the mount has now."""
        version = _version(self._mount)
        return version is not None and version == _version(self._folder)

    def renew(self) -> bool:
        """Unpack the mount's version if the folder has another; tell whether it had.

        Raises:
            OSError: the mount has no version, or is being replaced in this moment; the folder cannot be written.
            ValueError: a file is no gzip, or longer than any configuration; the message names it.

            The folder keeps what it had.

        """
        version = self._mount.joinpath(_LINK).readlink().name
        if version == _version(self._folder):
            return False
        self._write(version)
        link = self._empty(_NEXT_LINK)
        link.symlink_to(version)
        link.replace(self._folder / _LINK)
        self._settle(version)
        return True

    def _write(self, version: str) -> None:
        made = self._empty(version)
        made.mkdir()
        for file in sorted(self._mount.joinpath(version).iterdir()):
            try:
                content = packing.inflate(file.read_bytes(), limit=LONGEST_FILE_BYTES)
            except ValueError as error:
                raise ValueError(f"{file.name}: {error}") from None
            made.joinpath(file.name.removesuffix(PACKED_SUFFIX)).write_bytes(content)

    def _settle(self, version: str) -> None:
        """Let names lead through the link, and forget versions of before."""
        for file in self._folder.joinpath(version).iterdir():
            name = self._folder / file.name
            if not name.is_symlink():
                name.symlink_to(f"{_LINK}/{file.name}")
        for other in self._folder.iterdir():
            if other.name.startswith("..") and other.name not in {version, _LINK}:
                self._empty(other.name)

    def _empty(self, name: str) -> Path:
        """Return a path of the folder at which nothing stands."""
        path = self._folder / name
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
        return path


def _version(folder: Path) -> str | None:
    try:
        return folder.joinpath(_LINK).readlink().name
    except OSError:
        return None
