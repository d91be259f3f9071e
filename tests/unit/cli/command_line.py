"""The command line in this process, and manifests to run it on."""

from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from builders import endpoint, manifest, model, provider
from fairlead.cli import main

CONFIG = {"regions": [{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}]}
PROVIDER = provider(
    "p",
    endpoints=[
        endpoint("us", "us-east-1", credential={"secretName": "p", "key": "us"}),
        endpoint("eu", "eu-west-1", credential={"secretName": "p", "key": "us"}),
    ],
    models=[model("small"), model("large")],
)
ROUTE = manifest("ModelRoute", "chat", "fairlead", {"primary": {"provider": "p", "model": "small"}})
CONSUMER = manifest("ModelConsumer", "agent", "team", {"keys": [{"secretName": "agent", "key": "apiKey"}]})
SECRETS = [
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"us": "sk-provider"}},
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "agent", "namespace": "team"},
        "stringData": {"apiKey": "sk-${AGENT}"},
    },
]


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


def write(path: Path, *documents: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents))
