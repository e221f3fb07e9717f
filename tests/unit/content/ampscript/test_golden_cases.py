"""Reading golden cases, and noticing every way in which one can fail."""

import json
import re

import pytest
from tests.unit.content.ampscript.rendering import ENGINE

from postroom.content.ampscript.cases import CasesRejected, check_case, read_cases

TABLE = {"T": {"fields": [{"name": "K", "primary_key": True}, {"name": "V"}], "rows": [{"K": "1", "V": "a"}]}}
WRITE = "%%[ UpdateDE('T', 1, 'K', '1', 'V', 'b') ]%%x"


@pytest.mark.parametrize(
    ("case", "expected", "got"),
    [
        ({"template": "a", "expect": "b"}, '"b"', '"a"'),
        ({"template": "a", "expect_regex": "^b"}, "a match of ^b", '"a"'),
        ({"template": "a", "parts": {"text": "t"}, "expect_parts": {"text": "u"}}, 'text: "u"', 'text: "t"'),
        ({"template": WRITE, "data_extensions": TABLE, "expect_de_rows": {"T": 2}}, "T: 2 rows", "T: 1 rows"),
        (
            {"template": WRITE, "data_extensions": TABLE, "expect_de_values": {"T": {"1": {"V": "c"}}}},
            'T 1 V: "c"', 'T 1 V: "b"',
        ),
        ({"template": "a", "error": "runtime"}, "error: runtime", '"a"'),
        ({"template": "%%=v()=%%", "expect": "a"}, '"a"', "error: compile"),
        ({"template": "%%=v(Nope)=%%", "expect": "a"}, '"a"', "error: runtime"),
        ({"template": "%%=v(Nope)=%%", "error": "compile"}, "error: compile", "error: runtime"),
        ({"template": "%%=v()=%%", "error": "runtime"}, "error: runtime", "error: compile"),
        ({"template": "%%[ RaiseError('x') ]%%", "expect": "a"}, '"a"', "error: raise_error, skip_subscriber false"),
        (
            {"template": "%%[ RaiseError('x') ]%%", "error": "raise_error", "skip_subscriber": True},
            "error: raise_error", "error: raise_error, skip_subscriber false",
        ),
        ({"template": "a", "expect_de_rows": {"T": 1}}, "a match of None", "what it expects of data extensions"),
        (
            {"template": "a", "data_extensions": TABLE, "expect_de_values": {"T": {"1": {"W": "c"}}}},
            "a match of None", "what it expects of data extensions cannot be looked up: data extension T has no column",
        ),
        ({"template": "a", "data_extensions": {"T": 1}, "expect": "a"}, '"a"', "the case cannot be read"),
    ],
)  # fmt: skip
def test_a_case_that_fails(case: dict[str, object], expected: str, got: str) -> None:
    (read,) = read_cases(json.dumps({"id": "c", **case}))
    failure = check_case(read, ENGINE)
    assert failure is not None
    assert (failure.case, failure.expected) == ("c", expected)
    assert failure.got.startswith(got)


@pytest.mark.parametrize(
    "case",
    [
        {"template": WRITE, "data_extensions": TABLE, "expect_de_values": {"T": {"1": {"V": "b"}}}, "expect": "x"},
        {"template": "%%xtyear%%", "now": "2031-01-01T12:00:00", "expect": "2031"},
        {"template": "%%[ RaiseError('x') ]%%", "error": "raise_error"},
        {"template": "{{a.b}}", "data": {"a": {"b": 1}}, "expect": "1"},
    ],
)
def test_a_case_that_passes(case: dict[str, object]) -> None:
    (read,) = read_cases("\n" + json.dumps({"id": "c", **case}) + "\n\n")
    assert check_case(read, ENGINE) is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2 column 2: this is not JSON"),
        ("[" * 100_000, "line 2: it is nested too deeply"),
        ('{"id": "a", "template": "a", "expect": 5}', 'line 2: "expect" is no text'),
        ('{"id": "a", "template": "a", "expect_regex": "("}', 'line 2: "expect_regex" is no pattern: missing'),
        ('{"id": "a", "template": "a", "expect": "a", "attributes": []}', 'line 2: "attributes" is no object'),
        ('{"id": "a", "template": "a", "expect": "a", "parts": {"text": 5}}', 'line 2: "parts" has a text for each'),
        ('{"id": "a", "template": "a", "expect": "a", "parts": {"footer": "x"}}', '"footer" is wrong'),
        ('{"id": "a", "template": "a", "expect": "a", "content_blocks": {"key": {}}}', '"key" is wrong'),
        ('{"id": "a", "template": "a", "expect": "a", "content_blocks": {"by_key": {"a": 1}}}', '"by_key" is wrong'),
        ('{"id": "a", "template": "a", "expect_de_values": {"T": {"1": 5}}}', '"expect_de_values" of "T" is not'),
        ('{"id": "a", "template": "a", "error": "any"}', 'line 2: "error" is "any"; use compile, runtime'),
        ('{"id": "a", "template": "a", "expect": "a", "now": "soon"}', 'line 2: "now" is "soon"; write an ISO time'),
        ('{"id": "a", "template": "a", "expect": "a", "now": "0001-01-01"}', 'line 2: "now" is'),
        ("5", "line 2: a case is an object"),
        ('{"template": "a", "expect": "a"}', 'line 2: the case has no "id"'),
        ('{"id": "a", "expect": "a"}', 'line 2: the case has no "template"'),
        ('{"id": "a", "template": "a"}', "line 2: the case expects nothing"),
        ('{"id": "a", "template": "a", "expected": "a"}', 'line 2: "expected" is no key of a case'),
    ],
)
def test_a_file_that_cannot_be_read(line: str, says: str) -> None:
    says = re.escape(says)
    with pytest.raises(CasesRejected, match=says):
        list(read_cases('{"id": "x", "template": "a", "expect": "a"}\n' + line))


def test_a_file_without_cases() -> None:
    with pytest.raises(CasesRejected, match="there is no case in it"):
        list(read_cases("\n \r\n"))


def test_only_line_feeds_end_a_case() -> None:
    case = {"id": "a", "template": "x\u2028y\x85z", "expect": "x\u2028y\x85z"}
    (read,) = read_cases(json.dumps(case, ensure_ascii=False) + "\r\n")
    assert check_case(read, ENGINE) is None
