"""Attacks of one business unit on another: every route of the OpenAPI document is asked for what belongs to a stranger.

The routes are those of the document, so a new one is tried as well, with the keys and bodies of its own examples; where
they go by number, with the owner's. What the examples do not make (jobs, erasures, callbacks) has tests of its own.
"""

import re
from collections.abc import Callable
from typing import Any

import httpx
from tests.wire.examples import example_body, example_path, make_examples, operations_of
from tests.wire.live import Unit

Operations = dict[str, dict[str, Any]]

_TABLES = """
select t.relname as name from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attname = 'account_id'
where t.relkind in ('r', 'p') and not t.relispartition and t.relnamespace = 'public'::regnamespace
order by 1
"""

_SAME_FOR_ALL = {"GET /platform/v1/endpoints/{type}"}
# Lists of a folder: a stranger's are empty.
_LISTS = {"GET /data/v1/customobjects/category/{categoryId}"}
# What differs between two answers that say the same: numbers drawn, and the moment of a report.
_OF_ONE_ANSWER = re.compile(r'"requestId":"[0-9a-f-]{36}"|"at":"[0-9T:.Z-]+"')


def rows_of(unit: Unit) -> dict[str, list[str]]:
    """Everything that is stored of a business unit, by table."""
    tables = [row["name"] for row in unit.api.rows(_TABLES)]
    select = "select t::text as row from {} t where account_id = $1 order by 1"
    return {table: [row["row"] for row in unit.api.rows(select.format(table), unit.account_id)] for table in tables}


def ask(unit: Unit, name: str, operation: dict[str, Any], keys: dict[str, str]) -> httpx.Response:
    """One request as the document's example makes it, with the owner's numbers for those that it has."""
    method, _, path = name.partition(" ")
    number = next((number for prefix, number in keys.items() if path.startswith(prefix)), None)
    body = None if method == "GET" else example_body(operation)
    given: dict[str, Any] = {"content": body} if isinstance(body, str) else {} if body is None else {"json": body}
    path = example_path(name, operation, {} if number is None else {"id": number})
    return unit.api.http.request(method, path, headers={"Authorization": f"Bearer {unit.token}"}, **given)


def read(unit: Unit, operations: Operations, keys: dict[str, str], *, keyed: bool) -> dict[str, tuple[int, str]]:
    """What a business unit reads of single things, or of all there are."""
    reading = {name for name in operations if name.startswith("GET ")} - _SAME_FOR_ALL
    chosen = {name for name in reading if ("{" in name and name not in _LISTS) is keyed}
    answers = {name: ask(unit, name, operations[name], keys) for name in chosen}
    return {name: (answer.status_code, _OF_ONE_ANSWER.sub("", answer.text)) for name, answer in answers.items()}


def numbers_of(owner: Unit) -> dict[str, str]:
    """The owner's numbers, by the beginnings of the paths that take them."""

    def first(path: str, *members: str) -> str:
        found = owner.call("GET", path).json()
        return str(next(found[member] for member in members if member in found)[-1]["id"])

    extension = first("/data/v1/customobjects", "items")
    return {
        "/asset/v1/content/assets/": first("/asset/v1/content/assets", "items"),
        "/asset/v1/content/categories/": first("/asset/v1/content/categories", "items"),
        "/postroom/v1/lists/": first("/postroom/v1/lists", "lists", "items"),
        "/data/v1/customobjects/": extension,
        "/data/v1/customobjectdata/{id}": extension,
    }


def test_tenant_isolation_of_every_route(unit: Unit, new_unit: Callable[..., Unit]) -> None:
    stranger = new_unit()
    operations = operations_of(unit.call("GET", "/schema").json())
    empty = read(stranger, operations, {}, keyed=False)
    make_examples(unit)
    keys = numbers_of(unit)
    owned = {name for name, (status, _) in read(unit, operations, keys, keyed=True).items() if status == 200}
    assert len(owned) >= 14, owned

    # What the owner has changes nothing of what a stranger sees.
    assert read(stranger, operations, keys, keyed=False) == empty
    seen = read(stranger, operations, keys, keyed=True)
    assert {name: seen[name][0] for name in owned} == dict.fromkeys(owned, 404)

    # Nothing that a stranger writes changes what the owner has.
    stored = rows_of(unit)
    assert sum(map(len, stored.values())) > 14
    for name, operation in operations.items():
        if not name.startswith("GET "):
            assert ask(stranger, name, operation, keys).status_code < 500, name
    assert rows_of(unit) == stored
