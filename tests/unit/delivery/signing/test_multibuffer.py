"""Signatures eight at a time are those of one at a time, and a wrong one is not given away."""

import functools
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.unit.delivery.dkim.keys import ed25519_key, rsa_der, rsa_key

from postroom.delivery.dkim.key import SigningKey
from postroom.delivery.signing.frames import DIGESTS, KEY, digests_frame, how_of, key_frame, signatures_of
from postroom.delivery.signing.multibuffer import (
    AT_A_TIME,
    LEAST,
    Multibuffer,
    MultibufferKey,
    MultibufferUnusable,
    installed,
)
from postroom.delivery.signing.process import Hand, hand

HEAD = 5


@pytest.fixture(scope="module")
def multibuffer() -> Multibuffer:
    library = installed()
    if library is None:
        pytest.skip("the package ipp-crypto is for Linux on x86-64")
    try:
        return Multibuffer(library)
    except MultibufferUnusable as why:
        pytest.skip(str(why))


def digest(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(4, "big")).digest()


def keys(*bits: int) -> list[SigningKey]:
    return [SigningKey("s", rsa_der(each)) for each in bits]


def together(key: SigningKey) -> MultibufferKey:
    assert key.rsa_numbers is not None
    return MultibufferKey(key.rsa_numbers)


def test_the_processor_is_found_as_the_kernel_says() -> None:
    library = installed()
    if library is None:
        pytest.skip("the package ipp-crypto is for Linux on x86-64")
    flags = Path("/proc/cpuinfo").read_text().split()
    _, how = hand(library)
    together, words = how_of(how[HEAD:])
    if "avx512ifma" in flags or "avx_ifma" in flags:
        assert (together, words) == (AT_A_TIME, "eight at a time")
    else:
        assert (together, words[:15]) == (1, "one at a time: ")


@pytest.mark.parametrize("bits", [1024, 2048])
@pytest.mark.parametrize("count", range(1, AT_A_TIME + 1))
def test_the_bytes_are_those_of_one_at_a_time(multibuffer: Multibuffer, bits: int, count: int) -> None:
    several = [rsa_key() if bits == 2048 else SigningKey("s", rsa_der(bits)), *_others(bits)]
    wanted = [(several[number % 3], digest(number)) for number in range(count)]
    signed = multibuffer.sign([(together(key), hashed) for key, hashed in wanted])
    assert signed == [key.sign(hashed) for key, hashed in wanted]


@functools.cache
def _others(bits: int) -> list[SigningKey]:
    return [SigningKey("s", _der(generate_private_key(65537, bits).private_numbers())) for _ in range(2)]


def _der(numbers: RSAPrivateNumbers) -> bytes:
    return numbers.private_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_primes_in_the_other_order(multibuffer: Multibuffer) -> None:
    (key,) = keys(2048)
    numbers = key.rsa_numbers
    assert numbers is not None
    turned = RSAPrivateNumbers(
        p=numbers.q,
        q=numbers.p,
        d=numbers.d,
        dmp1=numbers.dmq1,
        dmq1=numbers.dmp1,
        iqmp=pow(numbers.p, -1, numbers.q),
        public_numbers=numbers.public_numbers,
    )
    assert multibuffer.sign([(MultibufferKey(turned), digest(1))]) == [key.sign(digest(1))]


def broken(numbers: RSAPrivateNumbers) -> RSAPrivateNumbers:
    """A key of which one half is wrong, as a fault of the memory would make it."""
    return RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d,
        dmp1=numbers.dmp1 ^ 2,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    )


def test_a_fault_attack_gets_no_wrong_signature(multibuffer: Multibuffer) -> None:
    """Of a signature that is wrong modulo one prime only, anyone could compute the other prime."""
    (key,) = keys(2048)
    assert key.rsa_numbers is not None
    faulty = MultibufferKey(broken(key.rsa_numbers))
    wanted = [(faulty if number in (2, 5) else together(key), digest(number)) for number in range(8)]
    signed = multibuffer.sign(wanted)
    assert [number for number, signature in enumerate(signed) if not signature] == [2, 5]
    assert all(signature in (b"", key.sign(digest(number))) for number, signature in enumerate(signed))
    # A fault that goes away leaves nothing behind.
    assert multibuffer.sign([(together(key), digest(2))]) == [key.sign(digest(2))]


@pytest.mark.parametrize("bits", [1032, 3072])
def test_a_key_of_another_length_is_refused(bits: int) -> None:
    numbers = generate_private_key(65537, bits).private_numbers()
    with pytest.raises(MultibufferUnusable, match=f"{bits} bits"):
        MultibufferKey(numbers)


def test_a_key_with_another_exponent_is_refused() -> None:
    numbers = generate_private_key(3, 2048).private_numbers()
    with pytest.raises(MultibufferUnusable, match="exponent 3"):
        MultibufferKey(numbers)


def test_a_key_with_primes_of_different_lengths_is_refused() -> None:
    (key,) = keys(2048)
    whole = key.rsa_numbers
    assert whole is not None
    numbers = RSAPrivateNumbers(
        p=whole.p >> 8,
        q=whole.q,
        d=whole.d,
        dmp1=whole.dmp1,
        dmq1=whole.dmq1,
        iqmp=whole.iqmp,
        public_numbers=RSAPublicNumbers(65537, whole.public_numbers.n),
    )
    with pytest.raises(MultibufferUnusable, match="differ in length"):
        MultibufferKey(numbers)


@pytest.mark.parametrize("content", [b"", b"no library", b"\x7fELF\x02\x01"])
def test_what_does_not_load_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "libcrypto_mb.so"
    path.write_bytes(content)
    with pytest.raises(MultibufferUnusable, match="does not load"):
        Multibuffer(path)
    together, words = how_of(hand(path)[1][HEAD:])
    assert (together, words[:15]) == (1, "one at a time: ")


def test_a_library_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(MultibufferUnusable, match="does not load"):
        Multibuffer(tmp_path / "gone.so")


class Counting(Multibuffer):
    """How many were asked for together; what it gives is nobody's signature, or none."""

    def __init__(self, fails: bool = False) -> None:
        self.asked: list[int] = []
        self._fails = fails

    def sign(self, wanted: object) -> list[bytes]:
        assert isinstance(wanted, list)
        assert len({key.bits for key, _ in wanted}) == 1
        self.asked.append(len(wanted))
        return [b"" if self._fails else b"together " + hashed for _, hashed in wanted]


def answered(signing: Hand, places: list[int]) -> list[bytes]:
    several = [rsa_key(), SigningKey("s", rsa_der(1024)), ed25519_key(), SigningKey("s", rsa_der(3072))]
    for place, key in enumerate(several):
        assert signing.answer(KEY, key_frame(place, key.private)[HEAD:]) is None
    frame = digests_frame([(place, digest(number)) for number, place in enumerate(places)])
    answer = signing.answer(DIGESTS, frame[HEAD:])
    assert answer is not None
    found = signatures_of(answer[HEAD:])
    for number, (place, signature) in enumerate(zip(places, found, strict=True)):
        assert signature in (several[place].sign(digest(number)), b"together " + digest(number))
    return found


def test_few_are_made_one_at_a_time() -> None:
    counting = Counting()
    answered(Hand(counting), [0] * (LEAST - 1))
    answered(Hand(counting), [0] * (LEAST - 1) + [1] * (LEAST - 1) + [2, 3])
    assert counting.asked == []


def test_keys_of_one_length_are_used_together_in_any_order() -> None:
    counting = Counting()
    places = [0, 2, 1, 0, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 1, 0]
    found = answered(Hand(counting), places)
    assert counting.asked == [8, 5]
    assert sum(signature.startswith(b"together") for signature in found) == 13


def test_what_did_not_come_out_right_is_made_by_itself() -> None:
    counting = Counting(fails=True)
    found = answered(Hand(counting), [0] * 8)
    assert counting.asked == [8]
    assert found == [rsa_key().sign(digest(number)) for number in range(8)]


def test_a_place_that_means_another_key_is_not_signed_with_the_old_one() -> None:
    counting = Counting()
    signing = Hand(counting)
    signing.answer(KEY, key_frame(0, rsa_key().private)[HEAD:])
    signing.answer(KEY, key_frame(0, ed25519_key().private)[HEAD:])
    answer = signing.answer(DIGESTS, digests_frame([(0, digest(number)) for number in range(8)])[HEAD:])
    assert answer is not None
    assert signatures_of(answer[HEAD:]) == [ed25519_key().sign(digest(number)) for number in range(8)]
    assert counting.asked == []
