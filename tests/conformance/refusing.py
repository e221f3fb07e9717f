"""A database that refuses some rows of a table: a trigger stands for whatever the reason is in earnest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.conformance.house import House

NUL = "22021"
DENIED = "42501"


@asynccontextmanager
async def refusing(
    house: House, table: str, condition: str, sqlstate: str = NUL, on: str = "insert"
) -> AsyncIterator[None]:
    """The database refuses the rows of a table of which the condition is true."""
    name = f"refuse_{table}"
    await house.pool.execute(
        f"""
        create or replace function {name}() returns trigger language plpgsql as $$
        begin
            if {condition} then
                raise exception 'not this one' using errcode = '{sqlstate}';
            end if;
            return case tg_op when 'DELETE' then old else new end;
        end $$"""
    )
    await house.pool.execute(f"create trigger {name} before {on} on {table} for each row execute function {name}()")
    try:
        yield
    finally:
        await house.pool.execute(f"drop trigger {name} on {table}; drop function {name}()")
