"""Where a domain wants its reports, and what of a record is no wish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.tls_reporting.destination import MOST_DESTINATIONS, read_destinations


@pytest.mark.parametrize(
    ("texts", "targets"),
    [
        (["v=TLSRPTv1;rua=mailto:reports@example.com"], ["reports@example.com"]),
        (["v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt;"], ["https://reporting.example.com/v1/tlsrpt"]),
        (
            ["v=TLSRPTv1; rua=mailto:a%2Bb@example.com , https://r.example.com"],
            ["a+b@example.com", "https://r.example.com"],
        ),
        (["v=spf1 -all", "v=TLSRPTv1; x=y; rua=mailto:r@EXAMPLE.com?subject=x"], ["r@example.com"]),
        (["v=TLSRPTv1; rua=mailto:r@example.com,mailto:r@example.com"], ["r@example.com"]),
        (["v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv1; rua=mailto:b@example.com"], []),
        (["v=TLSRPTv2; rua=mailto:a@example.com"], []),
        (["v=TLSRPTv1; rua=http://example.com/"], []),
        (["v=TLSRPTv1; rua=https://user@example.com/"], []),
        (["v=TLSRPTv1; rua=https:///path"], []),
        (["v=TLSRPTv1; rua=https://example.com:99999/"], []),
        (["v=TLSRPTv1; rua=mailto:nobody"], []),
        (["v=TLSRPTv1; rua=mailto:a@example.com%0d%0aBcc:b@example.com"], []),
        (["v=TLSRPTv1;"], []),
        ([], []),
    ],
)
def test_where_reports_go(texts: list[str], targets: list[str]) -> None:
    assert [each.target for each in read_destinations(texts)] == targets


def test_a_domain_cannot_make_us_write_to_everybody() -> None:
    uris = ",".join(f"mailto:victim{number}@example.com" for number in range(1_000))
    assert len(read_destinations([f"v=TLSRPTv1; rua={uris}"])) == MOST_DESTINATIONS


def test_control_characters_for_the_terminal_are_left_out_of_what_is_listed() -> None:
    (found,) = read_destinations(["v=TLSRPTv1; rua=mailto:r@example.com?\x1b[31m,https://example.com/\x1b[31m"])
    assert found.uri == "mailto:r@example.com"


@given(st.lists(st.text().map(lambda text: f"v=TLSRPTv1;rua={text}") | st.text(), max_size=2))
def test_no_record_raises(texts: list[str]) -> None:
    read_destinations(texts)
