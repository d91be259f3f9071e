"""What was good before a restart: `last-good.json`, `sources.json`, and the keys that Envoy reads.

`last-good.json` holds resources. `sources.json` says which file held what, for the case that a file cannot be read when
`fairlead up` starts; of Secrets it has fingerprints only, by which their values are found again among those that Envoy
reads.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fairlead.adapters import disk
from fairlead.api.core import Redacted
from fairlead.api.meta import ObjectKey
from fairlead.errors import StateError
from fairlead.runtime import memory, saved
from fairlead.runtime.snapshot import SecretName, fingerprint
from fairlead.standalone.inputs import Content, FileContent, Memory
from fairlead.standalone.state import StateFolder


def save(state: StateFolder, *, last_good: Mapping[ObjectKey, Content], files: Mapping[str, FileContent]) -> None:
    """Write down what is good now."""
    disk.write(state.last_good, memory.encode(last_good))
    disk.write(state.sources, _json({"files": {path: _content(files[path]) for path in sorted(files)}}))


def load(state: StateFolder, warn: Callable[[str], None]) -> Memory:
    """Read what was good when `fairlead up` last ran here.

    Of what never was there nothing is remembered, nor of a damaged file, which is told by `warn`.
    """
    found = {fingerprint(value): value for value in _values(state, warn)}
    files = saved.read(state.sources, _parse_files, warn=warn) or {}
    objects = saved.read(state.last_good, memory.decode, warn=warn) or {}
    return Memory(objects=objects, files=files, secrets=_recognised(files, found))


def _recognised(
    files: Mapping[str, FileContent], found: Mapping[str, Redacted]
) -> dict[SecretName, Mapping[str, Redacted]]:
    values: dict[SecretName, Mapping[str, Redacted]] = {}
    for content in files.values():
        for name, prints in content.secrets.items():
            values[name] = {key: found[digest] for key, digest in prints.items() if digest in found}
    return values


def _values(state: StateFolder, warn: Callable[[str], None]) -> Iterator[Redacted]:
    """All values that Envoys of this folder read."""
    for folder in state.regions():
        for path in sorted(folder.credentials.glob("*/*")):
            try:
                content = disk.read(path)
            except StateError as error:
                warn(f"{error}; it counts as absent until it is written anew")
                continue
            if content is not None:
                yield Redacted(content)
        yield from saved.read(folder.keys / "ecds.json", _keys, warn=warn) or ()


def _keys(document: Any) -> tuple[Redacted, ...]:
    credentials = [entry for item in document["resources"] for entry in _credentials(item)]
    return tuple(Redacted(entry["key"].encode()) for entry in credentials)


def _credentials(node: Any) -> Iterator[dict[str, Any]]:
    """Find the lists named `credentials`, however deeply Envoy's wrappers hold them."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == "credentials":
                yield from value
            else:
                yield from _credentials(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _content(content: FileContent) -> dict[str, Any]:
    return {
        "objects": [memory.encode_key(key) for key in content.objects],
        "namespaces": list(content.namespaces),
        "secrets": [
            {"namespace": namespace, "name": name, "fingerprints": dict(prints)}
            for (namespace, name), prints in sorted(content.secrets.items())
        ],
    }


def _parse_files(document: Any) -> dict[str, FileContent]:
    return {path: _parse_content(entry) for path, entry in document["files"].items()}


def _parse_content(entry: Mapping[str, Any]) -> FileContent:
    return FileContent(
        objects=tuple(memory.decode_key(key) for key in entry["objects"]),
        namespaces=tuple(dict(namespace) for namespace in entry["namespaces"]),
        secrets=dict(_parse_secret(secret) for secret in entry["secrets"]),
    )


def _parse_secret(entry: Mapping[str, Any]) -> tuple[SecretName, Mapping[str, str]]:
    name, prints = (entry["namespace"], entry["name"]), dict(entry["fingerprints"])
    if not all(isinstance(word, str) for word in (*name, *prints.values())):
        raise TypeError("names and fingerprints are text")
    return name, prints
