"""Messages that cannot be built are values with the vendor's code; copies and senders are checked per message."""

import pytest
from tests.unit.content.samples import compose, make_content, make_context, parsed, refused

from postroom.content.compiler import compile_content


@pytest.mark.parametrize("subject", ["", "  ", "%%Empty%%", " %%Empty%%\r\n\t"])
def test_an_empty_subject_is_127(subject: str) -> None:
    assert refused(make_content(subject), make_context({"Empty": None})).status_code == 127


@pytest.mark.parametrize("address", ["", "nobody", "a@b", "a@example.com, b@example.com"])
def test_a_bad_recipient_is_110(address: str) -> None:
    outcome = refused(make_content(), make_context(address=address))
    assert outcome.status_code == 110
    assert ascii(address) in outcome.reason


@pytest.mark.parametrize(
    ("entries", "values", "copies"),
    [
        (("c@example.com",), {}, ["c@example.com"]),
        (("%%Boss%%",), {"boss": "b@example.com"}, ["b@example.com"]),
        (("%%Boss%%",), {"boss": "b@example.com; c@example.com ;"}, ["b@example.com", "c@example.com"]),
        (("%%Boss%%", "d@example.com"), {"boss": ""}, ["d@example.com"]),
        (("%%Boss%%",), {"boss": None}, []),
        (("%%Boss%%",), {"boss": "anna@example.org"}, []),
        (("team-%%Boss%%@example.com",), {"boss": 7}, ["team-7@example.com"]),
    ],
)
def test_copies(entries: tuple[str, ...], values: dict[str, object], copies: list[str]) -> None:
    cc = compose(make_content(cc=entries), make_context(values))
    assert list(cc.recipients) == ["anna@example.org", *copies]
    bcc = compose(make_content(bcc=entries), make_context(values))
    assert list(bcc.recipients) == ["anna@example.org", *copies]
    assert not {"Cc", "Bcc"} & set(parsed(bcc).keys())
    if copies:
        assert [one.addr_spec for one in parsed(cc)["Cc"].addresses] == copies
        assert copies[0].encode() not in bcc.data


@pytest.mark.parametrize(
    "value", ["nobody", "a@example.com;x", "a@example.com,b@example.com", "a@example.com\r\nBcc: x"]
)
def test_a_bad_copy_is_132_or_133(value: str) -> None:
    context = make_context({"Boss": value})
    assert refused(make_content(cc=("%%Boss%%",)), context).status_code == 132
    assert refused(make_content(bcc=("%%Boss%%",)), context).status_code == 133
    assert refused(make_content(cc=("nobody",)), context).status_code == 132


def test_a_copy_nobody_has_a_value_for_fails_whatever_the_policy() -> None:
    content = make_content(html="%%Boss%%", cc=("%%Boss%%",))
    assert refused(content, make_context(), "empty").status_code == 132
    assert refused(make_content(bcc=("%%Boss%%",)), make_context(), "keep").status_code == 133


def test_many_copies_fold() -> None:
    mail = compose(make_content(cc=tuple(f"person.number.{n}@example.com" for n in range(40))), make_context())
    assert len(parsed(mail)["Cc"].addresses) == 40
    assert all(len(line) <= 76 for line in mail.data.split(b"\r\n"))


def test_no_or_a_bad_sender_is_103() -> None:
    assert refused(make_content(from_address=""), make_context()).reason == "from address: no address is set"
    assert refused(make_content(from_address="shop"), make_context()).status_code == 103
    assert refused(make_content(reply_to="shop"), make_context()).reason.startswith("reply-to: 'shop'")


def test_an_unusable_message_id_is_103() -> None:
    plan = compile_content(make_content())
    for message_id in ("", "no-at-sign", "a b@c", "a@b>", "a@b\r\nX: y", "é@b", "a@" + "b" * 1000):
        outcome = plan.compose(make_context(message_id=message_id))
        assert getattr(outcome, "status_code", None) == 103
