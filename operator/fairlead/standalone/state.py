"""The state folder of `fairlead up`: where everything stands.

.fairlead/
      up.lock                  who uses the folder (names of regions have no dots)
  status.json              what `fairlead status` shows
  last-good.json           the newest version of each resource that could be used; no Secrets
  <region>/
    bootstrap.json xds/    what Envoy reads; no secrets
    keys/ecds.json         consumers' keys
    credentials/           providers' credentials, <secret>/<key>
    access.log envoy.log   and one older one of each
    admin.sock             Envoy's admin interface
  killed.json              consumers that `fairlead kill` stopped
  ballast                  room on the disk for a stop
  drains.json              endpoints and regions that `fairlead drain` drains, and until when
  drains.copy.json         the same, for when that is damaged
  rollouts.json            where each route's rollout stands; kept also of routes that are gone
  rollouts.copy.json       the same, for when that is damaged
  rollout-orders.json      what `fairlead rollout` asked last of each
  health.json              how endpoints and regions stand; no secrets
  exhausted.json           who is at the end of a budget
  rehearsals/              reports of drills
  _served/                 what `fairlead up` without files serves: made anew at each start
  _budget/                 no region has a name like this
    book.json gateways     what the budget server decides by, and whose counters it reads
    budget.db              what was spent
    budget.feedback.db     which answers can be rated
    answers.key            what shared answers are encrypted by in Redis
    *.sock server.log
"""

import hashlib
import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from fairlead.adapters import disk
from fairlead.adapters.budget_places import Places
from fairlead.errors import StateError

NAME = ".fairlead"
"""Of the folder, beside the installation file."""
BUDGET_FOLDER = "_budget"
REHEARSALS_FOLDER = "rehearsals"
SERVED_FOLDER = "_served"
PAIRS_FOLDER = "_recorder"
_NO_REGIONS = (BUDGET_FOLDER, REHEARSALS_FOLDER, SERVED_FOLDER, PAIRS_FOLDER)
SOCKET_PATH_BYTES = 100
"""The system allows 107 for a unix socket's path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionFolder:
    """The places of one region. All absolute."""

    root: Path

    @property
    def bootstrap(self) -> Path:
        """What `envoy -c` is given."""
        return self.root / "bootstrap.json"

    @property
    def xds(self) -> Path:
        """Clusters, listeners, routes, sources of secrets."""
        return self.root / "xds"

    @property
    def keys(self) -> Path:
        """Holds the consumers' keys in clear."""
        return self.root / "keys"

    @property
    def credentials(self) -> Path:
        """Holds the providers' credentials in clear, one file each."""
        return self.root / "credentials"

    @property
    def access_log(self) -> Path:
        """One JSON line per request, attempt and shadow."""
        return self.root / "access.log"

    @property
    def envoy_log(self) -> Path:
        """What Envoy says of itself."""
        return self.root / "envoy.log"

    @property
    def admin(self) -> Path:
        """Envoy's admin socket."""
        return _socket(self.root, "admin.sock")

    def make(self) -> None:
        """Make the folders that Envoy watches or writes to."""
        for folder in (self.xds, self.keys, self.credentials, self.admin.parent):
            disk.directory(folder)
        _check_private(self.admin.parent)
        # Envoy would make its logs readable for everybody.
        for log in (self.access_log, self.envoy_log):
            try:
                disk.appending(log).close()  # Envoy would wait for the reader of a pipe
            except OSError as error:
                raise StateError(f"{log}: {disk.reason(error)}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFolder:
    """The places of the budget server. All absolute."""

    root: Path

    @property
    def places(self) -> Places:
        """Its files and sockets."""
        return Places(
            configuration=self.root / "book.json",
            database=self.root / "budget.db",
            gateways=self.root / "gateways",
            answers_key=self.root / "answers.key",
            log=self.root / "server.log",
            rpc=_socket(self.root, "rpc.sock"),
            usage=_socket(self.root, "usage.sock"),
            http=_socket(self.root, "http.sock"),
        )

    def make(self) -> None:
        """Make the folders. Who reaches its sockets can read everybody's budget, so they are private."""
        places = self.places
        sockets = {socket.parent for socket in (places.rpc, places.usage, places.http)}
        for folder in (self.root, *sockets):
            disk.directory(folder)
        for folder in sockets:
            _check_private(folder)
        _link(self.root, places.http)


def _socket(folder: Path, name: str) -> Path:
    """Place a socket beside the rest, or in a folder of its own where that path is too long for a socket."""
    beside = folder / name
    if len(os.fsencode(beside)) <= SOCKET_PATH_BYTES:
        return beside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"fairlead-{os.getuid()}-{digest}" / name


def _link(folder: Path, socket: Path) -> None:
    """Let a socket that stands elsewhere be found beside the rest: what people type can be short all the same."""
    beside = folder / socket.name
    if socket != beside:
        disk.remove(beside)
        beside.symlink_to(socket)


def _check_private(folder: Path) -> None:
    owner = folder.stat()
    if owner.st_uid != os.getuid() or owner.st_mode & 0o022:
        raise StateError(f"{folder}: others may write to it; choose a shorter path with --state")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFolder:
    """The places of one installation."""

    root: Path

    @classmethod
    def beside(cls, config: Path) -> "StateFolder":
        """Name the folder that belongs to an installation file."""
        return cls(root=config.absolute().parent / NAME)

    @property
    def status(self) -> Path:
        """What `fairlead status` shows."""
        return self.root / "status.json"

    @property
    def last_good(self) -> Path:
        """The newest usable version of each resource."""
        return self.root / "last-good.json"

    @property
    def sources(self) -> Path:
        """Which file held what."""
        return self.root / "sources.json"

    @property
    def killed(self) -> Path:
        """Which consumers a person has stopped."""
        return self.root / "killed.json"

    @property
    def ballast(self) -> Path:
        """A file of nothing, which a stop may remove for its room."""
        return self.root / "ballast"

    @property
    def drains(self) -> Path:
        """What a person has drained."""
        return self.root / "drains.json"

    @property
    def drains_copy(self) -> Path:
        """The same, for when that is damaged."""
        return self.root / "drains.copy.json"

    @property
    def exhausted(self) -> Path:
        """Who is at the end of a budget."""
        return self.root / "exhausted.json"

    @property
    def rehearsals(self) -> Path:
        """Reports of drills."""
        return self.root / REHEARSALS_FOLDER

    @property
    def served(self) -> Path:
        """What a `fairlead up` that was given no files serves."""
        return self.root / SERVED_FOLDER

    @property
    def rollouts(self) -> Path:
        """Where each route's rollout stands."""
        return self.root / "rollouts.json"

    @property
    def rollouts_copy(self) -> Path:
        """The same, for when that is damaged."""
        return self.root / "rollouts.copy.json"

    @property
    def rollout_orders(self) -> Path:
        """What people asked of rollouts."""
        return self.root / "rollout-orders.json"

    @property
    def pairs(self) -> Path:
        """What the recorder keeps."""
        return self.root / PAIRS_FOLDER / "pairs"

    @property
    def recorder_socket(self) -> Path:
        """Where gateways post pairs."""
        return _socket(self.root / PAIRS_FOLDER, "parts.sock")

    @property
    def recorder_log(self) -> Path:
        """What the recorder says."""
        return self.root / PAIRS_FOLDER / "recorder.log"

    def make_recorder(self) -> None:
        """Make the recorder's folders, which nobody else may enter."""
        for folder in {self.root / PAIRS_FOLDER, self.recorder_socket.parent}:
            disk.directory(folder)
        _check_private(self.recorder_socket.parent)

    @property
    def health(self) -> Path:
        """What is remembered of endpoints and regions."""
        return self.root / "health.json"

    @property
    def budget(self) -> BudgetFolder:
        """The budget server's places."""
        return BudgetFolder(root=self.root / BUDGET_FOLDER)

    def regions(self) -> tuple[RegionFolder, ...]:
        """List the folders of all regions that were ever served here."""
        if not self.root.is_dir():
            return ()
        folders = sorted(path for path in self.root.iterdir() if path.is_dir() and path.name not in _NO_REGIONS)
        return tuple(RegionFolder(root=path) for path in folders)

    def forget_secrets_but_of(self, regions: Collection[str]) -> None:
        """Remove keys and credentials of regions that are served no longer."""
        for folder in self.regions():
            if folder.root.name not in regions:
                disk.prune(folder.keys, frozenset())
                disk.prune(folder.credentials, frozenset())

    def region(self, name: str) -> RegionFolder:
        """Name a region's folder."""
        return RegionFolder(root=self.root / name)
