"""Hosts of their own on one machine: network namespaces, each with a cable that can be cut.

A cable is two TUN devices, one here and one there. This program carries each packet from one to the
other, and can drop, lose or delay it: `tc netem` does the same where the kernel has it. Linux, as
root.
"""

import asyncio
import contextlib
import fcntl
import ipaddress
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_TUN = Path("/dev/net/tun")
_SET_DEVICE = 0x400454CA  # TUNSETIFF of <linux/if_tun.h>
_WITHOUT_HEADER = 0x0001 | 0x1000  # IFF_TUN | IFF_NO_PI
_PACKET = 65536
_NETWORK = ipaddress.IPv4Network("198.18.0.0/15")  # RFC 2544: for tests of devices
_BLOCK = 64
"""Addresses of the hosts of one process; others of this machine may run tests, too."""


@dataclass
class Direction:
    """One way through a cable: `delay` in seconds, `loss` from 0 to 1, `rate` in bytes a second."""

    source: int
    target: int
    cut: bool = False
    delay: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    packets: int = 0
    _free: float = 0.0
    _dice: random.Random = field(default_factory=lambda: random.Random(1))

    def carry(self) -> None:
        """Take one packet from the source."""
        packet = os.read(self.source, _PACKET)
        if self.cut or self._dice.random() < self.loss:
            return
        self.packets += 1
        loop = asyncio.get_running_loop()
        self._free = max(self._free, loop.time())
        if self.rate:
            self._free += len(packet) / self.rate
        arrival = self._free + self.delay
        if arrival <= loop.time():
            self._arrive(packet)
        else:
            loop.call_at(arrival, self._arrive, packet)

    def _arrive(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # the device is gone, or its queue is full
            os.write(self.target, packet)


@dataclass(frozen=True)
class Host:
    """A host. `address` is its own, `front` that of this machine as the host sees it."""

    name: str
    address: str
    front: str
    sent: Direction
    received: Direction

    def command(self, *arguments: str, without: Path | None = None) -> list[str]:
        """Return the command that runs there; it finds nothing in the folder `without`."""
        hide = ["sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(without)]
        return ["ip", "netns", "exec", self.name, *(hide if without else []), *arguments]

    def unplug(self) -> None:
        """Cut the cable."""
        self.sent.cut = self.received.cut = True

    def plug(self) -> None:
        """Mend the cable."""
        self.sent.cut = self.received.cut = False

    def slow(self, *, delay: float = 0.0, loss: float = 0.0, rate: float = 0.0) -> None:
        """Let both directions be slow; see `Direction`."""
        for direction in (self.sent, self.received):
            direction.delay, direction.loss, direction.rate = delay, loss, rate


def require_hosts() -> None:
    """Skip the test where there can be no such hosts."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need root on Linux")
    if not shutil.which("ip") or not _TUN.exists():
        pytest.skip("there is no ip (package iproute2), or no /dev/net/tun")
    probe = subprocess.run(["ip", "netns", "add", _name(0)], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no network namespace: {probe.stderr.decode().strip()}")
    _ip("netns", "del", _name(0))


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Make hosts whose cables work while the running event loop does."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_host(number)) for number in range(1, count + 1)]


@contextlib.contextmanager
def _host(number: int) -> Iterator[Host]:
    name = _name(number)
    block = _NETWORK[_BLOCK * (os.getpid() % (_NETWORK.num_addresses // _BLOCK))]
    front, address = block + 4 * number + 1, block + 4 * number + 2
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "del", name)
        here, there = _device(f"{name}h"), _device(f"{name}t")
        stack.callback(os.close, here)
        stack.callback(os.close, there)
        _ip("address", "add", front, "peer", address, "dev", f"{name}h")
        _ip("link", "set", f"{name}h", "up")
        _ip("link", "set", f"{name}t", "netns", name)
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "address", "add", address, "peer", front, "dev", f"{name}t")
        _ip("-n", name, "link", "set", f"{name}t", "up")
        _ip("-n", name, "route", "add", "default", "via", front)
        host = Host(name, str(address), str(front), Direction(there, here), Direction(here, there))
        for direction in (host.sent, host.received):
            loop.add_reader(direction.source, direction.carry)
            stack.callback(loop.remove_reader, direction.source)
        yield host


def _name(number: int) -> str:
    return f"sd{os.getpid() % 1000000}n{number}"


def _device(name: str) -> int:
    """Make a TUN device; return the file that gives its packets. It ends with the file."""
    file = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, _SET_DEVICE, struct.pack("16sH", name.encode(), _WITHOUT_HEADER))
    return file


def _ip(*arguments: Any) -> None:
    subprocess.run(["ip", *map(str, arguments)], check=True, capture_output=True)
