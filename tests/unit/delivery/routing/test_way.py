"""What a route of the table wants of MX hosts, beside what their domain asks for."""

import ssl

import pytest

from postroom.delivery.routing.mx import MxHost, Route
from postroom.delivery.routing.site import Line, Provider, Site
from postroom.delivery.routing.table import NamedRoute
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule, Trusts
from postroom.delivery.routing.way import Way
from postroom.delivery.smtp.reach import Reach
from postroom.delivery.smtp.target import TlsMode
from postroom.delivery.smtp.timeouts import Timeouts


def way(tls: TlsMode | None) -> Way:
    trusts = Trusts(ssl.create_default_context())
    line = Line(
        port=25,
        helo="x",
        trust=trusts.trust,
        blames=lambda outcome, sender, recipients: False,
        session=lambda _domain, _rule, _session: None,
        timeouts=Timeouts(),
        rand=lambda: 0.5,
        reach=Reach(lambda: 0.0),
    )
    return Way(NamedRoute("internet", tls=tls), line, no_relay)


def no_relay(_way: Way, _host: MxHost, _line: Line, _provider: Provider) -> Site:
    raise AssertionError("it has no relays")


@pytest.mark.parametrize(
    ("wanted", "found", "becomes"),
    [
        (None, RuleKind.REQUIRED, RuleKind.REQUIRED),
        (TlsMode.VERIFY, RuleKind.OPPORTUNISTIC, RuleKind.VERIFY),
        (TlsMode.REQUIRED, RuleKind.OPPORTUNISTIC, RuleKind.REQUIRED),
        (TlsMode.OPPORTUNISTIC, RuleKind.REQUIRED, RuleKind.OPPORTUNISTIC),
        (TlsMode.OPPORTUNISTIC, RuleKind.STS_TESTING, RuleKind.STS_TESTING),
        (TlsMode.REQUIRED, RuleKind.STS_TESTING, RuleKind.REQUIRED),
        (TlsMode.OPPORTUNISTIC, RuleKind.STS, RuleKind.STS),
        (TlsMode.VERIFY, RuleKind.STS, RuleKind.STS),
    ],
)
def test_a_route_has_its_own_rule_and_a_domain_is_never_given_less_than_it_asks(
    wanted: TlsMode | None, found: RuleKind, becomes: RuleKind
) -> None:
    host = MxHost("mx.one.test", ("192.0.2.1",), rule=TlsRule(found))
    ruled = way(wanted).ruled(Route((host,), 60.0))
    assert [each.rule.kind for each in ruled.hosts] == [becomes]
    assert [each.name for each in ruled.hosts] == ["mx.one.test"]
