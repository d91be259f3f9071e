"""`python -m fairlead.demo.provider`: a simulated provider in a process of its own."""

import asyncio
import json
import signal
import sys

import click

from fairlead.demo.provider.server import ADDRESS, ProviderServer
from fairlead.demo.provider.settings import Settings


@click.command()
@click.option("--address", default=ADDRESS, help="Where to listen; in a pod 0.0.0.0.")
@click.option("--port", default=0, help="Where to listen; 0: any free port.")
@click.option("--control-port", default=0, help="Where to take commands; 0: any free port.")
@click.option("--key", "keys", multiple=True, envvar="SIMULATED_PROVIDER_KEYS", help="A credential to take; repeats.")
@click.option("--header", default="Authorization", help="The header that carries the credential.")
@click.option("--anthropic", is_flag=True, help="Speak Anthropic's API alone.")
@click.option("--azure", is_flag=True, help="Speak Azure OpenAI's API; --models are deployments.")
@click.option("--gemini", is_flag=True, help="Speak Gemini's OpenAI-compatible API.")
@click.option("--bedrock", is_flag=True, help="Speak Bedrock's Converse; --key is ID:SECRET, --base is empty.")
@click.option("--models", default="model-a,model-b", help="Ids to serve, with commas.")
@click.option("--embedding-models", default="", help="Ids that make vectors only, with commas.")
@click.option("--base", default="/v1", help="What the paths start with.")
@click.option("--region", default="us-east-1", help="Stands in every answer.")
@click.option("--answer-tokens", default=12, help="Length of an answer whose request does not say.")
@click.option("--tokens-per-chunk", default=1, help="Tokens in one chunk of a stream.")
@click.option("--chunk-gap-ms", default=0, help="Wait between two chunks.")
@click.option("--first-byte-ms", default=0, help="Wait before the response headers.")
def main(  # noqa: PLR0917  click passes them by name
    address: str,
    port: int,
    control_port: int,
    keys: tuple[str, ...],
    models: str,
    embedding_models: str,
    **rest: object,
) -> None:
    """Serve until SIGTERM or SIGINT; the first line of output is `{"port": ..., "control_port": ...}`."""
    settings = Settings(keys=keys, models=_names(models), embedding_models=_names(embedding_models), **rest)  # type: ignore[arg-type] # click checked them
    asyncio.run(_serve(settings, address=address, port=port, control_port=control_port))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


async def _serve(settings: Settings, *, address: str, port: int, control_port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = ProviderServer(settings, port=port, address=address)
    await server.start(control_port=control_port)
    where = {"port": server.port, "control_port": server.control_port, "address": address}
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    main()
