"""Listening sockets, bound before anything starts, so that a taken port stops the start with a clear sentence."""

import errno
import socket

from postroom.settings import Address, SettingsRejected, parse_address

BACKLOG = 2048


def listen(option: str, text: str) -> socket.socket:
    """A socket that listens on `host:port`, ready to be inherited by children.

    Raises `SettingsRejected` with the option, the value and the fix.
    """
    listener = _bind(option, text)
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def free_address(option: str, text: str) -> Address:
    """The address with port 0 replaced by a free port; raises `SettingsRejected` when the port is taken."""
    with _bind(option, text) as probe:
        return bound_address(probe, text)


def bound_address(listener: socket.socket, text: str) -> Address:
    """`host:port` with the port the socket really has."""
    return Address(parse_address(text).host, listener.getsockname()[1])


def loopback_of(address: Address) -> Address:
    """Where this machine itself reaches a server on this address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    return Address(host, address.port)


def _bind(option: str, text: str) -> socket.socket:
    address = parse_address(text)
    shown = f"option {option}={text}"
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as unknown:
        raise SettingsRejected(
            [f"{shown}: the host is not known ({unknown}); write an address of this machine, such as 127.0.0.1"]
        ) from None
    # A name such as localhost may stand for both kinds; clients that try only one try IPv4.
    family, kind, protocol, _, target = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(target)
    except OSError as refused:
        listener.close()
        raise SettingsRejected([f"{shown}: {_explain(refused, address)}"]) from None
    return listener


def _explain(refused: OSError, address: Address) -> str:
    if refused.errno == errno.EADDRINUSE:
        other = Address(address.host, address.port + 1 if address.port < 65535 else 0)
        return f"the port is in use by another program; stop that one, or use another port, such as {other}"
    if refused.errno == errno.EACCES:
        return "ports below 1024 are for root; use a higher one, such as 8025"
    if refused.errno == errno.EADDRNOTAVAIL:
        return "the address is none of this machine's; use one it has, such as 127.0.0.1"
    return f"it can't be used ({refused.strerror}); use another address"
