import os

from hypothesis import given
from hypothesis import strategies as st

from postroom.intake.keys import fold_key, generate_keys


def lower_c(key: str) -> str:
    """`lower(key collate "C")` of PostgreSQL: the 26 letters of ASCII and nothing else."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in key)


@given(st.text())
def test_folding_is_what_the_index_does(key: str) -> None:
    assert fold_key(key) == lower_c(key)


@given(st.text(alphabet="AZazİıßẞKÄäΣς09"))
def test_folding_leaves_letters_beyond_ascii_as_they_are(key: str) -> None:
    assert fold_key(key) == lower_c(key)
    assert len(fold_key(key)) == len(key)


def test_generated_keys_look_like_the_vendors_and_differ() -> None:
    keys = generate_keys(2_000, os.urandom)
    assert len({fold_key(key) for key in keys}) == 2_000
    assert all(len(key) == 22 and key.isascii() and key.replace("-", "").replace("_", "").isalnum() for key in keys)


def test_a_key_comes_from_its_own_sixteen_bytes() -> None:
    assert generate_keys(2, lambda count: bytes(range(count))) == ["AAECAwQFBgcICQoLDA0ODw", "EBESExQVFhcYGRobHB0eHw"]
    assert generate_keys(0, os.urandom) == []
