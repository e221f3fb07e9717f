"""Reverse DNS names that look as if nobody had chosen them."""

import pytest

from postroom.doctor.machines import is_generic


@pytest.mark.parametrize(
    ("name", "ip"),
    [
        ("93-184-215-14.isp.example", "93.184.215.14"),
        ("host14.215.184.93.isp.example", "93.184.215.14"),
        ("ip093184215014.isp.example", "93.184.215.14"),
        ("5db8d70e.isp.example", "93.184.215.14"),
        ("dynamic-7.isp.example", "93.184.215.14"),
        ("pool12.isp.example", "93.184.215.14"),
        ("static.7.isp.example", "93.184.215.14"),
        ("2606-2800-021f-cb07-0000-0000-0000-0025.isp.example", "2606:2800:21f:cb07::25"),
        ("5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.b.c.isp.example", "2606:2800:21f:cb07::25"),
    ],
)
def test_generic(name: str, ip: str) -> None:
    assert is_generic(name, ip)


@pytest.mark.parametrize(
    ("name", "ip"),
    [
        ("out1.example.com", "93.184.215.14"),
        ("mail.14-days.example", "93.184.215.14"),
        ("mx-93-184.example.com", "93.184.215.14"),
        ("customers-mail.example.com", "93.184.215.14"),
        ("out.example.com", "2606:2800:21f:cb07::25"),
    ],
)
def test_chosen(name: str, ip: str) -> None:
    assert not is_generic(name, ip)
