"""Mails are signed ahead of a site that takes two a second: it is not forgotten while they wait for their turn."""

from pathlib import Path

import pytest
from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final
from tests.scenarios.dkim.domains import make_domain, published, verified
from tests.scenarios.mx.internet import internet, working

from postroom.delivery.routing.site import Site


async def test_all_of_them_get_it(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_domain(house, "example.com", "rsa")
    shaping = tmp_path / "shaping.toml"
    shaping.write_text("[default]\nconnections = 1\nmessages = 1\nper_second = 2\n")
    forgettable = Site.forgettable
    # As after a minute of a site that takes less than one a minute.
    monkeypatch.setattr(Site, "forgettable", lambda site, now, _seconds=0.0: forgettable(site, now, 0.0))
    async with internet() as net:
        host = await net.host("mx.slow.test")
        net.domain("slow.test", "mx.slow.test")
        async with working(house, net, shaping=shaping) as office:
            keys = await office.send(f"s{number}@slow.test" for number in range(6))
            assert await all_final(house, 6) == dict.fromkeys(keys, ("sent", None))
    assert set(host.taken.values()) == {1}
    dns = await published(house)
    assert all(verified(body, dns) for body in host.bodies)
