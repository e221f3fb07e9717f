"""Keeps the network namespaces of a test, and does in them what only somebody inside can do.

Run as `unshare --net keeper.py FD`: a process without threads, since a thread is what enters a namespace. Requests come
as JSON over the socket FD, one a packet, and are answered by one packet, with a descriptor where one is asked for.
When the other end of the socket goes away, so does this process, and with it every namespace that nobody else is in.
"""

import array
import ctypes
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

_NEW_NETWORK = 0x40000000
_ANY_PROTOCOL = 0x0003
"""ETH_P_ALL: every frame, also those that leave."""
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _here() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def _enter(namespace: int) -> None:
    _checked(_libc.setns(namespace, _NEW_NETWORK))


def _ip(lines: list[str]) -> None:
    done = subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(lines) + "\n",
        text=True,
        capture_output=True,
        env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"},
        check=False,
    )
    if done.returncode:
        raise OSError(f"ip: {done.stderr.strip()} (of: {'; '.join(lines)})")


def _socket(address: str, port: int, kind: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, port))
    if kind == "tcp":
        made.listen(128)
    return made


def _serve(request: dict[str, Any], kept: list[int]) -> tuple[object, socket.socket | None]:
    """The answer, and a socket to hand over."""
    match request:
        case {"make": _}:
            _checked(_libc.unshare(_NEW_NETWORK))
            kept.append(_here())
            _ip(["link set lo up"])
            return kept[-1], None
        case {"ip": list(lines), "in": int(namespace)}:
            _enter(namespace)
            _ip(lines)
        case {"file": str(file), "text": str(text), "in": int(namespace)}:
            _enter(namespace)
            Path(file).write_text(text)
        case {"listen": str(address), "port": int(port), "kind": str(kind), "in": int(namespace)}:
            _enter(namespace)
            return None, _socket(address, port, kind)
        case {"watch": str(device), "in": int(namespace)}:
            _enter(namespace)
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ANY_PROTOCOL))
            made.bind((device, _ANY_PROTOCOL))
            return None, made
        case _:
            raise ValueError(f"unknown: {request}")
    return None, None


def _work(line: socket.socket) -> None:
    kept: list[int] = []
    while packet := line.recv(1 << 16):
        made: socket.socket | None = None
        try:
            value, made = _serve(json.loads(packet), kept)
            answer: dict[str, object] = {"value": value}
        except (OSError, ValueError) as problem:
            answer = {"problem": str(problem)}
        handed = [] if made is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))]
        line.sendmsg([json.dumps(answer).encode()], handed)
        if made is not None:
            made.close()


if __name__ == "__main__":
    _work(socket.socket(fileno=int(sys.argv[1])))
