"""What was good before a restart: `last-good.json`, `sources.json`, and the keys that Envoy reads.

`last-good.json` holds resources. `sources.json` says which file held what, for the case that a file cannot be read when
`fairlead up` starts; of Secrets it has fingerprints only, by which their values are found again among those that Envoy
reads.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.adapters import disk
from fairlead.api.core import Redacted
from fairlead.api.meta import ObjectKey
from fairlead.standalone.intake import Content, FileContent, Memory, SecretName, fingerprint
from fairlead.standalone.state import StateFolder


def save(state: StateFolder, *, last_good: Mapping[ObjectKey, Content], files: Mapping[str, FileContent]) -> None:
    """Write down what is good now."""
    objects = [{**_key(key), "manifest": last_good[key]} for key in sorted(last_good)]
    disk.write(state.last_good, _json({"objects": objects}))
    disk.write(state.sources, _json({"files": {path: _content(files[path]) for path in sorted(files)}}))


def load(state: StateFolder) -> Memory:
    """Read what was good when `fairlead up` last ran here; nothing, where it never did or the files are damaged."""
    found = {fingerprint(value): value for value in _values(state)}
    try:
        objects = _read(state.last_good)["objects"]
        files = {path: _parse_content(entry) for path, entry in _read(state.sources)["files"].items()}
        manifests = {_parse_key(entry): entry["manifest"] for entry in objects}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Memory()
    return Memory(objects=manifests, files=files, secrets=_recognised(files, found))


def _recognised(
    files: Mapping[str, FileContent], found: Mapping[str, Redacted]
) -> dict[SecretName, Mapping[str, Redacted]]:
    values: dict[SecretName, Mapping[str, Redacted]] = {}
    for content in files.values():
        for name, prints in content.secrets.items():
            values[name] = {key: found[digest] for key, digest in prints.items() if digest in found}
    return values


def _values(state: StateFolder) -> Iterator[Redacted]:
    """All values that Envoys of this folder read."""
    for folder in state.regions():
        for path in sorted(folder.credentials.glob("*/*")):
            content = disk.read(path)
            if content is not None:
                yield Redacted(content)
        try:
            resources = _read(folder.keys / "ecds.json")["resources"]
            credentials = [entry for item in resources for entry in _credentials(item)]
            yield from [Redacted(entry["key"].encode()) for entry in credentials]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _credentials(node: Any) -> Iterator[dict[str, Any]]:
    """Find the lists named `credentials`, however deeply Envoy's wrappers hold them."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == "credentials" and isinstance(value, list):
                yield from value
            else:
                yield from _credentials(value)


def _read(path: Any) -> Any:
    return json.loads(disk.read(path) or b"null")


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode()


def _key(key: ObjectKey) -> dict[str, str]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def _parse_key(entry: Mapping[str, str]) -> ObjectKey:
    return ObjectKey(entry["kind"], entry["namespace"], entry["name"])


def _content(content: FileContent) -> dict[str, Any]:
    return {
        "objects": [_key(key) for key in content.objects],
        "namespaces": list(content.namespaces),
        "secrets": [
            {"namespace": namespace, "name": name, "fingerprints": dict(prints)}
            for (namespace, name), prints in sorted(content.secrets.items())
        ],
    }


def _parse_content(entry: Mapping[str, Any]) -> FileContent:
    return FileContent(
        objects=tuple(_parse_key(key) for key in entry["objects"]),
        namespaces=tuple(entry["namespaces"]),
        secrets={(secret["namespace"], secret["name"]): dict(secret["fingerprints"]) for secret in entry["secrets"]},
    )
