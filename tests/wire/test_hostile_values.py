"""Values that no database takes, put wherever a request has one: the answer is never ours to be sorry for."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.wire.examples import example_body, example_path, make_examples
from tests.wire.live import Unit

# As they stand in JSON: NUL, half a surrogate pair, a number beyond all integers, a date beyond all dates, more text
# than an index takes.
HOSTILE = ['"a\\u0000b"', '"\\ud800"', "9" * 40, "-1e999", '"999999-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"',
           '"' + "".join(f"{number:05}" for number in range(2_000)) + '"']  # fmt: skip
IN_ADDRESSES = ["%00", "%ED%A0%80", "9" * 40, "-" + "9" * 40, "999999-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00"]

# They need a server of ours at the other end, or would end what the rest of the test uses.
_NOT_HERE = ("/v2/token", "callbacks", "erasures")


def spoilt(body: Any) -> Iterator[str]:
    """The body as JSON, each of its values in turn replaced by a hostile one."""
    places = count()
    total = _marked(body, -1, places)[1]
    for place in range(total):
        text = json.dumps(_marked(body, place, count())[0])
        # Every value at every place would take half a minute.
        yield text.replace('"\\ue000"', HOSTILE[place % len(HOSTILE)])


def _marked(value: Any, place: int, places: "count[int]") -> tuple[Any, int]:
    """The value with a mark at one place, and how many places there are."""
    made: Any
    if isinstance(value, dict):
        made = {name: _marked(each, place, places)[0] for name, each in value.items()}
    elif isinstance(value, list):
        made = [_marked(each, place, places)[0] for each in value]
    else:
        number = next(places)
        return ("\ue000" if number == place else value), number + 1
    return made, next(places)


def test_nul_surrogates_and_numbers_beyond_bigint_in_every_field_of_every_request(unit: Unit) -> None:
    operations = make_examples(unit)
    troubles, requests = [], 0
    for name, operation in operations.items():
        method = name.partition(" ")[0]
        if any(each in name for each in _NOT_HERE):
            continue
        tries: list[tuple[str, str | None]] = []
        path = example_path(name, operation, {})
        for parameter in operation["parameters"]:
            for hostile in IN_ADDRESSES:
                if parameter["in"] == "path":
                    tries.append((example_path(name, operation, {parameter["name"]: hostile}), None))
                elif parameter["in"] == "query":
                    tries.append((f"{path}?{parameter['name']}={hostile}", None))
        if method != "DELETE" and "requestBody" in operation:
            body = example_body(operation)
            if isinstance(body, dict | list):
                tries += [(path, text) for text in spoilt(body)]
        for target, text in tries:
            headers = {"Content-Type": "application/json"}
            reply = unit.call(method, target, content=text, headers=headers)
            requests += 1
            if reply.status_code >= 500:
                troubles.append((method, target[:100], (text or "")[:300], reply.text[:100]))
    assert troubles == []
    assert requests > 400
