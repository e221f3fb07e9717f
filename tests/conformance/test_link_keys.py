"""The keys of links: made once, whoever asks first; a new one leaves the old ones valid."""

import asyncio
from uuid import UUID

from tests.conformance.house import House

from postroom.content.link_tokens import LinkMessage
from postroom.tenancy.link_keys import load_link_tokens, rotate_link_key

MESSAGE = LinkMessage(100001, 7, 3, 42, UUID("01890f3e-0000-7000-8000-0123456789ab"))


async def test_processes_that_start_together_have_one_key(house: House) -> None:
    loaded = await asyncio.gather(*(load_link_tokens(house.pool) for _ in range(4)))
    tokens = {each.head(MESSAGE).token("view") for each in loaded}
    assert len(tokens) == 1


async def test_a_link_works_after_its_key_was_changed_twice(house: House) -> None:
    before = await load_link_tokens(house.pool)
    token = before.head(MESSAGE).token("unsubscribe")
    for _ in range(2):
        async with house.pool.acquire() as connection, connection.transaction():
            await rotate_link_key(connection)
    after = await load_link_tokens(house.pool)
    assert after.read("unsubscribe", token) == before.read("unsubscribe", token)
    newest = after.head(MESSAGE).token("unsubscribe")
    assert newest != token
    assert before.read("unsubscribe", newest) is None
