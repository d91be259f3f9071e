"""What a provider of Amazon Bedrock says beside others: the region that requests are signed for, and ids in paths."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from fairlead.api.base_url import split_base_url
from fairlead.api.form import Text
from fairlead.api.health_check import ProbeCredential
from fairlead.api.protocol import Protocol
from fairlead.api.rule import Rule
from fairlead.api.wire_ids import wire_ids

_REGION = "[a-z]{2,}(-[a-z]+)+-[0-9]+"
_HOST = re.compile(
    rf"([a-z0-9-]+\.)?bedrock-runtime(-fips)?\.(?P<region>{_REGION})\."
    r"(vpce\.)?(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)"
)
"""AWS's own: regional, FIPS, dual-stack, and of VPC endpoints."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
"""Of a model, an inference profile, or the ARN of one."""

AWSRegion = Annotated[
    str,
    Text(pattern=f"^{_REGION}$", want="a region of AWS, such as `us-east-1`", max_length=32),
]


def region_of(base_url: str) -> str | None:
    """Return the AWS region that a host of AWS's own names; None for any other."""
    found = _HOST.fullmatch(split_base_url(base_url)[1])
    return found["region"] if found else None


def _endpoints(spec: Any, *, bedrock: bool) -> Iterator[tuple[str, Any]]:
    if (spec["protocol"] == Protocol.BEDROCK) is bedrock:
        yield from ((f"endpoints[{index}]", endpoint) for index, endpoint in enumerate(spec["endpoints"]))


def regions_elsewhere(spec: Any) -> tuple[str, ...]:
    """Return where an AWS region stands although the provider speaks another API."""
    return tuple(f"{place}.awsRegion" for place, one in _endpoints(spec, bedrock=False) if "awsRegion" in one)


def hosts_of_no_region(spec: Any) -> tuple[str, ...]:
    """Return the base URLs that name no AWS region, where nothing else does."""
    return tuple(
        f"{place}.baseURL"
        for place, one in _endpoints(spec, bedrock=True)
        if "awsRegion" not in one and region_of(one["baseURL"]) is None
    )


def regions_of_other_hosts(spec: Any) -> tuple[str, ...]:
    """Return the AWS regions that are another one than the host's."""
    return tuple(
        f"{place}.awsRegion"
        for place, one in _endpoints(spec, bedrock=True)
        if "awsRegion" in one and region_of(one["baseURL"]) not in {None, one["awsRegion"]}
    )


def paths_of_hosts(spec: Any) -> tuple[str, ...]:
    """Return the base URLs with a path: Converse has none before `/model`."""
    return tuple(
        f"{place}.baseURL" for place, one in _endpoints(spec, bedrock=True) if split_base_url(one["baseURL"])[3]
    )


def headers_of_signed(spec: Any) -> tuple[str, ...]:
    """Return the headers of credentials that sign requests, and so go out in none."""
    return tuple(
        f"{place}.credential.header"
        for place, one in _endpoints(spec, bedrock=True)
        if "header" in one.get("credential", {})
    )


def ids_of_no_model(spec: Any) -> tuple[str, ...]:
    """Return where the name of a model on the wire stands that none of Bedrock's can have."""
    if spec["protocol"] != Protocol.BEDROCK:
        return ()
    return tuple(dict.fromkeys(place for place, wire_id in wire_ids(spec) if not _ID.fullmatch(wire_id)))


RULES = (
    Rule(
        places=regions_elsewhere,
        cel="self.protocol == 'Bedrock' || self.endpoints.all(endpoint, !has(endpoint.awsRegion))",
        message="got a region of AWS for a provider that does not speak Bedrock's API, want none, remove it, or write"
        " `protocol: Bedrock`",
        reads=("protocol", "endpoints"),
    ),
    Rule(
        places=hosts_of_no_region,
        cel=None,
        message="got a host that names no region of AWS, for which requests are to be signed, want"
        " `https://bedrock-runtime.us-east-1.amazonaws.com` or the like, write that, or add `awsRegion`",
        reads=("protocol", "endpoints"),
    ),
    Rule(
        places=regions_of_other_hosts,
        cel=None,
        message="got another region than the host's, want the same, correct it, or remove it",
        reads=("protocol", "endpoints"),
    ),
    Rule(
        places=paths_of_hosts,
        cel=None,
        message="got a path, want the host of Bedrock's runtime alone, such as"
        " `https://bedrock-runtime.us-east-1.amazonaws.com`, remove the path",
        reads=("protocol", "endpoints"),
    ),
    Rule(
        places=headers_of_signed,
        cel="self.protocol != 'Bedrock' || self.endpoints.all(endpoint, !has(endpoint.credential)"
        " || !has(endpoint.credential.header))",
        message="got a header for a credential that signs requests and goes out in none, want none, remove it",
        reads=("protocol", "endpoints"),
    ),
    Rule(
        holds=lambda value: (
            value["protocol"] != Protocol.BEDROCK or value["healthCheck"]["credential"] != ProbeCredential.SEND
        ),
        cel="self.protocol != 'Bedrock' || self.healthCheck.credential != 'Send'",
        message="got probes with the credential for an API where nothing can be asked that costs nothing, want `Omit`,"
        " remove it",
        reads=("protocol", "healthCheck"),
        field="healthCheck.credential",
    ),
    Rule(
        places=ids_of_no_model,
        cel=None,
        message="got a name that no model of Bedrock's has, want letters, digits and `.`, `_`, `:`, `/`, `-`, write the"
        " model's id, or the ARN of an inference profile, as `id`",
        reads=("protocol", "models", "endpoints"),
    ),
)
"""What a ModelProvider's spec must keep."""
