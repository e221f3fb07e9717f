"""Which validator an address fails first."""

import pytest

from postroom.audience.address_check import VALIDATORS, Validator, failed_validator


async def check(address: str, *validators: Validator) -> Validator | None:
    async def takes_mail(domain: str) -> bool:
        return domain != "nowhere.example"

    async def suppressed(asked: str) -> bool:
        return asked == "gone@example.org"

    return await failed_validator(address, validators, takes_mail=takes_mail, suppressed=suppressed)


@pytest.mark.parametrize("address", ["ann@example.org", "Zoë@bücher.example", '"a b"@example.org', "rooty@example.org"])
async def test_good_addresses_pass_everything(address: str) -> None:
    assert await check(address, *VALIDATORS.values()) is None


@pytest.mark.parametrize(
    ("address", "failed"),
    [
        ("this@is@not@a@valid@email@address", "SyntaxValidator"),
        ("", "SyntaxValidator"),
        ("ann@nowhere.example", "MXValidator"),
        ("ann@NOWHERE.example", "MXValidator"),
        ("no-reply+x@example.org", "ListDetectiveValidator"),
        ("Mailer-Daemon@example.org", "ListDetectiveValidator"),
        ("gone@example.org", "GlobalUnsubValidator"),
    ],
)
async def test_the_first_that_is_not_passed_is_told(address: str, failed: Validator) -> None:
    assert await check(address, *VALIDATORS.values()) == failed
    assert await check(address, failed) == failed


async def test_what_is_no_address_passes_no_validator() -> None:
    for validator in VALIDATORS.values():
        assert await check("nobody", validator) == validator
