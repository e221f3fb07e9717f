"""A DNS that is a table: records as text by name and type, as in a zone file."""

from ipaddress import ip_address

from postroom.delivery.routing.dane import Tlsa
from postroom.delivery.routing.records import (
    AddressAnswer,
    AddressesFound,
    MxAnswer,
    MxFound,
    MxRecord,
    NameAnswer,
    NamesFound,
    Nothing,
    TextAnswer,
    TextFound,
    TlsaAnswer,
    TlsaFound,
    Trouble,
)

TTL = 300.0
TROUBLE = "trouble"
"""In place of records: the DNS servers fail."""

Table = dict[tuple[str, str], list[str] | str]


class Zone:
    """Answers from ``table``; ``asked`` counts the questions."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.asked = 0

    async def mx(self, name: str) -> MxAnswer:
        found = self._find(name, "MX")
        if not isinstance(found, list):
            return found
        pairs = (each.split(" ") for each in found)
        return MxFound(tuple(MxRecord(int(preference), host.rstrip(".")) for preference, host in pairs), TTL)

    async def ipv4(self, name: str) -> AddressAnswer:
        found = self._find(name, "A")
        return AddressesFound(tuple(found), TTL) if isinstance(found, list) else found

    async def ipv6(self, name: str) -> AddressAnswer:
        found = self._find(name, "AAAA")
        return AddressesFound(tuple(found), TTL) if isinstance(found, list) else found

    async def text(self, name: str) -> TextAnswer:
        found = self._find(name, "TXT")
        return TextFound(tuple(found)) if isinstance(found, list) else found

    async def tlsa(self, name: str) -> TlsaAnswer:
        found = self._find(name, "TLSA")
        if not isinstance(found, list):
            return found
        fields = (each.split(" ") for each in found)
        records = (Tlsa(int(a), int(b), int(c), bytes.fromhex(data)) for a, b, c, data in fields)
        return TlsaFound(tuple(records), TTL, secure=False)

    async def reverse(self, address: str) -> NameAnswer:
        found = self._find(str(ip_address(address)), "PTR")
        return NamesFound(tuple(found)) if isinstance(found, list) else found

    def _find(self, name: str, kind: str) -> list[str] | Nothing | Trouble:
        self.asked += 1
        found = self.table.get((name, kind))
        if isinstance(found, str):
            return Trouble(f"the DNS servers fail for {kind} of {name}")
        if found:
            return found
        return Nothing(any(owner == name for owner, _ in self.table), TTL)
