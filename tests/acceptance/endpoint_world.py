"""One strict provider with a base path of its own, and clients of its gateway."""

from collections.abc import Callable, Iterator

import openai
import pytest
from world import KEY, World, consumer, credential, endpoint, model, provider, route, secret

from fairlead.demo.provider import Record, SimulatedProvider

CREDENTIAL = "provider-credential"
PAGE = "https://chat.example.com"
WIRE = "vendor/Model-1.5:latest"
ASK = [{"role": "user", "content": "Where are you?"}]


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world(limits={"requestBytes": 2_000_000}, cors={"allowOrigins": [PAGE]})
    sim = world.simulate(
        "sim", models=(WIRE,), embedding_models=("vectors",), keys=(CREDENTIAL,), header="api-key", base="/openai/v9"
    )
    world.write(
        "world",
        provider(
            "vendor",
            [
                endpoint(
                    "only",
                    sim.base_url,
                    "us-east-1",
                    credential=credential("vendor", header="api-key"),
                    models=[{"name": "m", "id": WIRE}, {"name": "e"}],
                )
            ],
            ["m", model("e", type="Embedding", id="vectors")],
        ),
        secret("vendor", apiKey=CREDENTIAL),
        route("chat", "vendor/m"),
        route("capped", "vendor/m", maxOutputTokens=5),
        route("embed", "vendor/e"),
        *consumer("client", KEY),
    )
    return world.start()


@pytest.fixture
def sim(world: World) -> Iterator[SimulatedProvider]:
    sim = world.sims["sim"]
    sim.control.reset()
    yield sim
    sim.control.clear()
    assert sim.control.stats().problems == {}, "the provider had to refuse something"


@pytest.fixture
def client(world: World) -> Iterator[openai.OpenAI]:
    with world.openai() as client:
        yield client


def seen(sim: SimulatedProvider) -> Record:
    """Return the only request that the provider saw."""
    (record,) = sim.control.requests()
    return record
