"""From files to what the compiler wants: manifests, and Secrets taken apart from them.

What is wrong with a file or a Secret is told here; what is wrong with a resource is the compiler's to say. Values of
Secrets stay in `Redacted` and go no further than `Inputs.secrets`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.adapters.manifest_files import ManifestFile
from fairlead.api.core import Redacted, Secret, fill
from fairlead.api.decode import decode, unpack
from fairlead.api.meta import ObjectKey
from fairlead.api.problem import Problem
from fairlead.compiler import Manifest
from fairlead.runtime.snapshot import SecretName, SecretValues, Values, fingerprint
from fairlead.translate.intake import probable_key

Content = Mapping[str, Any]
Place = Callable[[str], str]
"""Return `path:line` of a field, such as `spec.models[2].name`."""


_NOTHING = "got no manifest, want *.yaml, *.yml or *.json with some in what `-f` names, write one or name another path"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDiagnostic:
    """What is wrong with a file, or with an object that the compiler never sees."""

    source: str
    """`path:line`."""
    message: str
    key: ObjectKey | None = None
    warning: bool = False
    """Nothing is wrong, but something goes without effect."""

    def __str__(self) -> str:
        return ": ".join(str(part) for part in (self.source, self.key, self.message) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """What a file holds, by name: enough to go on with it when it cannot be read after a restart."""

    objects: tuple[ObjectKey, ...] = ()
    namespaces: tuple[Content, ...] = ()
    secrets: Mapping[SecretName, Mapping[str, str]] = field(default_factory=dict)
    """Fingerprints by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was good before."""

    objects: Mapping[ObjectKey, Content] = field(default_factory=dict)
    """The last good version of each resource."""
    files: Mapping[str, FileContent] = field(default_factory=dict)
    secrets: Mapping[SecretName, Values] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that the files say."""

    manifests: tuple[Manifest, ...]
    """All but Secrets, in the order of the files."""
    sources: Mapping[ObjectKey, str]
    """Where each object stands: `path:line`."""
    places: Mapping[ObjectKey, Place] = field(default_factory=dict, repr=False, compare=False)
    """Where the fields of each object stand that a file of now holds."""
    secrets: Mapping[SecretName, Values]
    diagnostics: tuple[InputDiagnostic, ...]
    files: Mapping[str, FileContent]
    being_written: bool = False
    """Whether a file is 0 bytes long at this moment."""
    assumed: tuple[SecretName, ...] = ()
    """Secrets that count as there though no file holds them, sorted."""

    def place(self, key: ObjectKey) -> Place:
        """Return where an object's fields stand; its begin for all of them where no file of now holds it."""
        source = self.sources.get(key, "")
        return self.places.get(key, lambda _: source)

    @property
    def values(self) -> SecretValues:
        """Return the values that were read, as compiling takes them."""
        return SecretValues(secrets=self.secrets)


def take_in(
    files: tuple[ManifestFile, ...], *, memory: Memory, environment: Mapping[str, str], default_namespace: str
) -> Inputs:
    """Sort what the files hold. Total: whatever stands in them, the rest goes on."""
    reader = _Reader(memory=memory, environment=environment, default_namespace=default_namespace)
    for file in files:
        reader.read(file)
    return reader.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """One appearance of a Secret."""

    manifest: Content
    secret: Secret | None
    problems: tuple[Problem, ...]
    source: str
    path: str


class _Reader:
    def __init__(self, *, memory: Memory, environment: Mapping[str, str], default_namespace: str) -> None:
        self._memory = memory
        self._environment = environment
        self._default_namespace = default_namespace
        self._manifests: list[Manifest] = []
        self._sources: dict[ObjectKey, str] = {}
        self._meant: dict[ObjectKey, str] = {}
        """Where stands what is probably these, with a slip in its kind or version: nobody is named by that."""
        self._places: dict[ObjectKey, Place] = {}
        self._diagnostics: list[InputDiagnostic] = []
        self._written: dict[SecretName, list[_Written]] = {}
        self._recalled: dict[SecretName, str] = {}
        self._objects: dict[str, list[ObjectKey]] = {}
        self._namespaces: dict[str, list[Content]] = {}
        self._being_written = False
        self._read: list[ManifestFile] = []

    def read(self, file: ManifestFile) -> None:
        """Take one file in."""
        self._objects[file.path], self._namespaces[file.path] = [], []
        self._being_written |= file.being_written
        if file.error is not None:
            kept = bool(file.documents) or (file.never_read and bool(self._remembered(file.path)))
            ending = "; its objects stay as they were" if kept else ""
            message = f"{file.error.message}{ending}"
            self._diagnostics.append(
                InputDiagnostic(source=file.error.source, message=message, warning=file.being_written)
            )
        if file.never_read:
            self._recall(file.path)
        for document in file.documents:
            for content in unpack(document.manifest):
                self._object(content, document.source, file.path)
            key = object_key(document.manifest, self._default_namespace)
            if key is not None and self._sources.get(key) == document.source:
                self._places[key] = document.place
        self._read.append(file)

    def result(self) -> Inputs:
        """Return all that was taken in."""
        for file in self._read:
            self._keep(file)
        if not any(file.documents or file.error for file in self._read):
            self._diagnostics.append(InputDiagnostic(source="", message=_NOTHING, warning=True))
        secrets = {name: self._memory.secrets[name] for name in self._recalled if name in self._memory.secrets}
        homes = dict(self._recalled)
        for name, written in self._written.items():
            values = self._secret(name, written)
            if values is not None:
                secrets[name] = values
                homes[name] = written[0].path
        return Inputs(
            manifests=tuple(self._manifests),
            sources={**self._meant, **self._sources},
            places=self._places,
            secrets=secrets,
            diagnostics=tuple(dict.fromkeys(self._diagnostics)),  # several files may have one reason: their folder
            being_written=self._being_written,
            files={
                path: FileContent(
                    objects=tuple(dict.fromkeys(self._objects[path])),
                    namespaces=tuple(self._namespaces[path]),
                    secrets={
                        name: {key: fingerprint(value) for key, value in secrets[name].items()}
                        for name, home in homes.items()
                        if home == path and name in secrets
                    },
                )
                for path in self._objects
            },
        )

    def _keep(self, file: ManifestFile) -> None:
        """Keep what a file held and nobody names any more, unless all that stands in it now is whole and valid.

        Half an edit, or one that loses an object's name, is no removal.
        """
        content = self._memory.files.get(file.path, FileContent())
        named = {object_key(space, "") for spaces in self._namespaces.values() for space in spaces}
        lost: dict[ObjectKey, Content] = {
            key: self._memory.objects[key]
            for key in content.objects
            if key not in self._sources and key in self._memory.objects
        }
        lost |= {
            key: space
            for space in content.namespaces
            if (key := object_key(space, "")) is not None and key not in named
        }
        secrets = [name for name in content.secrets if name not in self._written and name not in self._recalled]
        if not (lost or secrets) or self._is_whole(file):
            return
        for remembered in lost.values():
            self._object(remembered, file.path, file.path)
        self._recalled |= dict.fromkeys(secrets, file.path)
        for name in secrets:
            self._sources.setdefault(ObjectKey("Secret", *name), file.path)
        if file.error is not None:  # which says it
            return
        names = ", ".join(sorted(map(str, (*lost, *(ObjectKey("Secret", *name) for name in secrets)))))
        message = f"no longer names {names}, {_KEPT}"
        self._diagnostics.append(InputDiagnostic(source=file.path, message=message))

    def _is_whole(self, file: ManifestFile) -> bool:
        return (
            file.error is None
            and not file.is_cut
            and not any(
                decode(content, default_namespace=self._default_namespace).problems
                for document in file.documents
                for content in unpack(document.manifest)
            )
        )

    def _recall(self, path: str) -> None:
        """Go on with what a file held before the restart, as far as it was good."""
        for content in self._remembered(path):
            for remembered in (*(self._memory.objects.get(key) for key in content.objects), *content.namespaces):
                if remembered is not None:
                    self._object(remembered, path, path)
            self._recalled |= dict.fromkeys(content.secrets, path)

    def _remembered(self, path: str) -> list[FileContent]:
        """Return what a file held before the restart; for a folder that cannot be searched, all files below."""
        below = path.rstrip("/") + "/"
        return [
            content
            for name, content in self._memory.files.items()
            if (name == path or name.startswith(below)) and content != FileContent()
        ]

    def _object(self, content: object, source: str, path: str) -> None:
        if isinstance(content, Mapping) and content.get("apiVersion") == "v1" and content.get("kind") == "Secret":
            decoded = decode(content, default_namespace=self._default_namespace)
            if decoded.key is None:
                self._diagnostics.extend(
                    InputDiagnostic(source=source, message=str(problem)) for problem in decoded.problems
                )
                return
            self._sources.setdefault(decoded.key, source)
            secret = decoded.object if isinstance(decoded.object, Secret) else None
            self._written.setdefault((decoded.key.namespace, decoded.key.name), []).append(
                _Written(manifest=content, secret=secret, problems=decoded.problems, source=source, path=path)
            )
            return
        if not isinstance(content, Mapping):
            decoded = decode(content, default_namespace=self._default_namespace)
            self._diagnostics.extend(
                InputDiagnostic(source=source, message=str(problem)) for problem in decoded.problems
            )
            return
        self._manifests.append(Manifest(content=content, source=source))
        key = object_key(content, self._default_namespace)
        if key is not None and key.kind == "Namespace":
            self._namespaces[path].append(content)
        elif key is not None:
            self._sources.setdefault(key, source)
            self._objects[path].append(key)
            meant = probable_key(content, self._default_namespace)
            if meant is not None:
                self._meant.setdefault(meant, source)

    def _secret(self, name: SecretName, written: list[_Written]) -> Values | None:
        """Return the values that count: those that are written, else the last good ones."""
        first = written[0]
        key = ObjectKey("Secret", *name)
        before = self._memory.secrets.get(name)
        ending = "" if before is None else "; its last good values stay in effect"
        problems = tuple(str(problem) for problem in first.problems)
        values: Values = {}
        if any(other.manifest != first.manifest for other in written[1:]):
            places = " and in ".join(f"`{one.source}`" for one in written)
            problems = (f"metadata.name: got {len(written)} versions in {places}, want one, remove the others",)
        elif first.secret is not None:
            values, unset = fill(first.secret, self._environment)
            problems = tuple(str(problem) for problem in unset)
        if problems:
            self._diagnostics.extend(
                InputDiagnostic(source=first.source, key=key, message=problem + ending) for problem in problems
            )
            return before
        usable = {entry: _usable(value) for entry, value in values.items()}
        self._diagnostics.extend(
            InputDiagnostic(source=first.source, key=key, message=f"data[{entry}]: {_NOT_ONE_LINE}", warning=True)
            for entry, value in usable.items()
            if value is None
        )
        return {entry: value for entry, value in usable.items() if value is not None}


_KEPT = (
    "but lacks its end or holds something that is wrong; they stay as they were until all that stands in it is valid"
    " and ends with a line break"
)
_NOT_ONE_LINE = "got nothing, several lines, or characters that no header can carry, want one line; it is left out"


_SIGNS = re.compile(rb"^[ \t]*aws_secret_access_key[ \t]*=[ \t]*\S", re.MULTILINE)
"""A line of a credentials file of AWS."""


def _usable(value: Redacted) -> Redacted | None:
    """Return a value that a header can carry, or that signs requests in the place of one."""
    text = value.reveal()
    signs = _SIGNS.search(text) and all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in text)  # noqa: PLR2004  printable ASCII
    return value if signs else one_line(value)


def one_line(value: Redacted) -> Redacted | None:
    """Return a value that a header can carry, without the line break that tools leave at its end; else None."""
    text = value.reveal().rstrip(b"\r\n")
    return Redacted(text) if text and all(32 <= byte < 127 for byte in text) else None  # noqa: PLR2004  printable ASCII


def object_key(content: Content, default_namespace: str) -> ObjectKey | None:
    """Read an object's key off without judging anything; None where it has none."""
    kind, metadata = content.get("kind"), content.get("metadata")
    if not isinstance(kind, str) or not isinstance(metadata, Mapping):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace") or default_namespace
    if not isinstance(name, str) or not isinstance(namespace, str):
        return None
    return ObjectKey(kind, "" if kind == "Namespace" else namespace, name)
