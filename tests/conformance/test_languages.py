"""The language of a business unit: chosen, changed, and what its recipients' pages are in."""

import pytest
from tests.conformance.house import ACCOUNT, House

from postroom.tenancy.accounts import (
    Account,
    AccountChange,
    LanguageUnknown,
    change_account,
    ensure_account,
    find_account,
)


async def test_a_language_is_chosen_and_changed(house: House) -> None:
    async with house.pool.acquire() as connection, connection.transaction():
        assert await ensure_account(connection, 300003, "Laden", "DE")
    assert await find_account(house.pool, 300003) == Account(300003, "Laden", "de")
    assert await change_account(house.pool, 300003, AccountChange(language="fr")) == Account(300003, "Laden", "fr")
    assert await change_account(house.pool, 300003, AccountChange(name="Boutique")) == Account(300003, "Boutique", "fr")
    assert await change_account(house.pool, 300004, AccountChange(name="Nobody")) is None
    found = await find_account(house.pool, ACCOUNT)
    assert found is not None
    assert found.language == "en"


async def test_a_language_without_pages_is_refused(house: House) -> None:
    with pytest.raises(LanguageUnknown, match="it must be one of en, de, fr, es"):
        await change_account(house.pool, ACCOUNT, AccountChange(language="xx"))
