"""Hashes and encodings, by charset."""

from hashlib import sha512

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import LimitFault, ValueFault
from postroom.content.ampscript.run import Limits


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("MD5", ("",), "d41d8cd98f00b204e9800998ecf8427e"),
        ("MD5", (2026,), "c92a10324374fac681719d63979d00fe"),
        ("SHA1", ("abc", "utf-16"), "9f04f41a848514162050e3d68c1a7abb441dc2b5"),
        ("SHA256", ("abc",), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("SHA512", ("x", "UTF-16"), sha512(b"x\0").hexdigest()),
        ("Base64Encode", ("café€", "ASCII"), "Y2FmPz8="),
        ("Base64Encode", ("é", "ISO-8859-1"), "6Q=="),
        ("Base64Encode", ("a", "UTF-32"), "YQAAAA=="),
        ("Base64Encode", ("\ud83d",), "Pw=="),
        ("Base64Decode", ("TWE=",), "Ma"),
        ("Base64Decode", ("",), ""),
        ("Base64Decode", ("YQBiAA==", "UTF-16"), "ab"),
        ("Base64Decode", ("/w==",), "\ufffd"),
        ("Base64Decode", ("bad", "", 0), ""),
        ("StringToHex", ("café€", "UTF-16BE"), "00630061006600e920ac"),
        ("StringToHex", (None,), ""),
    ],
)
def test_result(name: str, arguments: tuple[object, ...], text: str) -> None:
    assert call(name, *arguments) == text


@pytest.mark.parametrize("text", ["SGVsbG8", "SGVsbG8=====", "SGVs bG8=", "SGVs\nbG8=", "SGVs-G8_", "=", "☃", "A==="])
def test_what_is_not_base64_is_an_error(text: str) -> None:
    with pytest.raises(ValueFault, match="not Base64"):
        call("Base64Decode", text)


@pytest.mark.parametrize("name", ["MD5", "SHA1", "SHA256", "SHA512", "Base64Encode", "Base64Decode", "StringToHex"])
def test_an_unknown_charset_is_an_error(name: str) -> None:
    for charset in ("banana", "rot13", "idna", "zlib"):
        with pytest.raises(ValueFault, match="charset"):
            call(name, "TWE=", charset)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.sampled_from(["UTF-8", "UTF-16", "UTF-32"]))
def test_base64_comes_back(text: str, charset: str) -> None:
    assert call("Base64Decode", call("Base64Encode", text, charset), charset) == text


def test_amplification_a_long_text_is_refused() -> None:
    with pytest.raises(LimitFault):
        call("StringToHex", "x" * 100, run=make_run(limits=Limits(text=99)))
