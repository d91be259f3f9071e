"""What `fairlead rollout status` shows of one rollout: a bar, both arms side by side, the verdicts, what it waits for.

It is made from the document alone, which the operator and `fairlead up` write alike.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.status import rollout

Json = Mapping[str, Any]
BAR = 30
SHOWN_VERDICTS = 5
_ROWS = (
    ("requests", "requests"),
    ("failed", "failed"),
    ("error rate", "errorRate"),
    ("no whole answer", "worseRate"),
    ("first byte p95, ms", "firstByteP95Ms"),
    ("USD per request", "usdPerRequest"),
    ("tokens per request", "tokensPerRequest"),
    ("ended with", "finishReasons"),
)


def lines(document: Json) -> list[str]:
    """Say it line by line."""
    found = [
        f"{document['route']}  {document['phase']} ({document['reason']}) since {document['since']}",
        f"  {bar(document['step'] if document['candidate'] else 0, document['steps'])}  {_share(document)}",
    ]
    if document["message"]:
        found.append(f"  {document['message']}")
    if document["declined"]:
        found.append(f"  last order: {document['declined']}")
    if document["cohort"]:
        found.append(f"  {document['cohort']}")
    found += _arms(document)
    found += [f"  {one['at']}  {one['outcome']}: {one['message']}" for one in document["verdicts"][-SHOWN_VERDICTS:]]
    found += _ahead(document["progress"])
    return found + ([f"  as of {document['observedAt']}"] if document.get("observedAt") else [])


def bar(step: int, steps: int) -> str:
    """Draw how many of the steps are begun."""
    if not steps:
        return "no steps: a change of primary acts at once"
    filled = BAR * step // steps
    return f"[{'#' * filled}{'.' * (BAR - filled)}] step {step} of {steps}"


def _share(document: Json) -> str:
    if document["candidate"] is None:
        return f"{document['stable']} serves all"
    if document["shadow"] != "0%":
        return f"{document['shadow']} copied to {document['candidate']}"
    return f"{document['traffic']} to {document['candidate']}"


def _arms(document: Json) -> list[str]:
    if document["candidate"] is None:
        return []
    arms, sides = document["progress"], ("stable", "candidate")
    rows = [("", *(document[side] for side in sides))]
    rows += [(title, *(_cell(arms[side].get(key)) for side in sides)) for title, key in _ROWS]
    widths = [max(len(row[column]) for row in rows) for column in (1, 2)]
    return [f"  {title:<20}{one:>{widths[0]}}  {other:>{widths[1]}}" for title, one, other in rows]


def _ahead(progress: Json) -> list[str]:
    found = [f"  waits for {progress['waitsFor']}"] if progress["waitsFor"] else []
    if progress["leftSeconds"]:
        found.append(f"  this step takes about {rollout.duration(1000 * progress['leftSeconds'])} yet")
    return found


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{one['share']} {one['reason']}" for one in value) or "-"
    return "-" if value is None else str(value)
