"""Manifests to objects: each decoded by itself, sorted, each key once, with the version that served last beside it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fairlead.api.core import Namespace
from fairlead.api.decode import RESOURCES, Decoded, decode, unpack
from fairlead.api.meta import ObjectKey
from fairlead.api.problem import Problem
from fairlead.api.resource import GROUP, Resource
from fairlead.api.validation import nearest
from fairlead.memo import Itself, Memo
from fairlead.translate.diagnostics import Served, Versions
from fairlead.translate.translation import Objects

R = TypeVar("R", bound=Resource)

_KINDS: Mapping[str, type[Resource]] = {resource.kind: resource for resource in RESOURCES}
_REMEMBERED = ("name", "namespace", "labels", "creationTimestamp", "generation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One undecoded object."""

    content: Mapping[str, Any]
    source: str = ""
    """Where it stands, for messages: `path:line`. Empty on Kubernetes."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stray:
    """What is said about a manifest that is no object of ours."""

    source: str
    name: str
    """`Kind namespace/name` as far as it has one."""
    problems: tuple[str, ...]
    """Each `path: message`."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Everything that was written, decoded."""

    objects: Objects
    namespace_labels: Mapping[str, Mapping[str, str]]
    strays: tuple[Stray, ...]
    """Sorted."""
    essence: Mapping[ObjectKey, Mapping[str, Any]]
    """What is worth remembering of each object that could be decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    manifest: Manifest
    decoded: Decoded
    essence: Mapping[str, Any] | None
    """None where it cannot be decoded."""


def intake(
    manifests: Iterable[Manifest],
    *,
    default_namespace: str,
    last_good: Mapping[ObjectKey, Mapping[str, Any]],
    memo: Memo,
) -> Intake:
    """Decode manifests. Total: whatever they are, the answer is a value."""
    entries: dict[ObjectKey, list[_Entry]] = {}
    namespaces: list[Namespace] = []
    strays = []
    for manifest in manifests:
        for content in unpack(manifest.content):
            one = Manifest(content=content if isinstance(content, Mapping) else {}, source=manifest.source)
            decoded, kept = _decoded(content, default_namespace, memo)
            key = decoded.key or probable_key(one.content, default_namespace)
            if isinstance(decoded.object, Namespace):
                namespaces.append(decoded.object)
            elif key is not None and key.kind in _KINDS and not decoded.warnings:
                entries.setdefault(key, []).append(_Entry(manifest=one, decoded=decoded, essence=kept))
            elif decoded.problems or decoded.warnings:
                strays.append(_stray(one, key, decoded))
    essence: dict[ObjectKey, Mapping[str, Any]] = {}
    by_kind: dict[str, list[Versions[Any]]] = {kind: [] for kind in _KINDS}
    for key in sorted(entries):
        versions, kept = _versions(key, entries[key], default_namespace, last_good.get(key))
        by_kind[key.kind].append(versions)
        if kept is not None:
            essence[key] = kept
    return Intake(
        objects=Objects(
            providers=tuple(by_kind["ModelProvider"]),
            routes=tuple(by_kind["ModelRoute"]),
            consumers=tuple(by_kind["ModelConsumer"]),
            budgets=tuple(by_kind["BudgetPolicy"]),
        ),
        namespace_labels=_labels(namespaces),
        strays=tuple(sorted(strays)),
        essence=essence,
    )


def standing(
    taken: Intake, last_good: Mapping[ObjectKey, Mapping[str, Any]], chosen: Mapping[ObjectKey, Served]
) -> Mapping[ObjectKey, Mapping[str, Any]]:
    """Choose what to remember of each object that is still there: the version it stands by, else the last such one."""
    kept = {}
    for key, candidate in chosen.items():
        if candidate is Served.CURRENT:
            kept[key] = taken.essence[key]
        elif key in last_good:
            kept[key] = last_good[key]
    return kept


def _decoded(content: object, default_namespace: str, memo: Memo) -> tuple[Decoded, Mapping[str, Any] | None]:
    """Decode a manifest, and say what of it is worth remembering; what stands there as before is not read again."""

    def read() -> tuple[Decoded, Mapping[str, Any] | None]:
        decoded = decode(content, default_namespace=default_namespace)
        is_ours = isinstance(decoded.object, Resource) and isinstance(content, Mapping)
        return decoded, _essence(content) if is_ours else None  # type: ignore[arg-type]  # a mapping, as is asked

    return memo.of(("decoded", id(content)), (Itself(content), default_namespace), read)


def _versions(
    key: ObjectKey, entries: list[_Entry], default_namespace: str, remembered: Mapping[str, Any] | None
) -> tuple[Versions[Any], Mapping[str, Any] | None]:
    """Return the versions of one object, and what is worth remembering of the current one."""
    first = entries[0]
    problems = first.decoded.problems
    current = first.decoded.object
    if any(entry.manifest.content != first.manifest.content for entry in entries[1:]):
        problems, current = (_twice(key, entries),), None
    kept = None if not isinstance(current, Resource) else first.essence
    return (
        Versions(
            key=key,
            generation=_generation(first.manifest.content) if len(entries) == 1 or current is not None else None,
            current=current if isinstance(current, Resource) else None,
            problems=problems,
            last_good=None if remembered is None else _decoder(remembered, default_namespace, key, kept, current),
        ),
        kept,
    )


def _decoder(
    remembered: Mapping[str, Any],
    default_namespace: str,
    key: ObjectKey,
    kept: Mapping[str, Any] | None,
    current: Any,
) -> Callable[[], Any]:
    """Decode what is remembered, when it is asked for; nothing is decoded twice where it is the current version."""

    def last_good() -> Any:
        if remembered is kept or remembered == kept:
            return current
        decoded = decode(remembered, default_namespace=default_namespace)
        return decoded.object if decoded.key == key else None

    return last_good


def _twice(key: ObjectKey, entries: list[_Entry]) -> Problem:
    sources = sorted({entry.manifest.source for entry in entries if entry.manifest.source})
    where = " in " + " and in ".join(f"`{source}`" for source in sources) if sources else ""
    return Problem("metadata.name", f"got `{key.name}` in {len(entries)} versions{where}, want one, remove the others")


def _essence(content: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = content["metadata"]
    return {
        "apiVersion": content["apiVersion"],
        "kind": content["kind"],
        "metadata": {name: metadata[name] for name in _REMEMBERED if metadata.get(name) is not None},
        "spec": content["spec"],
    }


def _generation(content: Mapping[str, Any]) -> int | None:
    metadata = content.get("metadata")
    generation = metadata.get("generation") if isinstance(metadata, Mapping) else None
    return generation if isinstance(generation, int) and not isinstance(generation, bool) else None


def probable_key(content: Mapping[str, Any], default_namespace: str) -> ObjectKey | None:
    """Guess which object a manifest is meant to be whose kind or version is wrong, so that it keeps what it had."""
    version, kind, metadata = content.get("apiVersion"), content.get("kind"), content.get("metadata")
    if not isinstance(kind, str) or not isinstance(metadata, Mapping):
        return None
    if isinstance(version, str) and version.partition("/")[0] != GROUP and kind not in _KINDS:
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace") or default_namespace
    meant = kind if kind in _KINDS else nearest(kind, _KINDS)
    if meant is None or not isinstance(name, str) or not isinstance(namespace, str) or not name:
        return None
    return ObjectKey(meant, namespace, name)


def _stray(manifest: Manifest, key: ObjectKey | None, decoded: Decoded) -> Stray:
    return Stray(
        source=manifest.source,
        name="" if key is None else str(key),
        problems=tuple(str(problem) for problem in decoded.problems),
        warnings=tuple(str(problem) for problem in decoded.warnings),
    )


def _labels(namespaces: list[Namespace]) -> Mapping[str, Mapping[str, str]]:
    """Merge labels by namespace; where one is written twice, the later value in sorted order stands."""
    labels: dict[str, dict[str, str]] = {}
    for namespace in sorted(namespaces, key=lambda one: (one.metadata.name, sorted(one.metadata.labels.items()))):
        labels.setdefault(namespace.metadata.name, {}).update(namespace.metadata.labels)
    return labels
