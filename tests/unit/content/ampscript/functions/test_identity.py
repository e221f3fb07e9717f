"""Identifiers and addresses."""

import re

import pytest
from tests.unit.content.ampscript.functions.calls import call, make_run


def test_guids_are_random_version_4_and_new_each_time() -> None:
    run = make_run()
    one, other = str(call("GUID", run=run)), str(call("GUID", run=run))
    for guid in (one, other):
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", guid)
    assert one != other


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("tomas.q+news@example.com", True),
        ("o'neill@mail.example.co.uk", True),
        ("jörg@exämple.de", True),
        ("a@b-c.example", True),
        ("tomas.q@example", False),
        (" tomas.q@example.com", False),
        ("tomas.q@example.com ", False),
        ("a@b@example.com", False),
        ("a b@example.com", False),
        (".a@example.com", False),
        ("a..b@example.com", False),
        ("a@example..com", False),
        ("a@-example.com", False),
        ("a@example.c0m.1", False),
        ("@example.com", False),
        ("a\n@example.com", False),
        ("a@example.com\n", False),
        ("", False),
        ("a" * 5_000_000, False),
        (f"{'a.' * 150}a@example.com", True),
    ],
)
def test_is_email_address(text: str, valid: bool) -> None:
    assert call("IsEmailAddress", text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("4255550142", True),
        (4255550142, True),
        ("425-555-0142", True),
        ("(425) 555.0142", True),
        ("+14255550142", False),
        ("14255550142", False),
        ("425-555-CALL", False),
        ("1255550142", False),
        ("4251550142", False),
        ("５255550142", False),
        ("5550142", False),
        ("", False),
    ],
)
def test_is_phone_number(text: object, valid: bool) -> None:
    assert call("IsPhoneNumber", text) is valid


@pytest.mark.parametrize(
    ("email", "domain"), [("Tomas.Q@Example.COM", "Example.COM"), ("a@b@c", "b@c"), ("nobody", ""), ("", "")]
)
def test_domain(email: str, domain: str) -> None:
    assert call("Domain", email) == domain


@pytest.mark.parametrize(
    ("short", "long"),
    [("001A0000006Vm9r", "001A0000006Vm9rIAC"), ("ABC", "ABC"), ("001A0000006Vm9rIAC", "001A0000006Vm9rIAC"), ("", "")],
)
def test_long_sfid(short: str, long: str) -> None:
    assert call("LongSFID", short) == long
