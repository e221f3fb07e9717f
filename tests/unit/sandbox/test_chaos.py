"""Rules are read strictly, and are about the calls that they name."""

import msgspec
import pytest

from postroom.sandbox.chaos import MOST_RULES, ChaosRule, RuleRejected, is_own, read_rules, segments_of


def rule(**given: object) -> ChaosRule:
    (made,) = read_rules(msgspec.json.encode({"rules": [given]}))
    return made


def test_a_rule_happens_once_when_it_does_not_say_how_often() -> None:
    assert rule(status=500) == ChaosRule(status=500, times=1)
    assert rule(status=500, share=1) == ChaosRule(status=500, share=1.0)
    assert rule(cut="after", times=3, share=0.5, seed=9) == ChaosRule(cut="after", times=3, share=0.5, seed=9)
    assert rule(delayMs=5, method=None) == ChaosRule(delay_ms=5, times=1)
    written = msgspec.json.encode(rule(method="GET", path="/a", status=429, retryAfter=2, accountId=7))
    assert msgspec.json.decode(written, type=ChaosRule) == rule(
        method="GET", path="/a", status=429, retryAfter=2, accountId=7
    )


@pytest.mark.parametrize(
    ("pattern", "path", "about"),
    [
        ("/**", "/", True),
        ("/**", "/a/b", True),
        ("/a/**", "/a", True),
        ("/a/**", "/A/b/c", True),
        ("/a/**", "/b", False),
        ("/a/**", "/", False),
        ("/a/*", "/a/b", True),
        ("/a/*", "/a", False),
        ("/a/*", "/a/b/c", False),
        ("/a/{key}/queue", "/a/b%2Fc/queue", True),
        ("/a/{key}", "//A//%62/", True),
        ("/a/order-1", "/a/Order-1", True),
        ("/a/order-1", "/a/order-2", False),
        ("/v2/token", "/V2/token/", True),
    ],
)
def test_paths_are_compared_as_routes_are(pattern: str, path: str, about: bool) -> None:
    assert rule(path=pattern, status=500).matches("GET", segments_of(path), None) is about


def test_method_and_business_unit_restrict() -> None:
    only = rule(method="POST", accountId=7, status=500)
    assert only.matches("POST", ["a"], 7)
    assert not only.matches("GET", ["a"], 7)
    assert not only.matches("POST", ["a"], 8)
    assert not only.matches("POST", ["a"], None)


def test_the_sandbox_s_own_paths_are_told_apart() -> None:
    assert is_own(segments_of("/"))
    assert is_own(segments_of("//Sandbox/chaos"))
    assert not is_own(segments_of("/sandboxes"))


def test_a_share_is_drawn_by_its_seed() -> None:
    draws = [rule(status=500, share=0.25, seed=7).draws(call) for call in range(1, 2001)]
    assert draws == [rule(status=500, share=0.25, seed=7).draws(call) for call in range(1, 2001)]
    assert draws != [rule(status=500, share=0.25, seed=8).draws(call) for call in range(1, 2001)]
    assert 400 < draws.count(True) < 600
    assert all(rule(status=500, share=1).draws(call) for call in range(1, 100))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "rules[0] says nothing of what happens; give status, cut or delayMs"),
        ({"status": 500, "cut": "after"}, "rules[0] has status 500 and cut 'after'"),
        ({"status": 404}, "rules[0].status is 404; give 401, 403, 429, 500 or 503"),
        ({"status": True}, "rules[0].status is true"),
        ({"status": "500"}, 'rules[0].status is "500"'),
        ({"cut": "now"}, 'rules[0].cut is "now"; give before or after'),
        ({"cut": []}, "rules[0].cut is []"),
        ({"method": "post", "status": 500}, 'rules[0].method is "post"; give GET, POST, PUT, PATCH or DELETE'),
        ({"status": 500, "retryAfter": 5}, "rules[0].retryAfter is 5 without status 429 or 503"),
        ({"status": 429, "retryAfter": 0}, "rules[0].retryAfter is 0; give a whole number from 1 to 3600"),
        ({"delayMs": 1.5}, "rules[0].delayMs is 1.5; give a whole number from 1 to 60000"),
        ({"delayMs": 60_001}, "rules[0].delayMs is 60001"),
        ({"status": 500, "times": 0}, "rules[0].times is 0"),
        ({"status": 500, "times": True}, "rules[0].times is true"),
        ({"status": 500, "share": 0}, "rules[0].share is 0; give a part of the calls"),
        ({"status": 500, "share": 1.1}, "rules[0].share is 1.1"),
        ({"status": 500, "share": "half"}, 'rules[0].share is "half"'),
        ({"status": 500, "seed": 1}, "rules[0].seed is 1 without share"),
        ({"status": 500, "accountId": -1}, "rules[0].accountId is -1"),
        ({"status": 500, "path": "messages"}, 'rules[0].path is "messages"; give a path such as'),
        ({"status": 500, "path": "/a?b=1"}, 'rules[0].path is "/a?b=1"; give no query'),
        ({"status": 500, "path": "/**/a"}, "** only at the end"),
        ({"status": 500, "path": "/Sandbox/chaos"}, "nothing happens to the sandbox's own calls"),
        ({"status": 500, "path": "/" + "x" * 500}, "rules[0].path is"),
        ({"stauts": 500}, "rules[0].stauts is unknown; did you mean status?"),
        ({"zzzz": 500}, "rules[0].zzzz is unknown; known: path, method, accountId, status"),
        (500, "rules[0] is 500; it must be an object such as"),
    ],
)
def test_mistakes_name_the_field_the_value_and_the_fix(given: object, text: str) -> None:
    with pytest.raises(RuleRejected) as wrong:
        read_rules(msgspec.json.encode({"rules": [given]}))
    assert text in str(wrong.value)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"rules": {}}', b'{"rules": [], "more": 1}'])
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(RuleRejected, match='"rules": '):
        read_rules(body)


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(RuleRejected, match="rules has 101 entries; at most 100"):
        read_rules(msgspec.json.encode({"rules": [{"status": 500}] * (MOST_RULES + 1)}))


def test_rules_of_one_business_unit_are_all_its_own() -> None:
    body = msgspec.json.encode({"rules": [{"status": 500}, {"status": 500, "accountId": 7}]})
    assert [each.account_id for each in read_rules(body, 7)] == [7, 7]
    with pytest.raises(RuleRejected, match=r"rules\[1\]\.accountId is 7, and the rules of business unit 8 are set"):
        read_rules(body, 8)
