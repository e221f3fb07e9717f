"""A zone as a literal, in the place of the DNS."""

from collections import Counter
from dataclasses import dataclass, field

from postroom.delivery.routing.records import (
    AddressAnswer,
    AddressesFound,
    MxAnswer,
    MxFound,
    MxRecord,
    Nothing,
    Trouble,
)


@dataclass
class Zone:
    """``mx`` gives (preference, host) pairs by name, ``a`` and ``aaaa`` addresses; a name of none is NXDOMAIN.

    Names in ``broken`` time out.
    """

    mx_of: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    a: dict[str, list[str]] = field(default_factory=dict)
    aaaa: dict[str, list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    ttl: float = 600.0
    asked: Counter[str] = field(default_factory=Counter)

    async def mx(self, name: str) -> MxAnswer:
        self.asked[name] += 1
        if name in self.broken:
            return Trouble(f"no answer for {name}")
        if name in self.mx_of:
            return MxFound(tuple(MxRecord(preference, host) for preference, host in self.mx_of[name]), self.ttl)
        return self._nothing(name)

    async def ipv4(self, name: str) -> AddressAnswer:
        return self._addresses(self.a, name)

    async def ipv6(self, name: str) -> AddressAnswer:
        return self._addresses(self.aaaa, name)

    def _addresses(self, records: dict[str, list[str]], name: str) -> AddressAnswer:
        self.asked[name] += 1
        if name in self.broken:
            return Trouble(f"no answer for {name}")
        if name in records:
            return AddressesFound(tuple(records[name]), self.ttl)
        return self._nothing(name)

    def _nothing(self, name: str) -> Nothing:
        return Nothing(exists=name in self.mx_of or name in self.a or name in self.aaaa, ttl=60.0)
