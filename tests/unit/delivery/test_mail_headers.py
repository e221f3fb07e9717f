"""What receivers are told of every mail of a definition."""

from dataclasses import replace
from uuid import UUID

from tests.unit.content.samples import make_content

from postroom.catalog.versions import Version
from postroom.delivery.mail_headers import NO_HEADERS, MailHeaders

VERSION = Version(
    account_id=7001,
    version_id=12,
    definition_id=UUID("01900000-0000-7000-8000-00000000abcd"),
    list_id=1,
    auto_add_subscriber=True,
    update_subscriber=True,
    track_links=True,
    content=make_content(),
)


def test_feedback_id_has_googles_four_parts() -> None:
    assert MailHeaders(feedback_sender="example-shop").lines(VERSION) == (
        "Feedback-ID: 0190000000007000800000000000abcd:7001:transactional:example-shop\r\n"
    )


def test_feedback_id_outlives_a_new_version() -> None:
    headers = MailHeaders(feedback_sender="example-shop", auto_submitted=True)
    assert headers.lines(VERSION) == headers.lines(replace(VERSION, version_id=13))


def test_auto_submitted() -> None:
    assert MailHeaders(auto_submitted=True).lines(VERSION) == "Auto-Submitted: auto-generated\r\n"
    assert NO_HEADERS.lines(VERSION) == ""
