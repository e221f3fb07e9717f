"""A DNS server of the test's own, on UDP and TCP, that can also misbehave."""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset

SILENT = "silent"
SERVFAIL = "servfail"
GARBAGE = "garbage"
_MOST_UDP = 1232


class Nameserver(asyncio.DatagramProtocol):
    """``zone`` gives records as text by (name, type): ``("example.com", "MX"): ["10 mx.example.com."]``.

    A name without any record is NXDOMAIN. ``faults`` by name: SILENT, SERVFAIL or GARBAGE. A name with a CNAME
    gets only that; circles are followed once round.
    """

    def __init__(self, zone: dict[tuple[str, str], list[str]], faults: dict[str, str] | None = None) -> None:
        self.zone = zone
        self.faults = faults or {}
        self.signed: set[str] = set()
        """Domains whose answers count as validated, with all below them: the AD flag is set for who asks for it."""
        self.asked: Counter[tuple[str, str]] = Counter()
        self.by_tcp = 0
        self.address = ("127.0.0.1", 0)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: asyncio's own datagram transport is no subclass of the class that describes it.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._reply(data)
        assert self._transport is not None
        if reply is not None and len(reply) > _MOST_UDP:
            short = dns.message.make_response(dns.message.from_wire(data))
            short.flags |= dns.flags.TC
            reply = short.to_wire()
        if reply is not None:
            self._transport.sendto(reply, addr)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question by TCP."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            reply = self._reply(await reader.readexactly(length))
            self.by_tcp += 1
            if reply is not None:
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        writer.close()

    def _reply(self, wire: bytes) -> bytes | None:
        question = dns.message.from_wire(wire)
        name, kind = question.question[0].name, dns.rdatatype.to_text(question.question[0].rdtype)
        text = name.to_text(omit_final_dot=True).lower()
        self.asked[text, kind] += 1
        fault = self.faults.get(text)
        if fault == SILENT:
            return None
        if fault == GARBAGE:
            return wire[:2] + b"\x81\x80" + b"\xff" * 40
        reply = dns.message.make_response(question)
        if fault == SERVFAIL:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply.to_wire()
        seen: set[str] = set()
        validated = self._is_signed(text)
        while (text, "CNAME") in self.zone and text not in seen:
            seen.add(text)
            target = self.zone[text, "CNAME"][0]
            reply.answer.append(dns.rrset.from_text(f"{text}.", 60, "IN", "CNAME", target))
            text = target.rstrip(".")
            validated = validated and self._is_signed(text)
        if validated and question.flags & dns.flags.AD:
            reply.flags |= dns.flags.AD
        if (text, kind) in self.zone:
            reply.answer.append(dns.rrset.from_text(f"{text}.", 60, "IN", kind, *self.zone[text, kind]))
        elif not reply.answer and not any(owner == text for owner, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire(max_size=65535)

    def _is_signed(self, name: str) -> bool:
        return any(f".{name}".endswith(f".{domain}") for domain in self.signed)


@asynccontextmanager
async def nameserver(
    zone: dict[tuple[str, str], list[str]],
    faults: dict[str, str] | None = None,
    *,
    sockets: tuple[socket.socket, socket.socket] | None = None,
) -> AsyncIterator[Nameserver]:
    """A server that listens on a port of 127.0.0.1, the same for both protocols, or on these sockets (TCP, UDP)."""
    tcp, udp = sockets or _sockets()
    made = Nameserver(zone, faults)
    made.address = tcp.getsockname()[:2]
    server = await asyncio.start_server(made.converse, sock=tcp)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, sock=udp)
    try:
        yield made
    finally:
        transport.close()
        server.close()
        await server.wait_closed()


def _sockets() -> tuple[socket.socket, socket.socket]:
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(tcp.getsockname())
    return tcp, udp
