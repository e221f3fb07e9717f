"""What is sealed opens at its own place only."""

import pytest

from postroom.tenancy.sealing import Seal, SealBroken
from postroom.tenancy.sender_domains import place_of

SEAL = Seal(b"k" * 32)
PLACE = place_of(1, "example.com", "s1")


def test_it_opens_where_it_was_closed() -> None:
    assert SEAL.open(SEAL.close(b"secret", PLACE), PLACE) == b"secret"


def test_the_same_text_is_never_sealed_alike() -> None:
    assert SEAL.close(b"secret", PLACE) != SEAL.close(b"secret", PLACE)


@pytest.mark.parametrize("place", [place_of(2, "example.com", "s1"), place_of(1, "example.net", "s1"), "", PLACE + " "])
def test_attack_a_key_is_copied_to_another_business_unit_or_domain(place: str) -> None:
    with pytest.raises(SealBroken):
        SEAL.open(SEAL.close(b"secret", PLACE), place)


def test_attack_what_is_stored_is_changed() -> None:
    sealed = SEAL.close(b"secret", PLACE)
    for at in range(len(sealed)):
        with pytest.raises(SealBroken):
            SEAL.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], PLACE)
    with pytest.raises(SealBroken):
        SEAL.open(b"", PLACE)
    with pytest.raises(SealBroken):
        Seal(b"x" * 32).open(sealed, PLACE)
