"""SPF: records read, addresses judged, look-ups counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.doctor.zone import TROUBLE, Table, Zone

from postroom.doctor.spf import MOST_RECORDS, SpfResult, check_host, spf_cost
from postroom.doctor.spf_record import SpfInvalid, expand, read_spf

ZONE: Table = {
    ("example.com", "A"): ["93.184.215.14"],
    ("example.com", "MX"): ["10 mx.example.com", "20 mx2.example.com"],
    ("mx.example.com", "A"): ["93.184.215.20"],
    ("mx2.example.com", "AAAA"): ["2606:2800:21f:cb07::25"],
    ("pass.example.net", "TXT"): ["v=spf1 ip4:93.184.215.14 -all"],
    ("fail.example.net", "TXT"): ["v=spf1 -all"],
    ("twice.example.net", "TXT"): ["v=spf1 -all", "v=spf1 +all"],
    ("fails.example.net", "TXT"): TROUBLE,
    ("circle.example.net", "TXT"): ["v=spf1 include:circle.example.net -all"],
    ("93.184.215.14", "PTR"): ["out.example.com", "example.com"],
    ("14.215.184.93.spf.example.net", "A"): ["127.0.0.2"],
}


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 ip4:93.184.215.14 -all", "pass"),
        ("v=spf1 ip4:93.184.215.0/24 -all", "pass"),
        ("v=spf1 ip4:93.184.216.0/24 -all", "fail"),
        ("v=spf1 ip6:2606::/16 ~all", "softfail"),
        ("V=SPF1 A -ALL", "pass"),
        ("v=spf1 a:example.com/24 -all", "pass"),
        ("v=spf1 a:mx.example.com/24//64 -all", "pass"),
        ("v=spf1 a:mx.example.com -all", "fail"),
        ("v=spf1 mx -all", "fail"),
        ("v=spf1 mx/24 -all", "pass"),
        ("v=spf1 ptr:example.com -all", "pass"),
        ("v=spf1 ptr:example.net -all", "fail"),
        ("v=spf1 exists:%{ir}.spf.example.net -all", "pass"),
        ("v=spf1 exists:%{i}.spf.example.net -all", "fail"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1", "neutral"),
        ("v=spf1 -a +all", "fail"),
        ("v=spf1 include:pass.example.net -all", "pass"),
        ("v=spf1 include:fail.example.net ~all", "softfail"),
        ("v=spf1 include:none.example.net ~all", "permerror"),
        ("v=spf1 include:twice.example.net ~all", "permerror"),
        ("v=spf1 include:fails.example.net ~all", "temperror"),
        ("v=spf1 include:circle.example.net ~all", "permerror"),
        ("v=spf1 redirect=pass.example.net", "pass"),
        ("v=spf1 redirect=fail.example.net", "fail"),
        ("v=spf1 redirect=none.example.net", "permerror"),
        ("v=spf1 ~all redirect=pass.example.net", "softfail"),
        ("v=spf1 exp=why.example.net x-y=%{d} -all", "fail"),
        ("v=spf1 a:1.example.net a:2.example.net -all", "fail"),
        ("v=spf1 a:1.example.net a:2.example.net a:3.example.net -all", "permerror"),
        ("v=spf1 " + "include:fail.example.net " * 10 + "~all", "softfail"),
        ("v=spf1 " + "include:fail.example.net " * 11 + "~all", "permerror"),
        ("v=spf1 ipv4:93.184.215.14 -all", "permerror"),
        ("v=spf1 ip4:93.184.215 -all", "permerror"),
        ("v=spf10 +all", "none"),
    ],
)
async def test_what_a_record_says_of_an_address(record: str, result: SpfResult) -> None:
    zone = Zone(ZONE | {("example.com", "TXT"): ["something else", record]})
    verdict = await check_host("93.184.215.14", "example.com", zone, helo="out.example.com")
    assert verdict.result == result, verdict


async def test_an_ipv6_address_is_looked_for_among_those_of_its_kind() -> None:
    zone = Zone(ZONE | {("example.com", "TXT"): ["v=spf1 a mx//64 -all"]})
    verdict = await check_host("2606:2800:21f:cb07::99", "example.com", zone, helo="out.example.com")
    assert (verdict.result, verdict.reason) == ("pass", "mx//64")


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 all:example.com",
        "v=spf1 include:",
        "v=spf1 include",
        "v=spf1 a/33",
        "v=spf1 include:example.com/24",
        "v=spf1 ip6:93.184.215.14",
        "v=spf1 redirect=a.example redirect=b.example",
        "v=spf1 redirect=",
        "v=spf1 and so on",
    ],
)
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(SpfInvalid):
        read_spf(text)


@given(st.text(max_size=80))
def test_a_record_is_read_or_refused(text: str) -> None:
    try:
        record = read_spf(f"v=spf1 {text}")
    except SpfInvalid:
        return
    assert len(record.terms) <= len(text)


# The examples of RFC 7208 §7.4.
MACROS = {"s": "strong-bad@email.example.com", "l": "strong-bad", "d": "email.example.com", "o": "email.example.com"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{S}%%%_%-", "strong-bad@email.example.com% %20"),
    ],
)
def test_macros(text: str, expected: str) -> None:
    assert expand(text, MACROS) == expected


@pytest.mark.parametrize("text", ["%{x}", "%{d0}", "%", "%d", "%{d"])
def test_what_is_no_macro(text: str) -> None:
    with pytest.raises(SpfInvalid):
        expand(text, MACROS)


async def test_look_ups_are_counted_through_all_that_is_included() -> None:
    zone = Zone(
        {
            ("a.example", "TXT"): ["v=spf1 a mx include:b.example ~all"],
            ("b.example", "TXT"): ["v=spf1 exists:x.example ip4:93.184.215.14 redirect=c.example"],
            ("c.example", "TXT"): ["v=spf1 ptr -all"],
        }
    )
    cost = await spf_cost(read_spf("v=spf1 a include:a.example include:c.example include:none.example ~all"), zone)
    # a; include:a with a, mx, and include:b with exists, redirect, ptr; include:c with ptr; include:none
    assert cost.questions == 1 + 7 + 2 + 1
    assert cost.dear == (("a.example", 7), ("c.example", 2), ("none.example", 1))


async def test_attack_records_that_include_each_other_without_end() -> None:
    class Endless(Zone):
        """Each name has a record that includes twenty names of its own."""

        def _find(self, name: str, kind: str) -> list[str]:
            self.asked += 1
            return ["v=spf1 " + " ".join(f"include:{n}.{name[:20]}" for n in range(20))] if kind == "TXT" else []

    zone = Endless({})
    cost = await spf_cost(read_spf("v=spf1 include:example.com include:example.com"), zone)
    assert cost.questions > 10
    assert zone.asked <= MOST_RECORDS
    verdict = await check_host("93.184.215.14", "example.com", zone, helo="out.example.com")
    assert verdict.result == "permerror"
