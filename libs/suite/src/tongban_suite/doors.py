"""The address that a run listens on: taken before anything is loaded, or refused plainly."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tongban_common.errors import BadInput

_WILDCARDS = frozenset({"127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - compared, not bound


class CannotListen(BadInput):
    code = "suite.cannot_listen"


@dataclass(frozen=True, slots=True)
class Door:
    """A listening socket, and what a browser on this machine opens."""

    socket: socket.socket
    address: str


@contextmanager
def opened(host: str, port: int) -> Iterator[Door]:
    """Who connects early waits until the pages are there. Raises CannotListen."""
    with _listening(host, port) as listener:
        yield Door(listener, address_of(host, port))


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(address[:2], family=family)
    except (socket.gaierror, UnicodeError) as fault:
        raise CannotListen(f"--host {host} 不是可用的地址") from fault
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            raise CannotListen(f"端口 {port} 已被占用；请用 --port 换一个") from fault
        if fault.errno == errno.EACCES:
            raise CannotListen(f"没有权限使用端口 {port}；请用 --port 换一个") from fault
        raise CannotListen(f"--host {host} 不是本机的地址") from fault


def address_of(host: str, port: int) -> str:
    name = "localhost" if host in _WILDCARDS else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"
