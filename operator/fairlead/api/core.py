"""The objects of Kubernetes' core API that Fairlead reads: Secrets and Namespaces."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fairlead.api.meta import ObjectKey, ObjectMeta
from fairlead.api.problem import Problem
from fairlead.api.validation import got, unknown_field

_VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`${NAME}`, or with a second dollar before it the same characters as they are."""
_SECRET_FIELDS = ("apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData")


class Redacted:
    """Secret bytes that print as `<redacted>`: they cannot reach a log by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes; whoever calls this answers for where they go."""
        return self._value

    def __repr__(self) -> str:
        return "<redacted>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Redacted) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A Secret as it was written: variables of its `stringData` are not filled in yet (`fill`)."""

    metadata: ObjectMeta
    data: Mapping[str, Redacted]
    string_data: Mapping[str, Redacted]
    """UTF-8; wins over `data` under the same key."""

    @property
    def key(self) -> ObjectKey:
        """Kind, namespace and name."""
        return ObjectKey("Secret", self.metadata.namespace, self.metadata.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A Namespace; only its labels matter."""

    metadata: ObjectMeta

    @property
    def key(self) -> ObjectKey:
        """Kind and name; a namespace lives in none."""
        return ObjectKey("Namespace", "", self.metadata.name)


def read_secret(manifest: Mapping[Any, Any], metadata: ObjectMeta | None) -> tuple[Secret | None, tuple[Problem, ...]]:
    """Return the Secret and its problems; messages never repeat a value."""
    problems: list[Problem] = []
    data = _values(manifest.get("data"), "data", problems, encoded=True)
    string_data = _values(manifest.get("stringData"), "stringData", problems, encoded=False)
    problems.extend(unknown_field("", name, _SECRET_FIELDS) for name in manifest if name not in _SECRET_FIELDS)
    if problems or metadata is None:
        return None, tuple(problems)
    return Secret(metadata=metadata, data=data, string_data=string_data), ()


def fill(secret: Secret, environment: Mapping[str, str]) -> tuple[Mapping[str, Redacted], tuple[Problem, ...]]:
    """Return a Secret's values with every `${NAME}` of its `stringData` taken from the environment, and its problems.

    `$${NAME}` stands for `${NAME}` itself; any other `$` is one.
    A value with a variable that is not set is left out: an error of this Secret alone.
    """
    problems: list[Problem] = []
    values = dict(secret.data)
    for key, value in secret.string_data.items():
        text = value.reveal().decode()
        unset = sorted({name for plain, name in _VARIABLE.findall(text) if not plain and name not in environment})
        problems.extend(
            Problem(f"stringData[{key}]", f"got `${{{name}}}`, want it in the environment, set the variable `{name}`")
            for name in unset
        )
        values.pop(key, None)
        if not unset:
            values[key] = Redacted(
                _VARIABLE.sub(lambda match: match[0][1:] if match[1] else environment[match[2]], text).encode()
            )
    return MappingProxyType(values), tuple(problems)


def _values(raw: object, path: str, problems: list[Problem], *, encoded: bool) -> Mapping[str, Redacted]:
    if raw is None:
        return MappingProxyType({})
    if not isinstance(raw, Mapping):
        problems.append(Problem(path, "got no mapping, want keys with their values, rewrite it"))
        return MappingProxyType({})
    values: dict[str, Redacted] = {}
    for key, value in raw.items():
        place = f"{path}[{key}]"
        if not isinstance(value, str):
            said = got(value).split(" `")[0]
            problems.append(Problem(place, f"{said}, want a string, write it in quotes"))
            continue
        try:
            values[str(key)] = Redacted(base64.b64decode(value, validate=True) if encoded else value.encode())
        except (binascii.Error, ValueError):
            problems.append(Problem(place, "got a value that is not base64, want base64, or move it to `stringData`"))
    return MappingProxyType(values)
