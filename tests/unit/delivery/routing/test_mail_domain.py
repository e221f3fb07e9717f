"""Whether a domain takes mail, as the DNS says."""

from tests.unit.delivery.routing.zone import Zone

from postroom.delivery.routing.mail_domain import MailDomains


async def test_domains_without_mail_are_told_and_answers_are_kept_as_long_as_they_last() -> None:
    zone = Zone(
        mx_of={
            "good.example": [(10, "mx.good.example")],
            "null.example": [(0, "")],
            "lost.example": [(1, "x.example")],
        },
        a={"mx.good.example": ["8.8.8.8"], "plain.example": ["8.8.4.4"]},
        broken={"slow.example"},
    )
    now = [0.0]
    domains = MailDomains(zone, clock=lambda: now[0])
    expected = {
        "good.example": True,
        "plain.example": True,
        "slow.example": True,
        "null.example": False,
        "lost.example": False,
        "none.example": False,
    }
    assert {name: await domains.takes_mail(name) for name in expected} == expected
    asked = zone.asked.total()
    for name in expected.keys() - {"slow.example"}:
        assert await domains.takes_mail(name) is expected[name]
    assert zone.asked.total() == asked
    now[0] = 601.0
    zone.mx_of["good.example"] = [(0, "")]
    assert not await domains.takes_mail("good.example")
