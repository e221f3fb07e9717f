"""Sender domains of a house, and dkimpy as the receiver that verifies."""

from tests.conformance.house import ACCOUNT, House

import dkim  # type: ignore[import-untyped]
from postroom.delivery.dkim.record import key_name, key_value
from postroom.tenancy.sealing import load_seal
from postroom.tenancy.sender_domains import (
    KeyAlgorithm,
    add_waiting_keys,
    create_domain,
    list_domains,
    new_key,
    switch_keys,
)

AT_ONCE = "update dkim_key set active_from = now() where active_from > now()"
RETIRED_AT_ONCE = "update dkim_key set retired_at = now() where retired_at > now()"


async def make_domain(
    house: House, domain: str, *algorithms: KeyAlgorithm, account_id: int = ACCOUNT, at_once: bool = True
) -> None:
    """A domain whose keys are in force now, without the second that a command waits."""
    async with house.pool.acquire() as connection, connection.transaction():
        keys = [new_key(algorithm) for algorithm in algorithms or ("ed25519",)]
        await create_domain(connection, account_id, domain, keys, seal=await load_seal(connection))
        if at_once:
            await connection.execute(AT_ONCE)


async def rotate(house: House, domain: str, algorithm: KeyAlgorithm = "ed25519") -> None:
    """New keys that sign from now on."""
    async with house.pool.acquire() as connection, connection.transaction():
        seal = await load_seal(connection)
        await add_waiting_keys(connection, ACCOUNT, domain, [new_key(algorithm)], seal=seal)
        await switch_keys(connection, ACCOUNT, domain)
        await connection.execute(AT_ONCE)
        await connection.execute(RETIRED_AT_ONCE)


async def published(house: House, account_id: int = ACCOUNT) -> dict[bytes, bytes]:
    """The DNS of all the business unit's domains, as `postroom domain dns` prints it."""
    return {
        f"{key_name(key.selector, each.domain)}.".encode(): key_value(key.algorithm, key.public_key).encode()
        for each in await list_domains(house.pool, account_id)
        for key in each.keys
    }


def signatures(mail: bytes) -> int:
    """How many signature fields there are."""
    return mail.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")


def verified(mail: bytes, dns: dict[bytes, bytes], which: int = 0) -> bool:
    """What a receiver says about one signature of a mail as it came over SMTP, final dot included."""
    try:
        return bool(dkim.DKIM(mail.removesuffix(b".\r\n")).verify(which, dnsfunc=lambda name, timeout=5: dns.get(name)))
    except dkim.ValidationError:
        return False
