import socket

import pytest

from sdrest.commands.listen import listen
from sdrest.errors import UsageError

pytestmark = pytest.mark.integration


def close(sockets: list[socket.socket]) -> None:
    for opened in sockets:
        opened.close()


def test_a_free_port_is_chosen() -> None:
    sockets = listen("127.0.0.1", 0)
    try:
        with socket.create_connection(sockets[0].getsockname()):
            pass
    finally:
        close(sockets)


def test_all_addresses_of_a_name_get_one_port() -> None:
    sockets = listen("localhost", 0)
    try:
        assert len({opened.getsockname()[1] for opened in sockets}) == 1
    finally:
        close(sockets)


def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"127.0.0.1 port {port}: another program"):
            listen("127.0.0.1", port)


def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(UsageError, match="it is not an address of this machine"):
        listen("x" * 64, 0)


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"Cannot listen on 192\.0\.2\.1 port 0: "):
        listen("192.0.2.1", 0)
