"""Rowsets: built from text, XML and JSON, read by Row, RowCount and Field."""

import pytest
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import LimitFault, MissingFault, ValueFault
from postroom.content.ampscript.run import Dialect, Limits
from postroom.content.ampscript.values import DATABASE_NULL, RowSet


def cells(rowset: object, column: object) -> list[object]:
    count = call("RowCount", rowset)
    assert isinstance(count, int)
    return [call("Field", call("Row", rowset, number), column, 0) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("text", "delimiter", "pieces"),
    [
        ("a|b|c", "|", ["a", "b", "c"]),
        ("a|b|", "|", ["a", "b", ""]),
        ("a::b", "::", ["a", "b"]),
        ("a,b", "", ["a,b"]),
        ("", "|", []),
        (None, "|", []),
        ("aXbxc", "x", ["aXb", "c"]),
    ],
)
def test_from_string(text: object, delimiter: str, pieces: list[str]) -> None:
    rowset = call("BuildRowSetFromString", text, delimiter)
    assert cells(rowset, 1) == cells(rowset, "value") == pieces


def test_from_xml() -> None:
    rowset = call("BuildRowSetFromXML", '<r><f o="A">1</f><f p="&lt;">2<i/></f></r>', "//f", 1)
    assert cells(rowset, "Value") == ["1", "2"]
    assert cells(rowset, "XML") == ['<f o="A">1</f>', '<f p="&lt;">2<i /></f>']
    assert cells(rowset, "o_att") == ["A", DATABASE_NULL]
    assert cells(rowset, "P_att") == [DATABASE_NULL, "<"]
    assert cells(rowset, 3) == ["A", DATABASE_NULL]


def test_from_json() -> None:
    rowset = call(
        "BuildRowsetFromJSON", '{"F":[{"O":"A","P":100.0,"n":null,"t":true},{"O":"B","Q":[1]},7]}', "$.F[*]", 0
    )
    assert cells(rowset, "o") == ["A", "B", DATABASE_NULL]
    assert cells(rowset, "P") == [100.0, DATABASE_NULL, DATABASE_NULL]
    assert cells(rowset, "t") == [True, DATABASE_NULL, DATABASE_NULL]
    assert cells(rowset, "n") == [DATABASE_NULL] * 3
    assert cells(rowset, "Q") == [DATABASE_NULL, "", DATABASE_NULL]
    assert cells(rowset, "Value") == [DATABASE_NULL, DATABASE_NULL, 7]


BAD_SOURCES = [
    ("BuildRowSetFromXML", "<root><a>", "//a"),
    ("BuildRowSetFromXML", "<root/>", "//["),
    ("BuildRowSetFromXML", "<root/>", "count(//a)"),
    ("BuildRowsetFromJSON", "{ not json", "$"),
    ("BuildRowsetFromJSON", "[" * 100_000, "$"),
    ("BuildRowsetFromJSON", "{}", "$["),
]


@pytest.mark.parametrize(("name", "source", "path"), BAD_SOURCES)
def test_a_source_that_cannot_be_read_is_empty_or_an_error_as_the_flag_says(name: str, source: str, path: str) -> None:
    assert call("RowCount", call(name, source, path, "1")) == 0
    with pytest.raises(ValueFault):
        call(name, source, path, False)
    reversed_flag = make_run(dialect=Dialect(rowset_flag_raises=True))
    assert call("RowCount", call(name, source, path, 0, run=reversed_flag)) == 0
    with pytest.raises(ValueFault):
        call(name, source, path, 1, run=reversed_flag)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("BuildRowSetFromString", ("a|" * 200, "|")),
        ("BuildRowSetFromXML", (f"<r>{'<a/>' * 200}</r>", "//a", 1)),
        ("BuildRowsetFromJSON", (f"[{'1,' * 200}1]", "$[*]", 1)),
    ],
)
def test_exhaustion_rows_count_as_steps(name: str, arguments: tuple[object, ...]) -> None:
    run = make_run(limits=Limits(steps=500))
    call(name, *arguments, run=run)
    call(name, *arguments, run=run)
    with pytest.raises(LimitFault) as limit:
        call(name, *arguments, run=run)
    assert limit.value.code == "StepLimit"


def test_exhaustion_nested_nodes_do_not_multiply_the_document() -> None:
    xml = "<a>" * 150 + "x" * 10_000 + "</a>" * 150
    with pytest.raises(LimitFault) as limit:
        call("BuildRowSetFromXML", xml, "//a", 1, run=make_run(limits=Limits(text=1_000_000)))
    assert limit.value.code == "TextLimit"


def test_exhaustion_rows_with_columns_of_their_own_do_not_make_a_square() -> None:
    source = ",".join(f'{{"c{number}":1}}' for number in range(1_000))
    with pytest.raises(LimitFault) as limit:
        call("BuildRowsetFromJSON", f"[{source}]", "$[*]", 1, run=make_run(limits=Limits(text=500_000)))
    assert limit.value.code == "TextLimit"


ROWS = RowSet(("Name", "2"), [("Ada", "two"), (None, "zwei")])


def test_field_by_name_number_and_text_of_a_number() -> None:
    row = call("Row", ROWS, "1")
    assert call("Field", row, "NAME") == call("Field", row, 1) == call("Field", row, 1.0) == call("Field", row, "1")
    assert call("Field", row, "2") == "two"
    assert call("Field", call("Row", ROWS, 2), 1) is DATABASE_NULL


def test_a_missing_column_is_an_error_or_nothing_as_the_flag_says() -> None:
    row = call("Row", ROWS, 1)
    with pytest.raises(MissingFault, match="no column Nope; the columns are: Name, 2"):
        call("Field", row, "Nope")
    for flag in (0, False, "false"):
        assert call("Field", row, "Nope", flag) == ""
        assert call("Field", row, 3, flag) == ""


@pytest.mark.parametrize("number", [0, 3, "x", None])
def test_a_row_outside_is_an_error(number: object) -> None:
    with pytest.raises(ValueFault):
        call("Row", ROWS, number)


def test_what_is_no_rowset_or_row_is_named() -> None:
    with pytest.raises(ValueFault, match="'x' is not a rowset"):
        call("Row", "x", 1)
    with pytest.raises(ValueFault, match="a row is not a rowset"):
        call("RowCount", call("Row", ROWS, 1))
    with pytest.raises(ValueFault, match="null is not a row"):
        call("Field", None, 1)
    assert call("RowCount", None) == 0
