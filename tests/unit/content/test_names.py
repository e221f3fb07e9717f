"""Personalization strings: grammar, order of look-up, system names, missing names."""

from datetime import UTC, datetime

import pytest
from tests.unit.content.samples import body_text, compose, make_content, make_context, parsed, refused

from postroom.content.compiler import MissingName, compile_content
from postroom.content.model import ContentRejected
from postroom.content.names import COMPUTED, DERIVED, WITHOUT_SOURCE


def shown(html: str, **context: object) -> str:
    mail = compose(make_content(html=html + "\n"), make_context(**context))  # type: ignore[arg-type]
    return body_text(parsed(mail), "html").removesuffix("\n")


@pytest.mark.parametrize(
    "text",
    [
        "100%% sure",
        "100%% sure, 50%% off",
        "<td style='width:50%%;height:50%%'>",
        "%%",
        "%%%%",
        "%% Name %%",
        "%%1st%%",
        "%%two\nlines%%",
        "%Name%",
        "{{ two words }} {x} { {y} } }}",
        "<script>var a = '%';</script>",
    ],
)
def test_what_is_no_personalization_string_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("%%Name%%", "X"),
        ("%%nAME%%", "X"),
        ("%%%Name%%", "%X"),
        ("%%Name%%%%Name%%", "XX"),
        ("%%Name%%Name%%", "XName%%"),
        ("%%First Name%%", "Y"),
        ("%%a.b:c-d%%", "Z"),
        ("%%Größe%%", "Ö"),
        ("50%% %%Name%%", "50%% X"),
    ],
)
def test_names_as_they_are_written(text: str, result: str) -> None:
    assert shown(text, attributes={"name": "X", "FIRST NAME": "Y", "A.B:C-D": "Z", "größe": "Ö"}) == result


def test_values_are_data() -> None:
    assert shown("%%A%%", attributes={"A": "%%B%%<b>&", "B": "x"}) == "%%B%%<b>&"


def test_attributes_come_before_profile_before_system_before_ourselves() -> None:
    name = "%%emailaddr%%"
    assert shown(name) == "anna@example.org"
    assert shown(name, system={"emailaddr": "s"}) == "s"
    assert shown(name, system={"emailaddr": "s"}, profile={"EmailAddr": "p"}) == "p"
    assert shown(name, profile={"EmailAddr": "p"}, attributes={"EMAILADDR": "a"}) == "a"
    assert shown(name, profile={"EmailAddr": "p"}, attributes={"EMAILADDR": None}) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("emailaddr", "anna@example.org"),
        ("_subscriberkey", "contact-1"),
        ("_messageContext", "SEND"),
        ("_isTestSend", "False"),
        ("_messagetypepreference", "HTML"),
        ("xtmonth", "February"),
        ("xtmonthnumeric", "2"),
        ("xtday", "28"),
        ("xtdayofweek", "Saturday"),
        ("xtyear", "2026"),
        ("xtshortdate", "2/28/2026"),
        ("xtlongdate", "Saturday, February 28, 2026"),
        ("replyname", "Shop"),
        ("replyemailaddress", "shop@example.com"),
        ("_PreHeader", ""),
        ("member_busname", ""),
        ("view_email_url", ""),
    ],
)
def test_system_names(name: str, text: str) -> None:
    # half past midnight in UTC is still the day before where the vendor's clock stands
    assert shown(f"%%{name}%%", accepted_at=datetime(2026, 3, 1, 0, 30, tzinfo=UTC)) == text


def test_delivery_knows_the_send() -> None:
    assert shown("%%Member_BusName%% %%jobid%%", system={"member_busname": "ACME", "jobid": "7"}) == "ACME 7"


def test_full_name_is_made_of_its_parts() -> None:
    assert shown("%%fullname%%", attributes={"FirstName": "Anna"}, profile={"LastName": "Meyer"}) == "Anna Meyer"
    assert shown("%%fullname%%", attributes={"FirstName": "Anna", "LastName": None}) == "Anna"
    assert refused(make_content(html="%%fullname%%"), make_context()).status_code == 103


def test_tables_of_system_names_do_not_overlap() -> None:
    assert not COMPUTED.keys() & WITHOUT_SOURCE
    assert not DERIVED & (COMPUTED.keys() | WITHOUT_SOURCE)


def test_a_missing_name_fails_the_message_and_says_where() -> None:
    outcome = refused(make_content(text="x", html="a\n%%Order Number%%"), make_context({"other": 1}))
    assert outcome.status_code == 103
    assert outcome.reason == "html: no value for %%Order Number%%"


@pytest.mark.parametrize(("policy", "text"), [("empty", "<>"), ("keep", "<%%nAme%% %%Name%%>")])
def test_missing_names_by_policy(policy: MissingName, text: str) -> None:
    html = "<%%nAme%% %%Name%%>\n" if policy == "keep" else "<%%Name%%>\n"
    mail = compose(make_content(html=html), make_context(), policy)
    assert body_text(parsed(mail), "html") == f"{text}\n"


def test_personal_values_in_every_field() -> None:
    content = make_content(
        "To %%Who%%", "%%replyname%%|%%replyemailaddress%%|%%_preheader%%\n",
        preheader="For %%Who%% from %%replyname%%", from_name="%%Who%%'s shop", from_address="%%Box%%@example.com",
        reply_to="%%Box%%-reply@example.com",
    )  # fmt: skip
    mail = compose(content, make_context({"who": "Anna", "box": "b1"}))
    assert mail.subject == "To Anna"
    assert mail.sender == "b1@example.com"
    text = body_text(parsed(mail), "html")
    assert text == "Anna's shop|b1-reply@example.com|For Anna from Anna's shop\n"
    assert parsed(mail)["Reply-To"] == "b1-reply@example.com"


@pytest.mark.parametrize(
    "content",
    [
        make_content(from_name="%%replyname%%"),
        make_content(html="%%_preheader%%", preheader="%%_PreHeader%%"),
        make_content(html="%%_preheader%%", preheader="%%replyname%%", from_name="%%_preheader%%"),
    ],
)
def test_names_that_would_contain_themselves_are_rejected(content: object) -> None:
    with pytest.raises(ContentRejected, match="contain itself"):
        compile_content(content)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (make_content(html="a\nb %%[ SET @x ]%%"), "ExpectedAssignment", "html line 2 column 14"),
        (make_content("Hi %%=a(@x)=%%"), "UnknownFunction", "subject line 1 column 7"),
        (make_content(text="%%=v()=%%"), "WrongArguments", "text line 1 column 4"),
        (make_content(preheader="%%=v(“x”)=%%"), "CurlyQuote", "preheader line 1 column 6"),
        (make_content(from_name="%%=v(@x)"), "UnclosedBlock", "from name line 1 column 1"),
        (make_content(cc=("%%==%%",)), "EmptyExpression", "cc 1 line 1 column 1"),
        (
            make_content(html='<SCRIPT runat="server" language="AMPscript">ENDIF</script>'),
            "Unopened",
            "html line 1 column 45",
        ),
        (make_content(html="\n<script runat=server>x</script>"), "ServerSideJavaScript", "html line 2 column 1"),
        (make_content(html="%%MSG(0).Verb%%"), "MobileOnly", "html line 1 column 1"),
        (make_content(html=None), "NoBody", "html line 1 column 1"),
        (make_content(html="x" * 5_000_001), "TooLarge", "html line 1 column 1"),
    ],
)
def test_what_cannot_be_honoured_is_rejected_with_its_place(content: object, code: str, place: str) -> None:
    with pytest.raises(ContentRejected) as caught:
        compile_content(content)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert problem.code == code
    assert str(caught.value).startswith(f"{place}: ")


def test_every_problem_is_reported() -> None:
    with pytest.raises(ContentRejected) as caught:
        compile_content(make_content("%%=a()=%%", "%%[ x( ]%% %%[ y() ]%%", "%%_CarrierID%%"))
    assert sorted(problem.part for problem in caught.value.problems) == ["html", "html", "subject", "text"]
