"""Templates are linted and rendered without being saved; nothing is sent, and what they write is forgotten."""

from typing import Any

import pytest
from tests.wire.live import Unit

LINT = "/postroom/v1/templates/lint"
RENDER = "/postroom/v1/templates/render"


def judged(unit: Unit, **body: Any) -> tuple[bool, list[tuple[str, str, int, int]]]:
    """Whether it is valid, and code, part and place of each finding."""
    reply = unit.call("POST", LINT, json=body)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    return found["valid"], [(one["code"], one["part"], one["line"], one["column"]) for one in found["diagnostics"]]


def table(unit: Unit, name: str, fields: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """A data extension with rows."""
    made = unit.call("POST", "/data/v1/customobjects", json={"name": name, "key": name, "fields": fields})
    assert made.status_code == 201, made.text
    for row in rows:
        keys = ",".join(f"{field['name']}:{row[field['name']]}" for field in fields if field.get("isPrimaryKey"))
        kept = unit.call("PUT", f"/hub/v1/dataevents/key:{name}/rows/{keys}", json={"values": row})
        assert kept.status_code == 200, kept.text


def test_lint_finds_what_saving_would(unit: Unit) -> None:
    before = unit.stored()
    assert judged(unit, html="<p>%%=v(1)=%%</p>") == (True, [])
    assert judged(unit, subject="%%=v(1)=%%") == (True, [])
    wrong = {"html": "<p>\n%%=Uppercas(1)=%%", "subject": "%%[ SET @a = 1; ]%%"}
    expected = (False, [("UnknownFunction", "html", 2, 4), ("Semicolon", "subject", 1, 15)])
    assert judged(unit, **wrong) == expected
    views = {"html": {"content": wrong["html"]}, "subjectline": {"content": wrong["subject"]}}
    assert judged(unit, views=views) == expected
    assert judged(unit, views={"html": {"content": 5}}) == (False, [("WrongType", "html", 1, 1)])
    assert judged(unit, subject="%%[ SET @a = 1; ]%%") == (True, [("Semicolon", "subject", 1, 15)])
    assert judged(unit, html="<script runat='server'>x</script>")[0] is False
    assert unit.stored() == before


def test_lint_knows_the_names_of_a_send_or_of_a_data_extension(unit: Unit) -> None:
    html = "%%OrderNumber%% %%Frstname%% %%xtday%%"
    unknown = [("UnknownName", "html", 1, 1), ("UnknownName", "html", 1, 17)]
    assert judged(unit, html=html) == (True, [])
    assert judged(unit, html=html, attributes={}) == (False, unknown)
    assert judged(unit, html=html, attributes={"ordernumber": 1, "FIRSTNAME": "x"}) == (False, unknown[1:])
    table(unit, "orders", [{"name": "OrderNumber", "type": "Text", "length": 20, "isPrimaryKey": True}], [])
    assert judged(unit, html=html, dataExtension="orders") == (False, unknown[1:])


def test_a_mail_is_rendered_as_it_would_be_sent(unit: Unit) -> None:
    table(
        unit,
        "Shops",
        [
            {"name": "Id", "type": "Text", "length": 9, "isPrimaryKey": True, "isNullable": False},
            {"name": "City", "type": "Text", "length": 50},
        ],
        [{"Id": "2", "City": "Oslo"}],
    )
    block = {"name": "f", "customerKey": "foot", "assetType": {"id": 197}, "content": "Yours, %%=v(@city)=%%"}
    assert unit.call("POST", "/asset/v1/content/assets", json=block).status_code == 201
    reply = unit.call(
        "POST",
        RENDER,
        json={
            "subject": "%%FirstName%%: %%=v(@city)=%%",
            "preheader": "%%xtyear%%",
            "html": "<body>%%[ SET @city = Lookup('Shops','City','Id', Shop) ]%%<p>Hällo %%=v(@city)=%%</p></body>",
            "text": "%%=ContentBlockByKey('foot')=%%\r\n%%emailaddr%%; %%[ SET @a = 1; ]%%",
            "attributes": {"FirstName": "Änne", "shop": 2},
            "to": "aenne@example.org",
            "now": "2031-06-01T12:00:00Z",
        },
    )
    assert reply.status_code == 200, reply.text
    got = reply.json()
    assert got["subject"] == "Änne: Oslo"
    assert "<p>Hällo Oslo</p></body>" in got["html"]
    assert ">2031</div>" in got["html"]
    assert got["text"] == "Yours, Oslo\naenne@example.org; \n"
    assert [one["code"] for one in got["diagnostics"]] == ["Semicolon"]


def test_rendering_writes_and_claims_nothing(unit: Unit) -> None:
    fields: list[dict[str, Any]] = [
        {"name": "Code", "type": "Text", "length": 9, "isPrimaryKey": True, "isNullable": False},
        {"name": "Taken", "type": "Boolean"},
        {"name": "Who", "type": "Text", "length": 50},
    ]
    table(unit, "Coupons", fields, [{"Code": "A", "Taken": "false", "Who": ""}])
    written = unit.call("POST", RENDER, json={"html": "%%[ InsertDE('Coupons','Code','B') ]%%x"})
    assert written.json()["html"] == "x\n"
    claimed = unit.call(
        "POST", RENDER, json={"html": "%%=ClaimRowValue('Coupons','Code','Taken','none','Who','me')=%%"}
    )
    assert claimed.status_code == 400
    assert "a trial claims no row" in claimed.json()["message"]
    rows = unit.call("GET", "/data/v1/customobjectdata/key/Coupons/rowset").json()["items"]
    assert [(row["keys"], row["values"].get("taken", "False")) for row in rows] == [({"code": "A"}, "False")]


@pytest.mark.parametrize(
    ("body", "errorcode", "said"),
    [
        ({}, 10002, "there is no template"),
        ({"html": ""}, 10002, "there is no template"),
        ({"html": "x", "views": {}}, 10005, "views and html are both given"),
        ({"html": 5}, 10001, "html must be string"),
        ({"html": "x", "attributes": []}, 10001, "attributes must be object"),
        ({"html": "x", "dataExtension": "nowhere"}, 10005, "there is no data extension with key 'nowhere'"),
        ({"html": "x", "dataExtension": "a\0"}, 10005, "NUL"),
        ({"html": "x", "now": "soon"}, 10003, "now is 'soon'"),
        ({"html": "x", "now": "0001-01-01T00:00:00+14:00"}, 10003, "now is"),
        ({"html": "%%=Now()=%%", "now": "0001-01-01T00:00:00Z"}, 10003, "from the year 1900"),
        ({"subject": "x"}, 109124, "give at least one"),
        ({"html": "%%=Nope()=%%"}, 109124, "html line 1 column 4"),
        ({"html": "x", "to": "nobody"}, 10000, "not a mail address"),
        ({"html": "\n%%=Add('x',1)=%%"}, 10000, "html line 2 column 4: Add: 'x' is not a number [NotANumber]"),
        ({"html": "%%[ FOR @i = 1 TO 999999999 DO NEXT ]%%"}, 10000, "[StepLimit]"),
        ({"html": "%%[ RaiseError('out', true) ]%%"}, 10000, "out"),
        ({"html": "%%=Lookup('none','a','b',1)=%%"}, 10000, "there is no data extension none"),
    ],
)
def test_what_cannot_be_rendered_says_why(unit: Unit, body: dict[str, Any], errorcode: int, said: str) -> None:
    reply = unit.call("POST", RENDER, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode), reply.text
    assert said in reply.json()["message"]
    if errorcode == 10000:
        assert reply.json()["statusMessage"] in {"MessageBuildError", "InvalidEmailAddressError", "Excluded"}


@pytest.mark.parametrize("value", ["Char(0)", "Char(55296)", "Concat('a', Char(0), 'b')"])
def test_a_look_up_of_a_character_that_no_row_can_hold_finds_nothing(unit: Unit, value: str) -> None:
    table(unit, "T", [{"name": "A", "type": "Text", "length": 9, "isPrimaryKey": True, "isNullable": False}], [])
    for html in (f"[%%=Lookup('T','A','A',{value})=%%]", f"[%%=RowCount(LookupRowsCS('T','A',{value}))=%%]"):
        reply = unit.call("POST", RENDER, json={"html": html})
        assert reply.status_code == 200, reply.text
        assert reply.json()["html"] in {"[]\n", "[0]\n"}
