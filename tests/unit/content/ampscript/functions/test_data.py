"""Data extensions: reads, writes, claims, and where they are counted."""

import pytest
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import LimitFault, MissingFault, ValueFault
from postroom.content.ampscript.memory import MemoryData
from postroom.content.ampscript.run import Limits, Run
from postroom.content.ampscript.values import DATABASE_NULL, to_text


def loaded() -> MemoryData:
    return MemoryData.load(
        {
            "Loyalty": {
                "fields": [
                    {"name": "Key", "type": "Text", "primary_key": True},
                    {"name": "First Name", "type": "Text"},
                    {"name": "Tier", "type": "Text", "nullable": True},
                    {"name": "Points", "type": "Number", "nullable": True},
                ],
                "rows": [
                    {"Key": "1", "First Name": "Ada", "Tier": "Gold", "Points": 30},
                    {"Key": "2", "First Name": "bob", "Tier": "gold", "Points": 10},
                    {"Key": "3", "First Name": "Cy", "Tier": None, "Points": 20},
                ],
            },
            "Coupons": {
                "fields": [
                    {"name": "Code", "type": "Text"},
                    {"name": "Taken", "type": "Boolean"},
                    {"name": "Who", "type": "Text", "nullable": True},
                    {"name": "Why", "type": "Text", "nullable": True},
                ],
                "rows": [{"Code": "C1", "Taken": False}, {"Code": "C2", "Taken": False}],
            },
        }
    )


def names(run: Run, rowset: object, column: str = "First Name") -> list[str]:
    count = call("RowCount", rowset, run=run)
    assert isinstance(count, int)
    return [to_text(call("Field", call("Row", rowset, number), column)) for number in range(1, count + 1)]


def test_lookup() -> None:
    run = make_run(data=loaded())
    assert call("Lookup", "LOYALTY", "first name", "Key", 1, run=run) == "Ada"
    assert call("Lookup", "Loyalty", "Tier", "Key", "3", run=run) is DATABASE_NULL
    assert call("Lookup", "Loyalty", "Tier", "Key", "9", run=run) is DATABASE_NULL
    assert call("Lookup", "Loyalty", "Key", "Tier", "GOLD", "Points", 10, run=run) == "2"


def test_what_is_not_there_is_named_even_when_no_row_matches() -> None:
    run = make_run(data=loaded())
    with pytest.raises(MissingFault, match="Nope"):
        call("Lookup", "Nope", "a", "b", "c", run=run)
    with pytest.raises(MissingFault, match="no column Nope"):
        call("Lookup", "Loyalty", "Nope", "Key", "9", run=run)
    with pytest.raises(MissingFault, match="no column Nope"):
        call("LookupRows", "Loyalty", "Nope", "9", run=run)
    with pytest.raises(ValueFault, match="name of a column is empty"):
        call("LookupRows", "Loyalty", "", "9", run=run)
    with pytest.raises(ValueFault, match="name of a data extension is empty"):
        call("DataExtensionRowCount", " ", run=run)


def test_rows_and_their_order() -> None:
    run = make_run(data=loaded())
    assert names(run, call("LookupRows", "Loyalty", "Tier", "GOLD", run=run)) == ["Ada", "bob"]
    assert names(run, call("LookupRowsCS", "Loyalty", "Tier", "gold", run=run)) == ["bob"]
    ordered = call("LookupOrderedRows", "Loyalty", 0, "Points", "Tier", "gold", run=run)
    assert names(run, ordered) == ["bob", "Ada"]
    ordered = call("LookupOrderedRows", "Loyalty", "1", "[First Name] DESC, Key asc", "Tier", "gold", run=run)
    assert names(run, ordered) == ["bob"]
    assert names(run, call("LookupOrderedRowsCS", "Loyalty", -1, "Points", "Tier", "Gold", run=run)) == ["Ada"]
    assert call("DataExtensionRowCount", "loyalty", run=run) == 3


def test_at_most_as_many_rows_as_the_limit_says() -> None:
    run = make_run(data=loaded(), limits=Limits(rows=1))
    assert call("RowCount", call("LookupRows", "Loyalty", "Tier", "gold", run=run)) == 1
    assert call("RowCount", call("LookupOrderedRows", "Loyalty", 9, "Key", "Tier", "gold", run=run)) == 1


def test_writes() -> None:
    data = loaded()
    run = make_run(data=data)
    assert call("InsertDE", "Loyalty", "Key", "4", "First Name", "Di", run=run) == ""
    assert call("UpdateDE", "Loyalty", 1, "Key", "1", "Tier", "Silver", run=run) == ""
    assert call("UpdateDE", "Loyalty", "1", "Key", "99", "Tier", "Silver", run=run) == ""
    assert call("UpsertDE", "Loyalty", 1, "Key", "5", "First Name", "Ed", run=run) == ""
    assert call("UpsertDE", "Loyalty", 2, "Key", "2", "Tier", "gold", "Points", 11, run=run) == ""
    assert call("DeleteDE", "Loyalty", "Key", "3", run=run) == ""
    rows = [(to_text(row[0]), to_text(row[2]), to_text(row[3])) for row in data.table("Loyalty").rows]
    assert rows == [("1", "Silver", "30"), ("2", "gold", "11"), ("4", "", ""), ("5", "", "")]
    with pytest.raises(ValueFault):
        call("InsertDE", "Loyalty", "Key", "1", "First Name", "again", run=run)


def test_parts_that_may_not_write_leave_everything_as_it_is() -> None:
    data = loaded()
    run = make_run(data=data)
    run.may_write = False
    call("InsertDE", "Loyalty", "Key", "4", "First Name", "Di", run=run)
    call("UpdateDE", "Loyalty", 1, "Key", "1", "Tier", "Silver", run=run)
    call("UpsertDE", "Loyalty", 1, "Key", "5", "First Name", "Ed", run=run)
    call("DeleteDE", "Loyalty", "Key", "3", run=run)
    assert data.table("Loyalty").rows == loaded().table("Loyalty").rows


@pytest.mark.parametrize("keys", [0, 2, -1, "x", 1.5])
def test_a_wrong_number_of_keys_is_an_error(keys: object) -> None:
    with pytest.raises(ValueFault):
        call("UpdateDE", "Loyalty", keys, "Key", "1", "Tier", "Silver", run=make_run(data=loaded()))


def test_claims() -> None:
    data = loaded()
    run = make_run(data=data)
    first = call("ClaimRow", "Coupons", "Taken", "Who", "a", "Why", "gift", run=run)
    assert call("Field", first, "Code") == "C1"
    assert call("ClaimRowValue", "Coupons", "Code", "Taken", "none", "Who", "a", run=run) == "C1"
    assert call("ClaimRowValue", "Coupons", "code", "Taken", "none", "Who", "b", run=run) == "C2"
    assert call("ClaimRowValue", "Coupons", "Code", "Taken", "none", "Who", "c", run=run) == "none"
    assert call("Empty", call("ClaimRow", "Coupons", "Taken", "Who", "c", run=run)) is True
    assert data.table("Coupons").rows[0][3] == "gift"
    with pytest.raises(MissingFault, match="Nope"):
        call("ClaimRowValue", "Coupons", "Nope", "Taken", "none", "Who", "a", run=run)
    with pytest.raises(ValueFault, match="who claims"):
        call("ClaimRow", "Coupons", "Taken", "Who", "", run=run)


def test_reads_and_writes_are_counted() -> None:
    run = make_run(data=loaded(), limits=Limits(lookups=1, writes=1))
    call("DataExtensionRowCount", "Loyalty", run=run)
    call("DeleteDE", "Loyalty", "Key", "3", run=run)
    with pytest.raises(LimitFault) as limit:
        call("Lookup", "Loyalty", "Tier", "Key", "1", run=run)
    assert limit.value.code == "LookupLimit"
    with pytest.raises(LimitFault) as limit:
        call("ClaimRow", "Coupons", "Taken", "Who", "a", run=run)
    assert limit.value.code == "WriteLimit"
