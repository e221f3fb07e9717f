"""The example that `postroom demo` sends: an email, its definition and its recipients, read from a folder.

    definition.json              {"asset": ..., "definition": ...}, each a request body as the API takes it; the
                                 bodies of the email are in the files beside it
    <asset key>.html             views.html.content of the asset
    <asset key>.txt              views.text.content
    recipients.csv               contactKey, to, messageKey, and one column for each attribute
    <asset key>.expected.html    what a recipient must read, where the template holds code: names in place of code
    <asset key>.expected.txt     the same for the text; for subject and preheader "expected" in definition.json

What a recipient must read is worked out here by plain substitution, without a line of the code that composes
mail: it is what the mail that arrives is compared with. A name is a column, or follows from columns by `demo_order`;
`%%#Name%%...%%/Name%%` is there once for each member of a list.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

import postroom
from postroom.cli.demo_order import Values, order_values

KEYS = ("contactKey", "to", "messageKey")
_STRING = re.compile(r"%%\s*(#?)(\w+)\s*%%")


class ExampleUnusable(Exception):
    """The folder does not hold an example; the text says what is wrong with which file."""


@dataclass(frozen=True)
class Recipient:
    """One row of recipients.csv."""

    contact_key: str
    to: str
    message_key: str
    attributes: Mapping[str, str]

    @cached_property
    def values(self) -> "Scope":
        """What names stand for in this recipient's mail."""
        return _scope({**self.attributes, **order_values(self.attributes), "emailaddr": self.to})

    @property
    def wire_address(self) -> str:
        """The address as SMTP carries it: the domain in ASCII and lower case (RFC 5891), the rest as written."""
        local, _, domain = self.to.rpartition("@")
        return f"{local}@{domain.encode('idna').decode('ascii').lower()}"

    def body(self) -> dict[str, object]:
        """The entry of `recipients` in the body of POST /messages."""
        return {
            "contactKey": self.contact_key,
            "to": self.to,
            "messageKey": self.message_key,
            "attributes": self.attributes,
        }


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what one recipient must read: template text, or the value of the attribute `name`."""

    name: str | None
    text: str


@dataclass(frozen=True)
class Example:
    """What is sent, and to whom. `asset` and `definition` are complete request bodies; `layouts` has the expected
    texts by view, with names for values."""

    asset: Mapping[str, Any]
    definition: Mapping[str, Any]
    recipients: Sequence[Recipient]
    layouts: Mapping[str, str]

    @property
    def definition_key(self) -> str:
        return str(self.definition["definitionKey"])

    @property
    def attribute_names(self) -> list[str]:
        """The columns beyond the keys."""
        return list(self.recipients[0].attributes)

    def expected(self, view: str, recipient: Recipient) -> list[Piece]:
        """What the recipient must find in `subjectline`, `html` or `text`, cut at its values."""
        return list(self._pieces(view, self.layouts[view], [recipient.values]))

    def send_body(self) -> dict[str, object]:
        """The one request that sends everything."""
        return {
            "definitionKey": self.definition_key,
            "recipients": [recipient.body() for recipient in self.recipients],
        }

    def _pieces(self, view: str, layout: str, scopes: "Sequence[Scope]") -> Iterator[Piece]:
        """`scopes` are searched from the last to the first."""
        at = 0
        while (string := _STRING.search(layout, at)) is not None:
            if string.start() > at:
                yield Piece(None, layout[at : string.start()])
            at = string.end()
            name = string[2].lower()
            if name == "_preheader":
                yield from self._pieces("preheader", self.layouts["preheader"], scopes[:1])
                continue
            written, value = next((scope[name] for scope in reversed(scopes) if name in scope), ("", None))
            if value is None or isinstance(value, str) is bool(string[1]):
                raise ExampleUnusable(f"{view} has {string[0]}, and recipients.csv has no column of that name")
            if isinstance(value, str):
                yield Piece(written, value)
                continue
            end = f"%%/{string[2]}%%"
            inner, closing, _ = layout[at:].partition(end)
            if not closing:
                raise ExampleUnusable(f"{view} has {string[0]} and no {end} after it")
            for member in value:
                yield from self._pieces(view, inner, [*scopes, _scope(member)])
            at += len(inner) + len(end)
        if at < len(layout):
            yield Piece(None, layout[at:])


Scope: TypeAlias = "Mapping[str, tuple[str, str | Sequence[Values]]]"
"""Names in lower case: how each is written where it belongs, and its value."""


def _scope(values: Values) -> Scope:
    return {name.lower(): (name, value) for name, value in values.items()}


def example_folder() -> Path:
    """The example that comes with the project. Raises `ExampleUnusable` where only the package is installed."""
    inside = Path("examples", "order-shipped")
    for root in (Path.cwd(), Path(postroom.__file__).parents[2]):
        if (root / inside / "definition.json").is_file():
            return root / inside
    raise ExampleUnusable(f"there is no {inside} here; start in a clone of the project, or name it with --example")


def load_example(folder: Path, count: int | None = None) -> Example:
    """The example in the folder, with its first `count` recipients. Raises `ExampleUnusable`."""
    try:
        bodies = msgspec.json.decode((folder / "definition.json").read_bytes(), type=dict[str, dict[str, Any]])
        asset, definition = bodies["asset"], bodies["definition"]
        stem = asset["customerKey"]
        layouts: dict[str, str] = {}
        for view, suffix in (("html", "html"), ("text", "txt")):
            text = (folder / f"{stem}.{suffix}").read_text(encoding="utf-8")
            asset["views"][view] = {"content": text}
            expected = folder / f"{stem}.expected.{suffix}"
            layouts[view] = expected.read_text(encoding="utf-8") if expected.exists() else text
        for view in ("subjectline", "preheader"):
            layouts[view] = str(bodies.get("expected", {}).get(view, asset["views"].get(view, {}).get("content", "")))
        with (folder / "recipients.csv").open(encoding="utf-8", newline="") as file:
            recipients = [_recipient(row) for row in islice(csv.DictReader(file), count)]
    except OSError as refused:
        raise ExampleUnusable(f"{refused.filename}: {refused.strerror}") from None
    except KeyError as missing:
        raise ExampleUnusable(f"{folder}: {missing} is missing from definition.json or recipients.csv") from None
    except (ValueError, TypeError) as wrong:
        raise ExampleUnusable(f"{folder}: {wrong}") from None
    counted = Counter(recipient.wire_address for recipient in recipients)
    address, times = counted.most_common(1)[0] if counted else ("", 0)
    if times > 1:
        raise ExampleUnusable(
            f"{folder / 'recipients.csv'}: {address} is there {times} times; the check needs one each"
        )
    if not recipients:
        raise ExampleUnusable(f"{folder / 'recipients.csv'}: it holds no recipient")
    return Example(asset, definition, recipients, layouts)


def _recipient(row: dict[str, str]) -> Recipient:
    attributes = {name: value for name, value in row.items() if name not in KEYS}
    if None in attributes or None in attributes.values():
        raise ValueError(f"recipients.csv: the row of {row['to']} has not as many fields as the file has columns")
    return Recipient(row["contactKey"], row["to"], row["messageKey"], attributes)
