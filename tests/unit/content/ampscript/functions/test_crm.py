"""Salesforce objects in data extensions, microsites, and what is refused."""

import pytest
from tests.unit.content.ampscript.functions.calls import FUNCTIONS, call, make_run

from postroom.content.ampscript.faults import LimitFault, MissingFault, Refused, ValueFault
from postroom.content.ampscript.memory import MemoryData
from postroom.content.ampscript.run import Account, Limits
from postroom.content.ampscript.values import RowSet


def crm() -> MemoryData:
    fields = [
        {"name": "Id", "type": "Text", "primary_key": True},
        {"name": "Name", "type": "Text"},
        {"name": "Age", "type": "Number", "nullable": True},
    ]
    rows = [{"Id": "1", "Name": "Ada", "Age": 36}, {"Id": "2", "Name": "Bob", "Age": 20}, {"Id": "3", "Name": "Cy"}]
    return MemoryData.load({"Contact": {"fields": fields, "rows": rows}})


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (("Name", "=", "ADA"), ["1"]),
        (("Age", ">", 20), ["1", "3"]),
        (("Age", ">=", "20"), ["1", "2"]),
        (("Name", "!=", "Bob", "Age", "<", 50), ["1", "3"]),
        (("Name", "=", "Nobody"), []),
    ],
)
def test_retrieve(conditions: tuple[object, ...], found: list[str]) -> None:
    rows = call("RetrieveSalesforceObjects", "Contact", "Id, Name", *conditions, run=make_run(data=crm()))
    assert isinstance(rows, RowSet)
    assert rows.columns == ("Id", "Name")
    assert [rows.row(number).by_name("id")[1] for number in range(1, len(rows) + 1)] == found


def test_retrieve_errors() -> None:
    run = make_run(data=crm(), limits=Limits(rows=2))
    with pytest.raises(ValueFault, match="operator"):
        call("RetrieveSalesforceObjects", "Contact", "Id", "Age", "LIKE", "x", run=run)
    with pytest.raises(ValueFault, match="not complete"):
        call("RetrieveSalesforceObjects", "Contact", "Id", "Age", "=", run=run)
    with pytest.raises(MissingFault, match="no field Nope"):
        call("RetrieveSalesforceObjects", "Contact", "Nope", "Id", "=", "1", run=run)
    with pytest.raises(LimitFault, match="more than 2 records"):
        call("RetrieveSalesforceObjects", "Contact", "Id", "Age", ">", 1, run=run)


def test_update_and_create() -> None:
    data = crm()
    run = make_run(data=data)
    assert call("UpdateSingleSalesforceObject", "Contact", "1", "Name", "Ada L", run=run) == 1
    assert call("UpdateSingleSalesforceObject", "Contact", "9", "Name", "x", run=run) == 0
    made = call("CreateSalesforceObject", "Contact", 1, "Name", "Di", run=run)
    assert call("CreateSalesforceObject", "Contact", "2", "id", "X7", "Name", "Ed", run=run) == "X7"
    assert [row[:2] for row in data.table("Contact").rows[3:]] == [[made, "Di"], ["X7", "Ed"]]
    assert data.table("Contact").rows[0][1] == "Ada L"
    with pytest.raises(ValueFault, match="2 fields are announced and 1 given"):
        call("CreateSalesforceObject", "Contact", 2, "Name", "x", run=run)


def test_parts_that_may_not_write_change_nothing() -> None:
    data = crm()
    run = make_run(data=data)
    run.may_write = False
    assert call("UpdateSingleSalesforceObject", "Contact", "1", "Name", "x", run=run) == 1
    assert call("CreateSalesforceObject", "Contact", 2, "Id", "7", "Name", "x", run=run) == "7"
    assert data.table("Contact").rows == crm().table("Contact").rows


def test_microsite_functions_tell_the_account() -> None:
    run = make_run(account=Account(account_id=5, name="Acme", enterprise_id=1))
    assert call("AuthenticatedMemberID", run=run) == "5"
    assert call("AuthenticatedMemberName", run=run) == "Acme"
    assert call("AuthenticatedEnterpriseID", run=run) == "1"
    assert call("AuthenticatedEnterpriseID", run=make_run(account=Account(account_id=5))) == "5"
    assert call("AuthenticatedMemberID") == call("AuthenticatedEnterpriseID") == ""
    for name in ("ID", "UserName", "NotificationAddress"):
        assert call(f"AuthenticatedEmployee{name}", run=run) == ""
    assert call("RequestParameter", "x") == call("QueryParameter", "x") == ""


def test_what_the_vendor_refuses_is_refused_with_a_reason() -> None:
    refused = {entry.name for entry in FUNCTIONS.values() if entry.refused}
    assert {"InsertData", "Redirect", "CreateObject", "InvokePerform", "ExecuteFilter", "UpsertMscrmRecord"} <= refused
    assert len(refused) == 45
    with pytest.raises(Refused):
        call("InsertData", "a", "b", "c")
