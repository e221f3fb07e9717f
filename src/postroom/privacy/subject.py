"""Whom an erasure concerns: contact keys and addresses, and how an address can be spelled in the tables."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import idna

from postroom.audience.suppression import folded_address
from postroom.store.database import Database

_KEYS_OF_ADDRESSES = """
select lower(contact_key collate "C") as contact_key from contact
where account_id = $1 and lower(address) = any($2::text[])
"""

_ADDRESSES_OF_KEYS = """
select address from contact where account_id = $1 and lower(contact_key collate "C") = any($2::text[])
"""

_IN_USE = "select lower(address) as address from contact where account_id = $1 and lower(address) = any($2::text[])"


@dataclass(frozen=True, slots=True)
class Subject:
    """Folded contact keys whose every trace goes, and folded addresses to which no mail may be traced any more.

    A contact's address is not among the latter when it was asked for by its key: others may have it, too.
    """

    contact_keys: frozenset[str]
    addresses: frozenset[str]

    @property
    def spellings(self) -> list[str]:
        """The addresses in lower case as they may have been written."""
        return sorted({spelling for address in self.addresses for spelling in spellings_of(address)})


async def subject_of_address(database: Database, account_id: int, address: str) -> Subject:
    """An address, with the contacts that have it and all their messages. Raises AddressInvalid."""
    folded = folded_address(address)
    rows = await database.fetch(_KEYS_OF_ADDRESSES, account_id, spellings_of(folded))
    return Subject(frozenset(row["contact_key"] for row in rows), frozenset({folded}))


async def addresses_of_contacts(database: Database, account_id: int, contact_keys: Iterable[str]) -> set[str]:
    """The addresses that these contacts have now, as they are stored."""
    rows = await database.fetch(_ADDRESSES_OF_KEYS, account_id, list(contact_keys))
    return {row["address"] for row in rows}


async def without_used(database: Database, account_id: int, addresses: Iterable[str]) -> set[str]:
    """Those of the folded addresses that no contact has."""
    by_spelling = {spelling: address for address in addresses for spelling in spellings_of(address)}
    rows = await database.fetch(_IN_USE, account_id, list(by_spelling))
    return set(by_spelling.values()) - {by_spelling[row["address"]] for row in rows}


def spellings_of(folded: str) -> list[str]:
    """A folded address, and with needless quotes and its domain in its own letters."""
    local, _, domain = folded.rpartition("@")
    domains = {domain}
    with contextlib.suppress(idna.IDNAError, UnicodeError):
        domains.add(idna.decode(domain))
    locals_ = {local} if local.startswith('"') else {local, f'"{local}"'}
    return sorted(f"{one}@{other}" for one in locals_ for other in domains)
