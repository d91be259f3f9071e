"""Files in gzip that a kubelet mounts, unpacked into another folder, each under its name without `.gz`.

A kubelet writes a new version into a folder of its own (`..2026_06_01_...`), and lets the link `..data` lead there by
one rename. Whoever watches such a mount has to read all files whenever one has changed. So here each file that differs
is replaced by a rename of its own, and Envoy reads what has changed and nothing else. Nobody sees half a file.

Files are replaced in the order of their names: clusters, listeners, routes. Envoy reads them in that order too, so it
has a cluster before the routes that lead there. What else two versions owe each other is `controller.changeover`'s.
"""

from collections.abc import Mapping
from pathlib import Path

from fairlead.manifests import packing
from fairlead.manifests.configuration import LONGEST_FILE_BYTES, PACKED_SUFFIX

_LINK, _NEXT = "..data", "..next"


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
            ValueError: a file is no gzip, or longer than any configuration; the message names it, and the folder keeps
                what it had.

        """
        version = self._mount.joinpath(_LINK).readlink().name
        if version == _version(self._folder):
            return False
        files = self._read(version)
        for name in sorted(files):
            self._replace(name, files[name])
        for path in self._folder.iterdir():
            if path.name not in {*files, _LINK}:
                path.unlink()
        self._note(version)
        return True

    def _read(self, version: str) -> Mapping[str, bytes]:
        """Unpack all of a version before any of it is taken."""
        files = {}
        for file in sorted(self._mount.joinpath(version).iterdir()):
            try:
                content = packing.inflate(file.read_bytes(), limit=LONGEST_FILE_BYTES)
            except ValueError as error:
                raise ValueError(f"{file.name}: {error}") from None
            files[file.name.removesuffix(PACKED_SUFFIX)] = content
        return files

    def _replace(self, name: str, content: bytes) -> None:
        """Put a file there, unless it is there: a rename makes Envoy read it."""
        path = self._folder / name
        if path.is_file() and path.read_bytes() == content:
            return
        following = self._next()
        following.write_bytes(content)
        following.replace(path)

    def _note(self, version: str) -> None:
        """Remember which version stands here, as a kubelet does: by a link, which here leads nowhere."""
        following = self._next()
        following.symlink_to(version)
        following.replace(self._folder / _LINK)

    def _next(self) -> Path:
        """Return a path that is renamed from, where nothing stands: somebody may have been killed before a rename."""
        path = self._folder / _NEXT
        path.unlink(missing_ok=True)
        return path


def _version(folder: Path) -> str | None:
    try:
        return folder.joinpath(_LINK).readlink().name
    except OSError:
        return None
