"""Who opened and clicked: the rules that come with Postroom, one by one, and how rules are read."""

from typing import Literal

import msgspec
import pytest

from postroom.events.machines import Judgement, Visit, own_rules, read_rules

RULES = own_rules()
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def judge(
    user_agent: str = CHROME,
    *,
    kind: Literal["opened", "clicked"] = "clicked",
    method: str = "GET",
    hints: tuple[str, ...] = (),
    links: int = 1,
) -> Judgement:
    return RULES.judge(Visit(kind, method, user_agent, hints, links))


@pytest.mark.parametrize(
    "user_agent",
    [
        CHROME,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.1",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)",
    ],
)
def test_browsers_and_mail_programs_are_persons(user_agent: str) -> None:
    assert judge(user_agent) == judge(user_agent, kind="opened") == Judgement("person", "")


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Barracuda Sentinel (EE)", Judgement("machine", "security scanner")),
        ("Mozilla/5.0 (compatible; MIMECAST)", Judgement("machine", "security scanner")),
        ("Slackbot-LinkExpanding 1.0", Judgement("machine", "link preview")),
        ("WhatsApp/2.23.20.0", Judgement("machine", "link preview")),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", Judgement("machine", "crawler")),
        ("python-requests/2.32", Judgement("machine", "program")),
        ("Mozilla/5.0 HeadlessChrome/140.0", Judgement("machine", "program")),
        ("", Judgement("machine", "no user agent")),
        ("  ", Judgement("machine", "no user agent")),
    ],
)
def test_programs_that_say_so_are_machines(user_agent: str, expected: Judgement) -> None:
    assert judge(user_agent) == expected


def test_proxies_hide_who_opened() -> None:
    gmail = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    assert judge(gmail, kind="opened") == Judgement("proxy", "Gmail image proxy")
    assert judge("YahooMailProxy; https://help.yahoo.com", kind="opened").verdict == "proxy"


def test_apple_fetches_images_whether_opened_or_not() -> None:
    assert judge("Mozilla/5.0", kind="opened") == Judgement("machine", "Apple Mail Privacy Protection")
    assert judge("Mozilla/5.0", kind="clicked").verdict == "person"


@pytest.mark.parametrize("hint", ["purpose: prefetch", "sec-purpose: prefetch;prerender", "x-moz: prefetch"])
def test_prefetching_is_no_click(hint: str) -> None:
    assert judge(hints=(hint,)) == Judgement("machine", "prefetch")


def test_a_header_of_another_name_or_value_says_nothing() -> None:
    assert judge(hints=("purpose: none", "x-moz: purpose: prefetched")).verdict == "machine"
    assert judge(hints=("purpose: none",)).verdict == "person"


def test_head_is_no_click() -> None:
    assert judge(method="HEAD") == Judgement("machine", "HEAD request")


def test_who_asks_for_all_links_at_once_is_no_reader() -> None:
    assert judge(links=2).verdict == "person"
    assert judge(links=3) == Judgement("machine", "many links within a second")
    assert judge(links=3, kind="opened").verdict == "person"


def test_the_first_rule_decides() -> None:
    rules = read_rules(
        '[[rule]]\nverdict="proxy"\nreason="a"\nuser_agent=["X"]\n[[rule]]\nverdict="machine"\nreason="b"\n'
        'header=["via: y"]\n'
    )
    assert rules.judge(Visit("opened", "GET", "x", ("via: y",), 0)) == Judgement("machine", "b")
    assert rules.headers == {b"via"}


def test_a_rule_with_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="agent"):
        read_rules('[[rule]]\nverdict="machine"\nreason="a"\nagent=["x"]\n')
