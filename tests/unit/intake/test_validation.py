from collections.abc import Sequence

import msgspec
import pytest

from postroom.intake.request import RecipientError, RequestMalformed, SendRequest
from postroom.intake.validation import Candidates, attributes_text, examine

E = RecipientError


class Person(msgspec.Struct, frozen=True):
    contact_key: str | None = "c"
    to: str | None = "c@example.com"
    message_key: str | None = None
    attributes: msgspec.Raw = msgspec.Raw()


def check(*recipients: Person, message_key: str | None = None, attributes: bytes = b"") -> Candidates:
    request = SendRequest(1, "d", recipients, msgspec.Raw(attributes), message_key)
    return examine(request, lambda count: bytes(index % 251 for index in range(count)))


@pytest.mark.parametrize(
    ("person", "error"),
    [
        (Person(contact_key=None), E.MISSING_SUBSCRIBER_KEY),
        (Person(contact_key=""), E.MISSING_SUBSCRIBER_KEY),
        (Person(contact_key="c" * 255), E.INVALID_SUBSCRIBER_KEY),
        (Person(contact_key="c\0"), E.INVALID_SUBSCRIBER_KEY),
        (Person(to=None), E.MISSING_TO),
        (Person(to=""), E.MISSING_TO),
        (Person(to="nobody"), E.INVALID_TO),
        (Person(to="a@example.com\r\nBcc: b@example.com"), E.INVALID_TO),
        (Person(to="a\0@example.com"), E.INVALID_TO),
        (Person(message_key=""), E.INVALID_MESSAGE_KEY),
        (Person(message_key="k" * 101), E.INVALID_MESSAGE_KEY),
        (Person(message_key="k\0"), E.INVALID_MESSAGE_KEY),
        # The first thing that is wrong is what the answer names.
        (Person(contact_key=None, to=None, message_key=""), E.MISSING_SUBSCRIBER_KEY),
        (Person(to=None, message_key=""), E.MISSING_TO),
    ],
)
def test_what_is_wrong_with_a_recipient_stands_in_its_place(person: Person, error: RecipientError) -> None:
    found = check(Person(), person, Person())
    assert found.errors == {1: error}
    assert found.positions == [0, 2]
    assert len(found.keys) == 3


@pytest.mark.parametrize(
    "person",
    [
        Person(contact_key="c" * 254),
        Person(contact_key="ключ 🔑 with blanks"),
        Person(message_key="k" * 100),
        Person(message_key="🔑" * 100),
        Person(message_key="any / characters ? % \r\n"),
        Person(to="first.last+tag@sub.example.com"),
    ],
)
def test_unusual_but_good_recipients_pass(person: Person) -> None:
    assert check(person).errors == {}


def test_a_key_used_twice_in_one_request_goes_to_the_first() -> None:
    found = check(Person(message_key="K"), Person(message_key="k"), Person(message_key="other"))
    assert found.errors == {1: E.DUPLICATE_MESSAGE_KEY}
    assert found.keys == ["K", "k", "other"]
    assert found.supplied == {"k": 0, "other": 2}


def test_a_recipient_that_fails_does_not_use_up_its_key() -> None:
    found = check(Person(to=None, message_key="k"), Person(message_key="k"))
    assert found.errors == {0: E.MISSING_TO}
    assert found.supplied == {"k": 1}


def test_recipients_without_a_key_get_one_also_when_they_fail() -> None:
    found = check(Person(), Person(message_key="mine"), Person(to=None))
    assert found.keys[1] == "mine"
    assert len({*found.keys}) == 3
    assert found.message_keys == found.keys[:2]
    # Nobody has used a random key before: it need not be looked up.
    assert found.supplied == {"mine": 1}


def test_the_key_in_the_path_is_the_recipients() -> None:
    found = check(Person(message_key="ignored"), message_key="path")
    assert found.keys == ["path"]
    assert found.supplied == {"path": 0}


def test_columns_are_in_step() -> None:
    people = [Person(f"c{n}", f"{n}@example.com", f"m{n}", msgspec.Raw(b'{"n":%d}' % n)) for n in range(4)]
    people[2] = Person(to=None)
    found = check(*people)
    columns: Sequence[tuple[object, ...]] = list(
        zip(found.positions, found.message_keys, found.contact_keys, found.addresses, found.attributes, strict=True)
    )
    assert columns == [(n, f"m{n}", f"c{n}", f"{n}@example.com", f'{{"n":{n}}}') for n in (0, 1, 3)]


@pytest.mark.parametrize("raw", [b"", b"null", b"{}"])
def test_attributes_with_nothing_in_them_are_not_stored(raw: bytes) -> None:
    assert attributes_text(msgspec.Raw(raw), "attributes") is None


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"7", b"true"])
def test_attributes_that_are_no_object_are_named_with_their_place(raw: bytes) -> None:
    with pytest.raises(RequestMalformed) as caught:
        check(Person(), Person(attributes=msgspec.Raw(raw)))
    assert caught.value.field == "recipients[1].attributes"
    with pytest.raises(RequestMalformed) as caught:
        check(Person(), attributes=raw)
    assert caught.value.field == "attributes"


def test_attributes_must_be_utf_8() -> None:
    with pytest.raises(RequestMalformed, match="UTF-8"):
        check(Person(attributes=msgspec.Raw(b'{"a":"\xff"}')))


def test_attributes_are_stored_as_they_were_sent() -> None:
    raw = '{ "Name" : "Ä", "n": 1.50 }'
    assert check(Person(attributes=msgspec.Raw(raw.encode()))).attributes == [raw]
