"""What an accepted change says, in one line per object: field by field, never a value of a Secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.api.installation import Installation
from fairlead.api.meta import ObjectKey
from fairlead.standalone.inputs import Content, Inputs

FIELDS_SHOWN = 3
LONGEST_VALUE = 60
_NAMED_BY = ("name", "secretName")
"""Fields that tell the entries of a list apart, so that an insertion does not look like a change of all that follow."""


def objects(old: Mapping[ObjectKey, Content], new: Mapping[ObjectKey, Content]) -> tuple[str, ...]:
    """Tell what differs between two sets of accepted objects, sorted by object."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            lines.append(f"{key}: added")
        elif key not in new:
            lines.append(f"{key}: removed")
        elif old[key] != new[key]:
            lines.append(f"{key}: {_fields(old[key], new[key])}")
    return tuple(lines)


def secrets(old: Inputs | None, new: Inputs) -> tuple[str, ...]:
    """Tell which entries of which Secrets differ, by name only."""
    before = old.secrets if old else {}
    lines = []
    for name in sorted(before.keys() | new.secrets.keys()):
        was, now = before.get(name, {}), new.secrets.get(name, {})
        if was == now:
            continue
        key = ObjectKey("Secret", *name)
        if name not in before or name not in new.secrets:
            lines.append(f"{key}: {'added' if name not in before else 'removed'}")
            continue
        parts = [
            f"data.{entry} {'added' if entry not in was else 'removed' if entry not in now else 'changed'}"
            for entry in sorted(was.keys() | now.keys())
            if was.get(entry) != now.get(entry)
        ]
        lines.append(f"{key}: {', '.join(parts)}")
    return tuple(lines)


def installation(old: Installation, new: Installation) -> str:
    """Tell what differs between two installations."""
    return _fields(old.model_dump(mode="json", by_alias=True), new.model_dump(mode="json", by_alias=True))


def _fields(old: Content, new: Content) -> str:
    parts = list(_differences(old, new, ""))
    shown = ", ".join(parts[:FIELDS_SHOWN])
    more = len(parts) - FIELDS_SHOWN
    return f"{shown}, and {more} more" if more > 0 else shown


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            below = f"{path}.{name}" if path else str(name)
            if name not in new:
                yield f"{below} removed"
            elif name not in old:
                yield f"{below} = {_shown(new[name])}"
            else:
                yield from _differences(old[name], new[name], below)
    elif (by := _identity(old, new)) is not None:
        yield from _differences({item[by]: item for item in old}, {item[by]: item for item in new}, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    else:
        yield f"{path} {_shown(old)} -> {_shown(new)}"


def _identity(old: Any, new: Any) -> str | None:
    """Find the field that names the entries of both lists, each once and in the same order where both have one."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return None
    for field in _NAMED_BY:
        names = [[item.get(field) if isinstance(item, Mapping) else None for item in items] for items in (old, new)]
        if any(not isinstance(name, str) for one in names for name in one) or any(
            len(set(one)) != len(one) for one in names
        ):
            continue
        common = [[name for name in one if name in other] for one, other in (names, names[::-1])]
        return field if common[0] == common[1] else None
    return None


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{name}: {_shown(item)}" for name, item in value.items()) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(_shown(item) for item in value) + "]"
    else:
        text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
