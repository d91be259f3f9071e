"""A real llama.cpp server: what it says, what it refuses, how it dies and comes back."""

import asyncio
from pathlib import Path

import openai
import pytest

from fairlead.demo.inference import InferenceServer, Served
from fairlead.demo.scene import Region
from fairlead.demo.sentence import write_model


async def ask(port: int, key: str, stream: bool = False) -> str:
    url = Region(name="x", port=port).base_url
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        if stream:
            chunks = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        return answer.choices[0].message.content or ""


async def story(folder: Path) -> None:
    for name, sentence in (("m", "Hello from eu-west-1 ."), ("n", "Another model .")):
        write_model(folder / name, sentence)
    models = tuple(Served(name=name, path=str(folder / name), port=0) for name in ("m", "n"))
    server = await InferenceServer.start("eu-west-1", models, key="k", log=folder / "log")
    assert await ask(server.ports["m"], "k") == " Hello from eu-west-1 ."
    assert await ask(server.ports["n"], "k", stream=True) == " Another model ."
    with pytest.raises(openai.AuthenticationError):
        await ask(server.ports["m"], "wrong")
    await server.child.kill()
    with pytest.raises(openai.APIConnectionError):
        await ask(server.ports["m"], "k")
    again = tuple(Served(name=each.name, path=each.path, port=server.ports[each.name]) for each in models)
    server = await InferenceServer.start("eu-west-1", again, key="k", log=folder / "log")
    assert await ask(server.ports["m"], "k") == " Hello from eu-west-1 ."
    await server.child.stop()
    assert not server.child.running


def test_inference_server(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
