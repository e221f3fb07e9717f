"""Certificates against TLSA records."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.scenarios.authority import DAY, Authority, Identity

from postroom.delivery.routing.dane import MOST_RECORDS, Tlsa, tlsa_judge, usable_records

HOST = "mx.one.test"
AUTHORITY = Authority()
OWN = AUTHORITY.issue(HOST, sends_authority=True)
STRANGER = Authority("Stranger")
DIGEST = bytes(32)


def record(identity: Identity, usage: int, selector: int, matching: int) -> Tlsa:
    """The record of a certificate."""
    usage_, selector_, matching_, data = identity.tlsa(usage, selector, matching).split()
    return Tlsa(int(usage_), int(selector_), int(matching_), bytes.fromhex(data))


def chain(identity: Identity) -> list[bytes]:
    """What its server sends."""
    return [each.public_bytes(Encoding.DER) for each in identity.sent]


def agrees(identity: Identity, *records: Tlsa, names: tuple[str, ...] = (HOST,)) -> bool:
    """Whether the records take what a server sends."""
    return tlsa_judge(usable_records(records), names, lambda: datetime.now(UTC))(chain(identity)) is None


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_each_form_of_record_takes_its_certificate_and_no_other(selector: int, matching: int) -> None:
    other = AUTHORITY.issue(HOST, sends_authority=True)
    assert agrees(OWN, record(OWN, 3, selector, matching))
    assert not agrees(other, record(OWN, 3, selector, matching))
    assert agrees(OWN, record(AUTHORITY.identity, 2, selector, matching))
    assert not agrees(STRANGER.issue(HOST, sends_authority=True), record(AUTHORITY.identity, 2, selector, matching))


def test_the_name_and_the_dates_of_a_hosts_own_certificate_do_not_matter() -> None:
    old = STRANGER.issue("other.test", valid=(-DAY, -timedelta(hours=1)))
    assert agrees(old, record(old, 3, 1, 1))


def test_under_an_authority_they_do() -> None:
    anchor = record(AUTHORITY.identity, 2, 1, 1)
    assert not agrees(AUTHORITY.issue("other.test", sends_authority=True), anchor)
    assert not agrees(AUTHORITY.issue(sends_authority=True), anchor), "a name in the subject is none"
    expired = AUTHORITY.issue(HOST, valid=(-DAY, -timedelta(hours=1)), sends_authority=True)
    assert not agrees(expired, anchor)
    assert agrees(AUTHORITY.issue("alias.test", sends_authority=True), anchor, names=(HOST, "alias.test"))


def test_an_authority_has_to_be_sent_unless_the_dns_has_all_of_it() -> None:
    alone = AUTHORITY.issue(HOST)
    assert not agrees(alone, record(AUTHORITY.identity, 2, 0, 1))
    assert agrees(alone, record(AUTHORITY.identity, 2, 0, 0))


def test_attack_a_certificate_that_only_claims_the_authority_as_its_issuer() -> None:
    forged = Authority("Test Authority").issue(HOST)
    sent = Identity(forged.key, forged.certificate, (AUTHORITY.identity.certificate,))
    assert not agrees(sent, record(AUTHORITY.identity, 2, 1, 1))


def test_attack_a_host_certificate_cannot_be_an_authority() -> None:
    key = OWN.key
    below = Authority()
    below.identity = Identity(key, OWN.certificate)
    evil = below.issue(HOST)
    sent = Identity(evil.key, evil.certificate, OWN.sent)
    assert not agrees(sent, record(AUTHORITY.identity, 2, 1, 1))


def test_one_record_of_several_is_enough() -> None:
    assert agrees(OWN, record(STRANGER.identity, 2, 1, 1), record(STRANGER.identity, 3, 1, 1), record(OWN, 3, 1, 1))


@pytest.mark.parametrize(
    "unusable",
    [
        Tlsa(0, 1, 1, DIGEST),
        Tlsa(1, 1, 1, DIGEST),
        Tlsa(255, 1, 1, DIGEST),
        Tlsa(3, 2, 1, DIGEST),
        Tlsa(3, 1, 3, DIGEST),
        Tlsa(3, 1, 1, DIGEST[:-1]),
        Tlsa(3, 1, 2, DIGEST),
        Tlsa(3, 1, 0, b""),
        Tlsa(2, 0, 0, b"x" * 9000),
    ],
)
def test_records_that_say_nothing_for_mail_are_left_out(unusable: Tlsa) -> None:
    assert usable_records([unusable]) == ()
    assert usable_records([unusable, record(OWN, 3, 1, 1)]) == (record(OWN, 3, 1, 1),)


def test_of_two_digests_of_one_kind_the_stronger_counts() -> None:
    weak, strong = record(STRANGER.identity, 3, 1, 1), record(OWN, 3, 1, 2)
    assert usable_records([weak, strong]) == (strong,)
    assert usable_records([weak, record(OWN, 2, 1, 2)]) == (weak, record(OWN, 2, 1, 2))


def test_attack_huge_sets_of_records_are_bounded() -> None:
    many = [Tlsa(3, 1, 1, hashlib.sha256(bytes([number])).digest()) for number in range(100)]
    assert len(usable_records(many)) == MOST_RECORDS
    assert usable_records(many) == usable_records(reversed(many)), "one order, whatever the DNS gives"


@given(st.lists(st.binary(max_size=200), max_size=3), st.binary(min_size=1, max_size=50))
def test_attack_any_bytes_in_place_of_certificates_and_authorities(sent: list[bytes], data: bytes) -> None:
    records = usable_records([Tlsa(2, 0, 0, data), Tlsa(3, 1, 1, DIGEST)])
    judge = tlsa_judge(records, (HOST,), lambda: datetime.now(UTC))
    assert judge(sent) is not None
    assert judge([OWN.der, *sent]) is not None
