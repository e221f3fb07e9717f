"""Reading certificates that peers made up."""

from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.smtp.certificate import read_certificate


@given(st.binary(max_size=300))
def test_what_is_no_certificate_has_a_fingerprint_and_nothing_else(der: bytes) -> None:
    read = read_certificate(der, "none")
    assert len(read.sha256) == 64
    assert (read.subject, read.issuer, read.expires) == ("", "", "")
