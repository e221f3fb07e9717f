"""Reading golden cases, and noticing every way in which one can fail."""

import json

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
        ({"template": "a", "now": "soon", "expect": "a"}, '"a"', "the case cannot be read"),
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
        ("{", "line 2: this is not JSON"),
        ("[" * 100_000, "line 2: this is not JSON"),
        ("5", "line 2: a case is an object"),
        ('{"template": "a", "expect": "a"}', 'line 2: the case has no "id"'),
        ('{"id": "a", "expect": "a"}', 'line 2: the case has no "template"'),
        ('{"id": "a", "template": "a"}', "line 2: the case expects nothing"),
        ('{"id": "a", "template": "a", "expected": "a"}', 'line 2: "expected" is no key of a case'),
    ],
)
def test_a_file_that_cannot_be_read(line: str, says: str) -> None:
    with pytest.raises(CasesRejected, match=says):
        list(read_cases('{"id": "x", "template": "a", "expect": "a"}\n' + line))
