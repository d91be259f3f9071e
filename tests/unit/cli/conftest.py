from pathlib import Path

import pytest
from command_line import CONFIG, CONSUMER, PROVIDER, ROUTE, write


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Make a folder `m` with a provider, a route and a consumer, and an installation of two regions beside it."""
    write(tmp_path / "m" / "all.yaml", PROVIDER, ROUTE, CONSUMER)
    write(tmp_path / "fairlead.yaml", CONFIG)
    return tmp_path
