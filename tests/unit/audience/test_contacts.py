from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from postroom.audience.contacts import Wanted, resolve_contacts
from postroom.store.pool import Pool


class FakePool:
    """Answers the look-up with what it was given, and the write with numbers; keeps what is written."""

    def __init__(self, rows: Sequence[dict[str, Any]] = ()) -> None:
        self._rows = rows
        self.written: dict[str, tuple[str, str]] = {}
        self.calls = 0

    async def fetch(self, _statement: str, _account_id: int, keys: list[str], *columns: list[str]) -> list[Any]:
        self.calls += 1
        if not columns:
            return [row for row in self._rows if row["folded_key"] in keys]
        self.written = {key: row for key, *row in zip(keys, *columns, strict=True)}  # type: ignore[misc]
        return [{"folded_key": key.lower(), "contact_id": 100 + at, "status": "Active"} for at, key in enumerate(keys)]


def stored(key: str, address: str, profile: str = "{}", status: str = "Active") -> dict[str, Any]:
    return {"folded_key": key, "contact_id": 7, "address": address, "profile": profile, "status": status}


def wanted(key: str, address: str, *, create: bool = True, update: bool = True, **profile: object) -> Wanted:
    return Wanted(key.lower(), key, address, profile, create, update)


async def test_a_contact_as_it_should_be_is_not_written() -> None:
    pool = FakePool([stored("c", "c@example.com", '{"FirstName":"Ada"}')])
    found = await resolve_contacts(cast(Pool, pool), 1, [wanted("C", "c@example.com", FirstName="Ada")])
    assert found["c"].contact_id == 7
    assert pool.calls == 1


async def test_a_deleted_contact_is_left_alone() -> None:
    pool = FakePool([stored("c", "old@example.com", status="Deleted")])
    found = await resolve_contacts(cast(Pool, pool), 1, [wanted("c", "new@example.com")])
    assert (found["c"].address, found["c"].status) == ("old@example.com", "Deleted")
    assert pool.calls == 1


async def test_a_contact_that_may_not_be_created_is_missing() -> None:
    pool = FakePool()
    assert await resolve_contacts(cast(Pool, pool), 1, [wanted("c", "c@example.com", create=False)]) == {}
    assert pool.calls == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans(), st.booleans()), max_size=12))
async def test_a_claim_leaves_contacts_as_its_messages_would_one_by_one(
    messages: list[tuple[str, int, bool, bool]],
) -> None:
    """The model: each message looks, creates when it may, updates when it may, before the next one comes."""
    model: dict[str, str] = {}
    for key, number, create, update in messages:
        if key in model:
            if update:
                model[key] = f"{number}@example.com"
        elif create:
            model[key] = f"{number}@example.com"
    claim = [wanted(key, f"{n}@example.com", create=create, update=update) for key, n, create, update in messages]
    found = await resolve_contacts(cast(Pool, FakePool()), 1, claim)
    assert {key: contact.address for key, contact in found.items()} == model
