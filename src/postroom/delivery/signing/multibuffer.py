"""RSA signatures eight at a time, by Intel's crypto_mb (the package ipp-crypto), where the processor has the
instructions for it (AVX-512 IFMA): about twice as many as one after
the other.

Each of the eight may be with another key of the same length. What comes out is raised to the public exponent and
compared before it is given away: a signature that a fault made wrong would tell the private key (Boneh, DeMillo and
Lipton, 1997).
"""

import ctypes
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers

from postroom.delivery.signing.shared_object import NotASharedObject, without_needs

AT_A_TIME = 8

LEAST = 5
"""Fewer take as long as eight, which take as long as four to five one after the other."""

_PACKAGE, _LIBRARY = "ipp-crypto", "libcrypto_mb.so"
# The run time of Intel's compiler, of which crypto_mb takes nothing, and which may not be used to serve others.
_UNNEEDED = (b"libsvml.so", b"libirng.so", b"libimf.so", b"libintlc.so")

_EXPONENT = 65537
# With longer keys there is nothing to gain.
_BITS = (1024, 2048)
# EMSA-PKCS1-v1_5 (RFC 8017 §9.2): what stands before a SHA-256.
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_DIGEST = 32

_Pointers = ctypes.c_void_p * AT_A_TIME


class MultibufferUnusable(Exception):
    """Signatures are not made eight at a time here, and why."""


def installed() -> Path | None:
    """The library where its package is installed; that it can be used here is not said."""
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).resolve() for file in files if file.name == _LIBRARY), None)


class MultibufferKey:
    """A key in the form that the library takes."""

    def __init__(self, numbers: RSAPrivateNumbers) -> None:
        """Raises MultibufferUnusable for a key of another kind than it takes."""
        modulus = numbers.public_numbers.n
        self.bits = modulus.bit_length()
        if self.bits not in _BITS or numbers.public_numbers.e != _EXPONENT:
            raise MultibufferUnusable(f"a key of {self.bits} bits with exponent {numbers.public_numbers.e}")
        half = self.bits // 2
        if numbers.p.bit_length() != half or numbers.q.bit_length() != half:
            raise MultibufferUnusable("a key whose primes differ in length")
        parts = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
        self._buffers = [_words(part, half) for part in parts]
        self._modulus = _words(modulus, self.bits)
        self.private = [ctypes.addressof(buffer) for buffer in self._buffers]
        self.public = ctypes.addressof(self._modulus)


class Multibuffer:
    """Signs up to eight at a time; one thread only."""

    def __init__(self, path: Path) -> None:
        """``path`` is the library's. Raises MultibufferUnusable."""
        self._library = library = _loaded(path)
        try:
            if not library.mbx_is_crypto_mb_applicable(ctypes.c_uint64(0)):
                raise MultibufferUnusable("the processor has no AVX-512 IFMA")
            self._sizes = {bits: _Size(library, bits) for bits in _BITS}
        except AttributeError as missing:
            raise MultibufferUnusable(f"{path} is another library than was expected: {missing}") from missing

    def sign(self, wanted: Sequence[tuple[MultibufferKey, bytes]]) -> list[bytes]:
        """The signature over what has each of these SHA-256 digests (RFC 8017 §8.2.1), an empty one where it did not
        come out right. At most ``AT_A_TIME``, at least one, all keys of one length."""
        return self._sizes[wanted[0][0].bits].sign(wanted)


class _Size:
    """What signs with keys of one length."""

    def __init__(self, library: Any, bits: int) -> None:
        self._bits = bits
        self._bytes = size = bits // 8
        self._padding = b"\x00\x01" + b"\xff" * (size - 3 - len(_SHA256) - _DIGEST) + b"\x00" + _SHA256
        self._private, self._private_method, self._private_room = _function(
            library, "mbx_rsa_private_crt_mb8", f"mbx_RSA{bits // 1024}K_private_crt_Method", 5
        )
        self._public, self._public_method, self._public_room = _function(
            library, "mbx_rsa_public_mb8", f"mbx_RSA{bits // 1024}K_pub65537_Method", 1
        )
        self._padded = ctypes.create_string_buffer(AT_A_TIME * size)
        self._signed = ctypes.create_string_buffer(AT_A_TIME * size)
        self._opened = ctypes.create_string_buffer(AT_A_TIME * size)
        self._keys: list[MultibufferKey] = []
        self._numbers = [_Pointers() for _ in range(5)]
        self._moduli = _Pointers()
        self._rows = [
            [_rows(buffer, size, count) for buffer in (self._padded, self._signed, self._opened)]
            for count in range(AT_A_TIME + 1)
        ]

    def sign(self, wanted: Sequence[tuple[MultibufferKey, bytes]]) -> list[bytes]:
        size = self._bytes
        keys = [key for key, _ in wanted]
        if keys != self._keys:
            self._use(keys)
        padded = b"".join([self._padding + digest for _, digest in wanted])
        ctypes.memmove(self._padded, padded, len(padded))
        # A fault that writes nothing must not leave an older answer to be found.
        ctypes.memset(self._opened, 0, len(self._opened))
        rows = self._rows[len(wanted)]
        self._private(rows[0], rows[1], *self._numbers, self._bits, self._private_method, self._private_room)
        self._public(rows[1], rows[2], self._moduli, self._bits, self._public_method, self._public_room)
        signed, opened = self._signed.raw, self._opened.raw
        return [
            signed[at : at + size] if opened[at : at + size] == padded[at : at + size] else b""
            for at in range(0, len(padded), size)
        ]

    def _use(self, keys: list[MultibufferKey]) -> None:
        self._keys = keys
        for place in range(AT_A_TIME):
            key = keys[place] if place < len(keys) else None
            for pointers, number in zip(self._numbers, key.private if key else [None] * 5, strict=True):
                pointers[place] = number
            self._moduli[place] = key.public if key else None


def _loaded(path: Path) -> Any:
    if not hasattr(os, "memfd_create"):
        raise MultibufferUnusable(f"it is for Linux, this is {sys.platform}")
    try:
        data = without_needs(path.read_bytes(), _UNNEEDED)
        descriptor = os.memfd_create(_LIBRARY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            return ctypes.CDLL(f"/proc/self/fd/{descriptor}", mode=os.RTLD_NOW)
    except (OSError, NotASharedObject) as wrong:
        raise MultibufferUnusable(f"{path} does not load: {wrong}") from wrong


def _function(library: Any, name: str, method_name: str, numbers: int) -> tuple[Any, ctypes.c_void_p, Any]:
    """The function, its method, and room for it to work in."""
    method_of = library[method_name]
    method_of.restype = ctypes.c_void_p
    method = ctypes.c_void_p(method_of())
    room = ctypes.create_string_buffer(library.mbx_RSA_Method_BufSize(method))
    function = library[name]
    function.argtypes = [_Pointers] * (2 + numbers) + [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = ctypes.c_uint32
    return function, method, room


def _words(number: int, bits: int) -> "ctypes.Array[ctypes.c_char]":
    return ctypes.create_string_buffer(number.to_bytes(bits // 8, "little"), bits // 8)


def _rows(buffer: "ctypes.Array[ctypes.c_char]", size: int, count: int) -> Any:
    begin = ctypes.addressof(buffer)
    return _Pointers(*[begin + place * size for place in range(count)])
