"""What a provider of Azure OpenAI says beside others: the version of its API, and deployments as names on the wire."""

import re
from typing import Annotated, Any

from fairlead.api.form import Text
from fairlead.api.protocol import Protocol
from fairlead.api.rule import Rule
from fairlead.api.wire_ids import wire_ids

_OLDEST = "2024-09-01-preview"
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What Azure lets a deployment be called; it stands in a path."""

APIVersion = Annotated[
    str,
    Text(
        pattern="^20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?$",
        want='a version of Azure\'s API in quotes, such as `"2024-10-21"`',
        max_length=18,
        rules=(
            Rule(
                # Lists of Azure's changes: `stream_options` came with it, without which no stream tells its usage.
                holds=lambda value: value >= _OLDEST,
                cel=f"self >= '{_OLDEST}'",
                message=f'want `{_OLDEST}` or later, whose streams tell their usage, write `"2024-10-21"`',
            ),
        ),
    ),
]


def versions_elsewhere(spec: Any) -> tuple[str, ...]:
    """Return where a version stands although the provider speaks another API."""
    if spec["protocol"] == Protocol.AZURE_OPENAI:
        return ()
    return tuple(
        f"endpoints[{index}].apiVersion" for index, endpoint in enumerate(spec["endpoints"]) if "apiVersion" in endpoint
    )


def ids_of_no_deployment(spec: Any) -> tuple[str, ...]:
    """Return where the name of a model on the wire stands that no deployment can have."""
    if spec["protocol"] != Protocol.AZURE_OPENAI:
        return ()
    return tuple(dict.fromkeys(place for place, wire_id in wire_ids(spec) if not _DEPLOYMENT.fullmatch(wire_id)))
