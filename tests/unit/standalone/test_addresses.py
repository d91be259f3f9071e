import socket
from collections.abc import Iterator

import pytest

from builders import installation
from fairlead.errors import InstallationError
from fairlead.ir import ListenAddress
from fairlead.standalone import addresses


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        yield owner.getsockname()[1]


def region(name: str, number: int | None) -> dict[str, str]:
    listen = {} if number is None else {"listen": f"127.0.0.1:{number}"}
    return {"name": name, "geo": "us", **listen}


def test_metrics_stand_a_thousand_ports_above() -> None:
    number = addresses.free_port()
    chosen = addresses.choose(installation(regions=[region("a", number)]))
    assert chosen["a"].listen == ListenAddress(address="127.0.0.1", port=number)
    if number + 1000 <= 65535 and addresses.obstacle("127.0.0.1", number + 1000) is None:
        assert chosen["a"].metrics.port == number + 1000


def test_metrics_never_take_the_port_of_a_gateway() -> None:
    chosen = addresses.choose(installation(regions=[region("a", 20101), region("b", 21101)]))
    ports = [address.port for one in chosen.values() for address in (one.listen, one.metrics)]
    assert len(set(ports)) == 4


def test_a_port_beyond_the_last_one_is_chosen_anew() -> None:
    assert addresses.choose(installation(regions=[region("a", 65123)]))["a"].metrics.port <= 65535


def test_every_obstacle_is_named(taken: int) -> None:
    with pytest.raises(InstallationError) as caught:
        addresses.choose(
            installation(regions=[region("a", None), region("b", taken), region("c", addresses.free_port())])
        )
    missing, occupied = str(caught.value).splitlines()
    assert missing == "region `a`: listen: got nothing, want an address such as `127.0.0.1:8101`, add it"
    assert occupied.startswith(f"region `b`: listen: got `127.0.0.1:{taken}`, but another process listens there; ")


def test_only_regions_that_are_served_here_need_an_address(taken: int) -> None:
    regions = [region("a", None), region("b", taken), region("c", addresses.free_port())]
    assert list(addresses.choose(installation(regions=regions, serve=["c"]))) == ["c"]


def test_addresses_are_shown_as_in_a_url() -> None:
    assert addresses.shown(ListenAddress(address="127.0.0.1", port=1)) == "127.0.0.1:1"
    assert addresses.shown(ListenAddress(address="::1", port=1)) == "[::1]:1"
