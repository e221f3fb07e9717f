"""How a connection to a target comes about: from one of our addresses to one of the target's, until one takes it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

from postroom.delivery.smtp.connection import Connection
from postroom.delivery.smtp.local_address import Sources
from postroom.delivery.smtp.reach import Reach
from postroom.delivery.smtp.target import SmtpTarget

MOST_ADDRESSES: Final = 6


class NoSource(Exception):
    """None of our addresses is of the family of the peer's."""


class Dialler:
    """``seconds`` is the time for each address. For the others see ``SmtpPool``; ``report`` is told of what nobody
    foresaw."""

    def __init__(
        self,
        target: SmtpTarget,
        *,
        seconds: float,
        addresses: Callable[[], Sequence[str]] | None,
        reach: Reach,
        sources: Sources | None,
        report: Callable[[str, Exception], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._target = target
        self._seconds = seconds
        self._addresses = addresses
        self._reach = reach
        self._sources = sources
        self._report = report
        self._loop = loop
        self.found: Sequence[str] = ()
        """The addresses of the target, as last found."""

    async def connect(self, connection: Connection) -> str:
        """Try the target's addresses in turn until one takes the connection; why none did, or nothing."""
        target, seconds = self._target, self._seconds
        reason = f"no connection to {target.host} port {target.port}"
        try:
            # Each address has its own time: a dead IPv6 route must not use up that of IPv4.
            for address in await self._find_addresses():
                try:
                    await self._connect_to(address, connection)
                except NoSource:
                    reason = f"no connection to {target.host} ({address}): no source address of its family to use"
                    continue
                except TimeoutError:
                    reason = f"no connection to {target.host} port {target.port} ({address}) within {seconds:g} s"
                except OSError as problem:
                    reason = f"no connection to {target.host} port {target.port} ({address}): {problem}"
                else:
                    self._reach.reached(address)
                    return ""
                self._reach.failed(address)
        except TimeoutError:
            reason = f"no address of {target.host} within {seconds:g} s"
        except (OSError, UnicodeError) as problem:
            reason = f"no address of {target.host}: {problem}"
        except Exception as problem:
            self._report("connecting failed in an unforeseen way", problem)
            reason = f"{reason}: {problem!r}"
        return reason

    async def _connect_to(self, address: str, connection: Connection) -> None:
        """Connect to one address, from one of ours after the other. Raises NoSource, TimeoutError and OSError."""
        sources = self._sources
        if sources is None:
            await self._dial(address, connection, None)
            return
        while True:
            local = sources.next(address)
            if local is None:
                raise NoSource
            connection.session.come_from(local)
            try:
                await self._dial(address, connection, (local.ip, 0))
            except OSError as problem:
                # Not ours any more, or without a free port: that says nothing of the host.
                if problem.errno != errno.EADDRNOTAVAIL or not sources.refused(local.ip, str(problem), (address,)):
                    raise
            else:
                return

    async def _dial(self, address: str, connection: Connection, local: tuple[str, int] | None) -> None:
        target = self._target
        async with asyncio.timeout(self._seconds):
            await self._loop.create_connection(
                lambda: connection,
                address,
                target.port,
                ssl=connection.trust.context if target.implicit_tls else None,
                server_hostname=target.host if target.implicit_tls else None,
                local_addr=local,
            )

    async def _find_addresses(self) -> Sequence[str]:
        if self._addresses is not None:
            self.found = self._addresses()
        else:
            target = self._target
            async with asyncio.timeout(self._seconds):
                found = await self._loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            self.found = list(dict.fromkeys(str(entry[4][0]) for entry in found[:MOST_ADDRESSES]))
        return self._reach.order(self.found)
