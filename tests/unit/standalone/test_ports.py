import socket

from fairlead.standalone import addresses


def test_a_free_port_has_no_problem() -> None:
    assert addresses.obstacle("127.0.0.1", addresses.free_port()) is None


def test_a_port_in_use_is_found_even_when_its_owner_would_share_it() -> None:
    with socket.socket() as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        assert addresses.obstacle("127.0.0.1", owner.getsockname()[1]) == "another process listens there"


def test_an_address_of_another_machine_is_a_problem() -> None:
    assert "assign" in (addresses.obstacle("192.0.2.1", 8080) or "")
