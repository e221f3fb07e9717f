"""The questions that the doctor asks the DNS, each of them once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, cast

from postroom.delivery.routing.records import AddressAnswer, Dns, MxAnswer, NameAnswer, TextAnswer, TlsaAnswer, Trouble

_T = TypeVar("_T")


class Questions(Dns, Protocol):
    """Whoever answers them; no method raises for what the network or a peer did."""

    async def text(self, name: str) -> TextAnswer:
        """Its TXT records."""

    async def tlsa(self, name: str) -> TlsaAnswer:
        """Its TLSA records."""

    async def reverse(self, address: str) -> NameAnswer:
        """The names of an IP address (PTR)."""


class Asked:
    """Answers of another, each asked for once; several may wait for the same one.

    ``silent`` says that nothing has been answered so far.
    """

    def __init__(self, source: Questions) -> None:
        self._source = source
        self._known: dict[tuple[str, str], asyncio.Task[object]] = {}
        self.silent = True

    async def mx(self, name: str) -> MxAnswer:
        """See ``Dns``."""
        return await self._once("MX", name, self._source.mx)

    async def ipv4(self, name: str) -> AddressAnswer:
        """See ``Dns``."""
        return await self._once("A", name, self._source.ipv4)

    async def ipv6(self, name: str) -> AddressAnswer:
        """See ``Dns``."""
        return await self._once("AAAA", name, self._source.ipv6)

    async def text(self, name: str) -> TextAnswer:
        """See ``Questions``."""
        return await self._once("TXT", name, self._source.text)

    async def tlsa(self, name: str) -> TlsaAnswer:
        """See ``Questions``."""
        return await self._once("TLSA", name, self._source.tlsa)

    async def reverse(self, address: str) -> NameAnswer:
        """See ``Questions``."""
        return await self._once("PTR", address, self._source.reverse)

    async def _once(self, kind: str, name: str, ask: Callable[[str], Awaitable[_T]]) -> _T:
        async def answer() -> object:
            found = await ask(name)
            self.silent = self.silent and isinstance(found, Trouble)
            return found

        task = self._known.get((kind, name))
        if task is None:
            task = self._known[kind, name] = asyncio.ensure_future(answer())
        return cast(_T, await task)
