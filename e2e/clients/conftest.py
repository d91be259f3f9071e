"""What the pages of docs/clients are run against: a real `fairlead up` without files, before a strict provider."""

import shutil
from collections.abc import Iterator

import pytest
from running_up import CREDENTIAL, RunningUp, Site

from clients.reader import MODEL, PACKAGES, DeadEnd, Reader
from fairlead.demo.provider import SimulatedProvider


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    for program in (str(PACKAGES / "bin" / "python"), "node", "curl"):
        assert shutil.which(program), f"got no {program}; run `make clients`"
    folder = tmp_path_factory.mktemp("up")
    nobody = {"OPENROUTER_API_KEY": "", "ANTHROPIC_API_KEY": ""}
    with SimulatedProvider(models=(MODEL,), keys=(CREDENTIAL,)) as provider, DeadEnd() as way_out:
        named = {"OPENAI_API_KEY": CREDENTIAL, "OPENAI_BASE_URL": provider.base_url}
        with RunningUp(Site(folder), files=False, **named, **nobody) as up:
            port = int(up.wait_for("ready")["base_url"].rpartition(":")[2].removesuffix("/v1"))
            yield Reader(provider, port, way_out, tmp_path_factory.mktemp("home"))
