"""Signatures of AWS: Envoy's own filter signs each attempt at Bedrock, by a file or by what AWS gives the pod.

Such a filter signs for one region, by one credential and for one host, so there is one for each that a gateway's hosts
need, between the filter that writes an attempt and the codec that sends it: what is signed is what goes out. Which one
an attempt wants, its host says by a mark, which the upstream filter puts into `names.SIGN_HEADER`; the others pass by.
Every attempt begins without a signature, so that another rung is sent none, and another host a new one.

The body is signed, as Bedrock wants it, and of the headers those that it needs: others may change on the way.

A file is read by Envoy itself when it changes (`watched_directory`), so rotation is the mount's. One that is not there
when a filter is made is never looked for again, so the filter is left out until it is. Envoy lets a request
go out unsigned where it has nothing to sign by. So behind the signers stands a guard that lets no prompt out then: the
attempt fails as one without its credential does.
"""

import hashlib
from dataclasses import dataclass

from fairlead.envoy import chunk, matching, names
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension
from fairlead.ir import Gateway, LastResort, Target

SERVICE = "bedrock"
"""What Bedrock's runtime is called in a signature."""
HEADERS = ("authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token")
"""What a signature is made of, in lower case: an attempt begins without it."""
SIGNED = ("content-type",)
"""Headers that are signed beside `host` and AWS's own."""
PROFILE = "default"
"""Of a credentials file."""
_HTTP = "envoy.extensions.filters.http"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Signer:
    """What signs requests of some hosts alike."""

    region: str
    host: str
    file: str
    """`<secret>/<key>`; empty = what AWS gives the pod."""

    @property
    def name(self) -> str:
        """One word, the same for the same signer: routes and clusters change one after the other."""
        return hashlib.sha256(f"{self.region}\0{self.host}\0{self.file}".encode()).hexdigest()[:12]


def signer_of(host: Target | LastResort) -> Signer | None:
    """Return what signs a host's requests; None where nothing does."""
    if not host.aws_region:
        return None
    return Signer(region=host.aws_region, host=host.upstream.host, file=host.credential)


def mark(host: Target | LastResort) -> str:
    """Write what stands among the headers that a host wants besides: see `lua/upstream/signing.lua`."""
    found = signer_of(host)
    return f"{names.WANTS_SIGNATURE}{found.name}" if found else ""


def signers(gateway: Gateway) -> list[Signer]:
    """List what hosts of a gateway are signed by, sorted."""
    hosts: tuple[Target | LastResort, ...] = (*gateway.targets, *gateway.last_resorts)
    return sorted({found for host in hosts if (found := signer_of(host)) is not None})


def filters(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the signers, and the guard behind them; none where nothing is signed."""
    made = signers(gateway)
    if not made:
        return []
    return [*(_signer(one, layout) for one in made if one.file not in gateway.absent), _guard()]


def _signer(signer: Signer, layout: Layout) -> Json:
    fields = {
        "service_name": SERVICE,
        "region": signer.region,
        # The router writes it again, the same, when the filters have run.
        "host_rewrite": signer.host,
        "match_included_headers": [{"exact": header} for header in SIGNED],
        **({"credential_provider": _file(signer.file, layout)} if signer.file else {}),
    }
    return _only(
        f"fairlead-sign-{signer.name}",
        extension("sign", f"{_HTTP}.aws_request_signing.v3.AwsRequestSigning", fields),
        {"exact": signer.name},
    )


def _file(file: str, layout: Layout) -> Json:
    secret, _, _ = file.partition("/")
    folder = f"{layout.credentials_dir}/{secret}"
    source = {"filename": f"{layout.credentials_dir}/{file}", "watched_directory": {"path": folder}}
    # Alone: where the file is bad, a pod's identity is nobody's substitute.
    return {
        "custom_credential_provider_chain": True,
        "credentials_file_provider": {"credentials_data_source": source, "profile": PROFILE},
    }


def _guard() -> Json:
    lua = {"default_source_code": {"inline_string": chunk.parts("signing", ("guard",))}}
    return _only(
        "fairlead-signed",
        extension("guard", f"{_HTTP}.lua.v3.Lua", lua),
        matching.pattern(".+"),
    )


def _only(name: str, filter_: Json, value: Json) -> Json:
    """Make a filter of attempts whose `names.SIGN_HEADER` is so; others pass it by."""
    return matching.only(name, filter_, names.SIGN_HEADER, value, label="signer")
