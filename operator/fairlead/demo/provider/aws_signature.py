"""AWS's Signature Version 4 as a service checks it: who signed a request, and that nothing signed was changed since.

As AWS's reference has it ("Create a signed AWS API request"), for services other than S3: the path is encoded once more
than it came, and the body's digest is in the signature.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from fairlead.demo.provider.refusal import Code, Refusal

ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/, ]+)/(?P<date>\d{{8}})/(?P<region>[^/, ]+)/(?P<service>[^/, ]+)/aws4_request,"
    r" ?SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_MOST_OLD = timedelta(minutes=5)
_STAMP = "%Y%m%dT%H%M%SZ"
_MUST_SIGN = ("host", "x-amz-date", "x-amz-security-token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request as it came."""

    method: str
    target: str
    """Path and query as they stood in the request line."""
    headers: Sequence[tuple[str, str]]
    body: bytes


def _refused(code: Code, message: str) -> Refusal:
    return Refusal(status=403, code=code, message=message)


NO_SIGNATURE = _refused(Code.NO_SIGNATURE, "Missing Authentication Token")
UNKNOWN_KEY = _refused(Code.UNKNOWN_CLIENT, "The security token included in the request is invalid.")
EXPIRED = _refused(Code.EXPIRED, "The security token included in the request is expired")
MISMATCH = _refused(
    Code.BAD_SIGNATURE,
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
    " and signing method. Consult the service documentation for details.",
)


def check(request: Signed, *, region: str, service: str, keys: Sequence[str], now: datetime) -> Refusal | None:
    """Refuse a request that none of the keys has signed, for this region and service.

    A key is `<id>:<secret>`, of one for a time with `:<session token>` behind it.
    """
    headers = _joined(request.headers)
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        return NO_SIGNATURE
    named = [key.split(":", 2) for key in keys if key.split(":", 1)[0] == found["key"]]
    if not named:
        return UNKNOWN_KEY
    _, secret, *token = named[0]
    if token != [value for name, value in headers.items() if name == "x-amz-security-token"]:
        return EXPIRED if token else UNKNOWN_KEY
    return _check(request, headers, found, secret=secret, scope=(region, service), now=now)


def _check(
    request: Signed,
    headers: Mapping[str, str],
    found: re.Match[str],
    *,
    secret: str,
    scope: tuple[str, str],
    now: datetime,
) -> Refusal | None:
    if (found["region"], found["service"]) != scope:
        return _refused(
            Code.BAD_SIGNATURE, f"Credential should be scoped to a valid region, {scope[0]}, and {scope[1]}."
        )
    stamp, names = headers.get("x-amz-date", ""), found["signed"].split(";")
    if names != sorted(names) or [name for name in _MUST_SIGN if name in headers and name not in names]:
        return MISMATCH
    if not stamp.startswith(found["date"]) or abs(now - _time(stamp)) > _MOST_OLD:
        return _refused(Code.BAD_SIGNATURE, f"Signature expired: {stamp} is not within five minutes of now")
    digest = hashlib.sha256(request.body).hexdigest()
    if headers.get("x-amz-content-sha256", digest) != digest:
        return MISMATCH
    wanted = _signature(request, headers, names, secret=secret, stamp=stamp, scope=scope, digest=digest)
    return None if hmac.compare_digest(wanted, found["signature"]) else MISMATCH


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, list[str]] = {}
    for name, value in headers:
        joined.setdefault(name.lower(), []).append(" ".join(value.split()))
    return {name: ",".join(values) for name, values in joined.items()}


def _time(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _signature(
    request: Signed,
    headers: Mapping[str, str],
    names: Sequence[str],
    *,
    secret: str,
    stamp: str,
    scope: tuple[str, str],
    digest: str,
) -> str:
    path, _, query = request.target.partition("?")
    canonical = "\n".join(
        (
            request.method,
            quote(path, safe="/-_.~"),
            "&".join(sorted(query.split("&"))) if query else "",
            *(f"{name}:{headers.get(name, '')}" for name in names),
            "",
            ";".join(names),
            digest,
        )
    )
    within = "/".join((stamp[:8], *scope, "aws4_request"))
    to_sign = "\n".join((ALGORITHM, stamp, within, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in within.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()
