"""The route table's file: what is read, and what each mistake is told."""

import re
from datetime import date

import pytest

from postroom.delivery.routing.table import NamedRoute, Relay, SourceAddress, SourcePool, TableRejected
from postroom.delivery.routing.table_file import read_table
from postroom.delivery.routing.warm_up import WarmUp
from postroom.delivery.smtp.target import SmtpTarget, TlsMode

WHOLE = """
[[rule]]
domain = ["example.com", "*.Example.org"]
definition = "Login-Code"
route = "fast"

[[rule]]
mid = [100001, 100002]
domain = "partner.test"
route = "fast"

[[rule]]
route = "internet"

[route.fast]
relays = [
    "smtp://one.example.com:587",
    {url = "smtp://two.example.com:2525?tls=off", priority = 2, weight = 3},
]
tls = "required"
connections = 4

[route.internet]
mx = true
tls = "verify"
source = "new"

[source.new]
addresses = [{ip = "192.0.2.1", helo = "out1.example.com", weight = 2}, "2001:db8::1"]
warm_up = {since = 2026-11-30, per_day = [50, 100, 200]}
overflow = "old"

[source.old]
addresses = ["192.0.2.9"]
"""


def test_a_table_is_read() -> None:
    table = read_table(WHOLE, source="routes.toml")
    assert table.routes == {
        "fast": NamedRoute(
            "fast",
            (
                Relay(SmtpTarget("one.example.com", 587, TlsMode.REQUIRED)),
                Relay(SmtpTarget("two.example.com", 2525, TlsMode.OFF), priority=2, weight=3),
            ),
            connections=4,
        ),
        "internet": NamedRoute("internet", tls=TlsMode.VERIFY, source="new"),
    }
    assert table.sources == {
        "new": SourcePool(
            "new",
            (SourceAddress("192.0.2.1", "out1.example.com", 2), SourceAddress("2001:db8::1")),
            WarmUp(date(2026, 11, 30), (50, 100, 200)),
            "old",
        ),
        "old": SourcePool("old", (SourceAddress("192.0.2.9"),)),
    }
    assert table.uses_mx


@pytest.mark.parametrize(
    ("domain", "definition_key", "account_id", "route"),
    [
        ("example.com", "login-code", 7, "fast"),
        ("example.com", "LOGIN-CODE", 7, "fast"),
        ("example.com", "order", 7, "internet"),
        ("a.example.com", "login-code", 7, "internet"),
        ("a.b.example.org", "login-code", 7, "fast"),
        ("example.org", "login-code", 7, "internet"),
        ("badexample.org", "login-code", 7, "internet"),
        ("partner.test", "order", 100002, "fast"),
        ("partner.test", "order", 100003, "internet"),
        ("else.test", "order", 100001, "internet"),
    ],
)
def test_the_first_rule_whose_conditions_hold_decides(
    domain: str, definition_key: str, account_id: int, route: str
) -> None:
    assert read_table(WHOLE, source="x").route(domain, definition_key, account_id).name == route


END = '[[rule]]\nroute = "r"\n'
MX = "[route.r]\nmx = true\n"
GOOD = END + MX


def relays(entry: str) -> str:
    return f"{END}[route.r]\nrelays = {entry}\n"


def source(lines: str) -> str:
    return f"{GOOD}[source.s]\n{lines}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[rule]\n", "r.toml is no TOML file: "),
        ("", "r.toml: it names no route; write [route.NAME] with relays = [...] or mx = true"),
        (MX, 'r.toml: it has no rule; write [[rule]] with route = "NAME", once for each'),
        ("rules = 1\n" + GOOD, "r.toml, line 1: the file: 'rules' is unknown; write rule, route, source"),
        (GOOD + "[route]\nx = 1\n", "r.toml: route x: 1 must be a table with relays, mx, tls, connections, source"),
        ("route = 1\n" + END, "r.toml, line 1: route must be written [route.NAME]"),
        ("rule = 1\n" + MX, 'r.toml, line 1: it has no rule; write [[rule]] with route = "NAME", once for each'),
        (
            GOOD + '[route."a b"]\nmx = true\n',
            "r.toml, line 5: route 'a b': a name has up to 64 letters, digits, dots, dashes and underscores",
        ),
        # rules
        ('[[rule]]\nroute = "x"\n' + MX, "r.toml, line 2: rule 1: route = 'x' is no route; write one of r"),
        ("[[rule]]\nmid = 1\n" + MX, "r.toml, line 1: rule 1: route = None is no route; write one of r"),
        ("[[rule]]\nroute = ['r']\n" + MX, "r.toml, line 2: rule 1: route = ['r'] is no route; write one of r"),
        (
            f'{END}[[rule]]\nroute = "r"\nto = "x"\n{MX}',
            "r.toml, line 5: rule 2: 'to' is unknown; write domain, definition, mid, route",
        ),
        (END + END + MX, "r.toml, line 1: rule 1 has no conditions, and rules follow; make it the last one"),
        (
            f'[[rule]]\nroute = "r"\nmid = 5\n{MX}',
            "r.toml, line 1: rule 1 is the last one and has conditions; end with a [[rule]] that has only a route",
        ),
        (
            f'[[rule]]\nroute = "r"\ndomain = "ex*.com"\n{GOOD}',
            "r.toml, line 3: rule 1: domain has 'ex*.com'; write example.com, or *.example.com for all names below it "
            "(international names as xn--)",
        ),
        (
            f'[[rule]]\nroute = "r"\ndomain = "ann@example.com"\n{GOOD}',
            "r.toml, line 3: rule 1: domain has 'ann@example.com'; write example.com, or *.example.com",
        ),
        (
            f'[[rule]]\nroute = "r"\ndomain = 5\n{GOOD}',
            "r.toml, line 3: rule 1: domain = 5; give a text or a list of texts",
        ),
        (
            f'[[rule]]\nroute = "r"\ndefinition = []\n{GOOD}',
            "r.toml, line 3: rule 1: definition = []; give a text or a list of texts",
        ),
        (
            f'[[rule]]\nroute = "r"\nmid = "5"\n{GOOD}',
            "r.toml, line 3: rule 1: mid = '5'; give a number or a list of numbers",
        ),
        # routes
        (
            END + "[route.r]\nmx = 1\n",
            "r.toml, line 4: route r: mx = 1; write mx = true, or leave it out and name relays",
        ),
        (END + "[route.r]\n", "r.toml, line 3: route r: give it relays = [...] or mx = true, one of the two"),
        (
            f'{GOOD}relays = ["smtp://a.test"]\n',
            "r.toml, line 3: route r: give it relays = [...] or mx = true, one of the two",
        ),
        (
            GOOD + "connections = 5\n",
            "r.toml, line 5: route r: connections are for relays; POSTROOM_SHAPING has those of MX hosts",
        ),
        (
            GOOD + 'tls = "yes"\n',
            "r.toml, line 5: route r: tls = 'yes'; write one of opportunistic, required, verify",
        ),
        (
            GOOD + 'tls = "off"\n',
            "r.toml, line 5: route r: tls = 'off'; write one of opportunistic, required, verify",
        ),
        (
            relays('["smtp://a.test"]\ntls = "none"'),
            "r.toml, line 5: route r: tls = 'none'; write one of off, opportunistic, required, verify",
        ),
        (
            GOOD + 'source = "s"\n',
            "r.toml, line 5: route r: source = 's' is no source pool; write [source.NAME] with addresses = [...]",
        ),
        (
            f'{GOOD}source = ["s"]\n[source.t]\naddresses = ["192.0.2.1"]\n',
            "r.toml, line 5: route r: source = ['s'] is no source pool; write one of t",
        ),
        (
            GOOD + "via = 1\n",
            "r.toml, line 5: route r: 'via' is unknown; write relays, mx, tls, connections, source",
        ),
        # relays
        (
            relays('"smtp://a.test"'),
            'r.toml, line 4: route r: relays must be a list such as ["smtp://relay.example.com:587"]',
        ),
        (relays("[]"), 'r.toml, line 4: route r: relays must be a list such as ["smtp://relay.example.com:587"]'),
        (relays("[5]"), "r.toml, line 4: route r, relay 1: 5 must be a table with url, priority, weight"),
        (
            relays('[{host = "a"}]'),
            "r.toml, line 4: route r, relay 1: 'host' is unknown; write url, priority, weight",
        ),
        (
            relays("[{priority = 1}]"),
            'r.toml, line 4: route r, relay 1: url = None; write "smtp://relay.example.com:587"',
        ),
        (
            relays('["http://user:secret@a.test"]'),
            "r.toml, line 4: route r, relay 1: url='http://user:***@a.test' cannot be used: it must begin with smtp://",
        ),
        (
            relays('["smtp://a.test", "smtp://a.test:25"]'),
            "r.toml, line 4: route r, relay 2: a.test:25 is there twice; raise its weight instead",
        ),
        (
            relays('[{url = "smtp://a.test", priority = 0}]'),
            "r.toml, line 4: route r, relay 1: priority = 0; give a whole number from 1 to 100",
        ),
        (
            relays('[{url = "smtp://a.test", weight = true}]'),
            "r.toml, line 4: route r, relay 1: weight = True; give a whole number from 1 to 1000",
        ),
        (
            relays('["smtp://a.test"]\nconnections = 2.5'),
            "r.toml, line 5: route r: connections = 2.5; give a whole number from 1 to 1000",
        ),
        (
            f"""{END}[route.r]
relays = ["smtp://a.test"]
source = "s"
[source.s]
addresses = ["192.0.2.1"]
warm_up = {{since = 2026-11-30, per_day = [1]}}
""",
            "r.toml, line 5: route r: source s has a warm_up, which is for MX hosts; give relays a pool without",
        ),
        # source pools
        (source("addresses = []"), 'r.toml, line 6: source s: addresses must be a list such as [{ip = "192.0.2.1"}]'),
        (
            source('addresses = ["192.0.2.300"]'),
            "r.toml, line 6: source s, address 1: ip = '192.0.2.300' is no address to send from; write it like",
        ),
        (
            source('addresses = ["0.0.0.0"]'),
            "r.toml, line 6: source s, address 1: ip = '0.0.0.0' is no address to send from; write it like 192.0.2.1",
        ),
        (
            source('addresses = ["2001:db8::1", "2001:DB8:0::1"]'),
            "r.toml, line 6: source s, address 2: 2001:db8::1 is there twice; raise its weight instead",
        ),
        (
            source('addresses = [{ip = "192.0.2.1", helo = "a b"}]'),
            "r.toml, line 6: source s, address 1: helo = 'a b' is no host name; write mail.example.com",
        ),
        (
            source('addresses = [{ip = "192.0.2.1", weight = 0}]'),
            "r.toml, line 6: source s, address 1: weight = 0; give a whole number from 1 to 1000",
        ),
        (
            source('addresses = ["192.0.2.1"]\nwarm_up = {per_day = [1]}'),
            "r.toml, line 7: source s, warm_up: since = None; write a date such as 2026-11-30",
        ),
        (
            source('addresses = ["192.0.2.1"]\nwarm_up = {since = 2026-11-30, per_day = [2, 1]}'),
            "r.toml, line 7: source s, warm_up: per_day = [2, 1]; write messages for each day, never fewer than the "
            "day before, such as [50, 100, 200, 400]",
        ),
        (
            source('addresses = ["192.0.2.1"]\nwarm_up = {since = 2026-11-30, per_day = [1], factor = 2}'),
            "r.toml, line 7: source s, warm_up: 'factor' is unknown; write since, per_day",
        ),
        (
            source('addresses = ["192.0.2.1"]\noverflow = "s"'),
            "r.toml, line 7: source s: overflow is for what is beyond a warm_up, and there is none",
        ),
        (
            source('addresses = ["192.0.2.1"]\nwarm_up = {since = 2026-11-30, per_day = [1]}\noverflow = 5'),
            "r.toml, line 8: source s: overflow = 5; write the name of a source pool",
        ),
        (
            source('addresses = ["192.0.2.1"]\nwarm_up = {since = 2026-11-30, per_day = [1]}\noverflow = "t"'),
            "r.toml, line 8: source s: overflow = 't' is no source pool; write one of s",
        ),
        (
            source('addresses = ["192.0.2.1"]\nwarm_up = {since = 2026-11-30, per_day = [1]}\noverflow = "s"'),
            "r.toml, line 8: source s: overflow goes in a circle (s -> s); leave one out",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_fix(text: str, problem: str) -> None:
    with pytest.raises(TableRejected, match="^" + re.escape(problem)):
        read_table(text, source="r.toml")
