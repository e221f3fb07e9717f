"""A template with look-ups, a content block and a write: it is rendered for each message, and its row written once."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import msgspec
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import all_final, working

from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import ExtensionDraft, create_extension
from postroom.catalog.data_rows import NewRow, insert_rows

TEMPLATE = """%%[
SET @who = AttributeValue("Name")
SET @city = Lookup("Customers", "City", "Name", @who)
InsertDE("Log", "Key", _subscriberkey, "City", @city)
]%%Hello %%=v(@who)=%% of %%=v(@city)=%%. %%=ContentBlockByKey("footer")=%%"""

BLOCK = 'Yours, %%=IIf(@city == "Paris", "à bientôt", "see you")=%%'


async def table(house: House, name: str, columns: tuple[Column, ...], rows: list[dict[str, object]]) -> None:
    made = await create_extension(house.pool, ACCOUNT, uuid4(), ExtensionDraft(name, name, "", columns))
    async with house.pool.acquire() as connection, connection.transaction():
        found = await insert_rows(connection, made, [NewRow(row) for row in rows], datetime.now(UTC))
    assert found == [None] * len(rows)


async def test_each_mail_has_its_rows_and_what_it_writes_is_written_once(house: House) -> None:
    names = {f"person-{number}": "Paris" if number % 2 else "Rome" for number in range(40)}
    await table(
        house,
        "Customers",
        (
            Column(name="Name", type="Text", length=50, primary_key=True, nullable=False),
            Column(name="City", type="Text"),
        ),
        [{"Name": name, "City": city} for name, city in names.items()],
    )
    await table(
        house,
        "Log",
        (
            Column(name="Key", type="Text", length=50, primary_key=True, nullable=False),
            Column(name="City", type="Text"),
        ),
        [],
    )
    await house.pool.execute(
        "insert into asset (account_id, customer_key, object_id, asset_type, name, content)"
        " values ($1, 'footer', $2, 197, 'Footer', $3)",
        ACCOUNT,
        uuid4(),
        BLOCK,
    )
    await house.define("story", text=TEMPLATE)
    async with relay(lambda _key, attempt: "451 4.3.0 later" if attempt == 1 else TAKEN) as peer:
        async with working(house, peer) as office:
            for name in names:
                await office.send([name], "story", Name=name)
            final = await all_final(house, len(names))
        assert set(final.values()) == {("sent", None)}
        for name, city in names.items():
            mail = message_from_bytes(peer.bodies[name][-1].removesuffix(b".\r\n"), policy=default)
            greeting = "à bientôt" if city == "Paris" else "see you"
            assert mail.get_content().strip() == f"Hello {name} of {city}. Yours, {greeting}"
    rows = [msgspec.json.decode(row["cells"]) for row in await house.pool.fetch("select cells from data_row")]
    written = [row for row in rows if "key" in row]
    assert sorted(row["city"] for row in written) == ["Paris"] * 20 + ["Rome"] * 20


async def test_what_was_written_before_an_error_is_kept_only_where_the_template_says_so(house: House) -> None:
    key = Column(name="Key", type="Text", length=50, primary_key=True, nullable=False)
    await table(house, "Log", (key,), [])
    for name, keeps in (("kept", 1), ("dropped", 0)):
        await house.define(name, text=f"%%[ InsertDE('Log', 'Key', '{name}') RaiseError('no', 1, '', '', {keeps}) ]%%")
    async with relay() as peer, working(house, peer) as office:
        for name in ("kept", "dropped"):
            await office.send([name], name)
        assert set((await all_final(house, 2)).values()) == {("not_sent", 102)}
    (row,) = await house.pool.fetch("select cells from data_row")
    assert msgspec.json.decode(row["cells"]) == {"key": "kept"}
