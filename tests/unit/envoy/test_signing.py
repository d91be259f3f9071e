"""Who signs what: one filter for each region, host and credential, told by the host's mark."""

from dataclasses import replace

from fairlead import ir
from fairlead.envoy import filters, names, signing
from fairlead.envoy.layout import Layout
from fairlead.ir import ListenAddress

UPSTREAM = ir.Upstream(host="bedrock-runtime.us-east-1.amazonaws.com", port=443, tls=True, base_path="")
TARGET = ir.Target(
    name="bedrock/us/m",
    provider="bedrock",
    endpoint="us",
    region="us-east-1",
    model="m",
    wire_model="m",
    upstream=UPSTREAM,
    credential="aws/credentials",
    breaker=ir.Breaker(consecutive_failures=5, open_for_ms=60_000),
    max_in_flight=None,
    protocol=ir.Protocol.BEDROCK,
    aws_region="us-east-1",
)
LAST = ir.LastResort(
    name="bedrock/us",
    provider="bedrock",
    endpoint="us",
    region="",
    upstream=UPSTREAM,
    credential="aws/credentials",
    aws_region="us-east-1",
)
GATEWAY = ir.Gateway(
    region="us-east-1",
    limits=ir.Limits(request_bytes=1024),
    anonymous=None,
    consumers=(),
    scopes=(),
    routes=(),
    ladders=(),
    targets=(TARGET,),
    last_resorts=(LAST,),
    credentials=(),
)
LAYOUT = Layout(
    xds_dir="/xds",
    keys_dir="/keys",
    credentials_dir="/credentials",
    listen=ListenAddress(address="127.0.0.1", port=1),
    metrics_listen=None,
    admin="/admin",
    access_log="/dev/stdout",
    ca_file="/ca.pem",
)


def fields(made: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = made["typed_config"]["extension_config"]["typed_config"]  # type: ignore[index]
    return found


def test_a_target_and_its_last_resort_have_one_signer() -> None:
    (one,) = signing.signers(GATEWAY)
    assert signing.mark(TARGET) == signing.mark(LAST) == f"!sign={one.name}"
    signer, guard = signing.filters(GATEWAY, LAYOUT)
    assert (signer["name"], guard["name"]) == (f"fairlead-sign-{one.name}", "fairlead-signed")
    found = fields(signer)
    assert (found["service_name"], found["region"], found["host_rewrite"]) == ("bedrock", "us-east-1", UPSTREAM.host)
    assert not found.get("use_unsigned_payload"), "Bedrock wants the body's digest in the signature"
    source = found["credential_provider"]["credentials_file_provider"]["credentials_data_source"]  # type: ignore[index]
    assert source == {
        "filename": "/credentials/aws/credentials",
        "watched_directory": {"path": "/credentials/aws"},
    }


def test_without_a_file_it_is_what_aws_gives_the_pod() -> None:
    bare = replace(GATEWAY, targets=(replace(TARGET, credential=""),), last_resorts=())
    signer, _ = signing.filters(bare, LAYOUT)
    assert "credential_provider" not in fields(signer)


def test_each_region_host_and_credential_has_its_own() -> None:
    others = (
        replace(TARGET, name="a", aws_region="eu-west-1"),
        replace(TARGET, name="b", credential="aws/other"),
        replace(TARGET, name="c", upstream=replace(UPSTREAM, host="bedrock.example.com")),
    )
    made = signing.signers(replace(GATEWAY, targets=(TARGET, *others)))
    assert len({one.name for one in made}) == len(made) == 4
    assert made == sorted(made)


def test_nobody_else_has_any_of_it() -> None:
    plain = replace(TARGET, aws_region="", protocol=ir.Protocol.OPENAI)
    assert signing.mark(plain) == ""
    gateway = replace(GATEWAY, targets=(plain,), last_resorts=())
    assert signing.filters(gateway, LAYOUT) == []
    assert [one["name"] for one in filters.per_attempt(gateway, LAYOUT)] == [
        "host",
        "fairlead-attempt",
        "envoy.filters.http.upstream_codec",
    ]


def test_signers_stand_behind_what_writes_the_attempt_and_take_the_last_signature_off() -> None:
    made = filters.per_attempt(GATEWAY, LAYOUT)
    order = [one["name"] for one in made]
    assert order[:2] == ["host", "fairlead-attempt"]
    assert order[-2:] == ["fairlead-signed", "envoy.filters.http.upstream_codec"]
    removed = {one.get("remove") for one in made[0]["typed_config"]["mutations"]["request_mutations"]}
    assert set(signing.HEADERS) <= removed
    assert names.SIGN_HEADER.startswith(names.HEADER_PREFIX), "what begins so never leaves the gateway"
