"""Every mistake is reported once, at its place, with what to write instead; the other mistakes are found too."""

import pytest
from tests.unit.content.ampscript.rendering import ENGINE

from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.problems import Diagnostic
from postroom.content.ampscript.run import Dialect


def found(source: str, dialect: Dialect | None = None) -> list[Diagnostic]:
    engine = ENGINE if dialect is None else Engine(dialect, ENGINE.functions)
    return engine.diagnose({"html": source})


@pytest.mark.parametrize(
    ("source", "code", "place", "fix"),
    [
        ("%%=Lookupp(1)=%%", "UnknownFunction", (1, 4), "did you mean Lookup?"),
        ("a\n %%=Substring('x')=%%", "WrongArguments", (2, 5), "give what it asks for"),
        ("%%=Lookup('a','b','c','d','e')=%%", "WrongArguments", (1, 4), "give what it asks for"),
        ("%%[ IF @a = 1 THEN ]%%x%%[ ENDIF ]%%", "SingleEquals", (1, 11), "write =="),
        ("%%=IIf(@a = 1, 2, 3)=%%", "SingleEquals", (1, 11), "write =="),
        ("%%[ SET @a == 1 ]%%", "ExpectedAssignment", (1, 12), "a single = assigns: write SET @a = …"),
        ("%%[ SET a = 1 ]%%", "ExpectedVariable", (1, 9), "a variable begins with @: SET @a = …"),
        ("%%[ @a = 1 ]%%", "MissingSet", (1, 5), "write SET @a = …"),
        ("%%[ VAR a ]%%", "ExpectedVariable", (1, 9), "name a variable: VAR @name"),
        ("%%[ IF 1 == 1 ]%%x%%[ ENDIF ]%%", "ExpectedThen", (1, 15), "write IF condition THEN"),
        ("%%[ FOR @i = 1 TO 2 ]%%x%%[ NEXT ]%%", "ExpectedDo", (1, 21), "write FOR @i = … DO"),
        ("%%[ FOR @i = 1 DO ]%%x%%[ NEXT ]%%", "ExpectedTo", (1, 16), "write FOR @i = 1 TO 5 DO"),
        ("%%[ FOR i = 1 TO 2 DO NEXT ]%%", "ExpectedVariable", (1, 9), "write FOR @i = 1 TO 5 DO … NEXT @i"),
        ("%%[ IF true THEN ]%%x", "Unclosed", (1, 5), "write ENDIF where it ends"),
        ("%%[ FOR @i = 1 TO 2 DO ]%%x", "Unclosed", (1, 5), "write NEXT where it ends"),
        ("x%%[ ENDIF ]%%", "Unopened", (1, 6), "take it out, or open it before"),
        ("%%[ NEXT @i ]%%", "Unopened", (1, 5), "take it out, or open it before"),
        ("%%[ ELSEIF true THEN ]%%", "Unopened", (1, 5), "take it out, or open it before"),
        ("%%[ SET @a = 1", "UnclosedBlock", (1, 1), "close it with ]%%"),
        ("%%=v(@a)", "UnclosedBlock", (1, 1), "close it with =%%"),
        ("%%[ SET @a = 1 <p>%%=v(@a)=%%", "UnclosedBlock", (1, 1), "close it with ]%%"),
        ("%%=v(@a)]%%", "WrongEnd", (1, 9), "write =%%"),
        ("%%[ SET @a = 1 =%%", "WrongEnd", (1, 16), "write ]%%"),
        ('%%=v("abc)=%%', "UnclosedString", (1, 6), 'close it with "'),
        ("%%[ /* abc ]%%", "UnclosedComment", (1, 5), "close it with */"),
        ("%%=v(“abc”)=%%", "CurlyQuote", (1, 6), "write a straight \" or '"),
        ("%%=v(&quot;abc&quot;)=%%", "HtmlEntity", (1, 6), 'write "'),
        ("%%[ SET @a&nbsp;= 1 ]%%", "HtmlEntity", (1, 11), "write a blank"),
        ("%%[ SET @a = 1<br> ]%%", "HtmlInCode", (1, 15), "take it out, or close the block with ]%% before it"),
        ("%%=v(%%Name%%)=%%", "NameInCode", (1, 6), "write [Name]"),
        ("%%=v(@a)+1=%%", "Arithmetic", (1, 9), "call Add(…, …), or Concat(…, …) to join texts"),
        ("%%[ IF true THEN ]%%x%%[ END IF ]%%", "EndIf", (1, 26), "write ENDIF, in one word"),
        ("%%[ IF 1 <> 2 THEN ENDIF ]%%", "WrongOperator", (1, 10), "write !="),
        ("%%[ IF true && true THEN ENDIF ]%%", "WrongOperator", (1, 13), "write AND"),
        ("%%=SET=%%", "StatementInline", (1, 4), "write %%[ SET … ]%%"),
        ("%%==%%", "EmptyExpression", (1, 1), "give it an expression, or take it out"),
        ("%%=v(1) v(2)=%%", "UnexpectedToken", (1, 9), "write one expression, or join several with Concat"),
        ("%%=Concat(1,)=%%", "ExpectedValue", (1, 13), "write a value or a call there"),
        ("%%=Concat(1 2)=%%", "ExpectedParenthesis", (1, 13), "add a , or a )"),
        ("%%=Concat(1=%%", "ExpectedParenthesis", (1, 12), "add a )"),
        ("%%=v(@a))=%%", "UnexpectedToken", (1, 9), "take one ) out, or add a ("),
        ("%%=(1=%%", "ExpectedParenthesis", (1, 6), "add a )"),
        (
            "%%=Msg(0).Verb=%%",
            "UnexpectedCharacter",
            (1, 10),
            "a value like Msg(0).Verb exists in mobile messages only",
        ),
        ("%%[ THEN ]%%", "Unexpected", (1, 5), "take it out"),
        ("%%[ IF true THEN ELSE ELSE ENDIF ]%%", "AfterElse", (1, 23), "put ELSE last, right before ENDIF"),
        ("%%[ InsertData('D','c','v') ]%%", "RefusedFunction", (1, 5), ""),
        ("%%_CarrierID%%", "MobileOnly", (1, 1), "take it out of the email"),
        ("%%MSG(0).Verb%%", "MobileOnly", (1, 1), "take it out of the email"),
        (
            "<script runat='server'>var a;</script>",
            "ServerSideJavaScript",
            (1, 1),
            'write the script as AMPscript, with language="ampscript" in its tag, or take it out',
        ),
        ("{{#if x}}y", "Unclosed", (1, 1), "write {{/if}} where it ends"),
        ("y{{/if}}", "Unopened", (1, 2), "take it out, or open it before"),
        ("{{.data}}{}", "GuideTag", (1, 1), "take the tag out or write it as AMPscript"),
    ],
)
def test_a_mistake(source: str, code: str, place: tuple[int, int], fix: str) -> None:
    errors = [one for one in found(source) if one.severity == "error"]
    assert [(one.code, (one.line, one.column)) for one in errors][:1] == [(code, place)]
    assert errors[0].fix == fix


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("%%[ IF 1==2 THEN ELSE IF true THEN ENDIF ENDIF ]%%", "ElseIf"),
        ("%%[ IF true AND true OR true THEN ENDIF ]%%", "MixedLogic"),
        ("%%[ SET @a = 1; ]%%", "Semicolon"),
        ("%%[ // note\nSET @a = 1 ]%%", "LineComment"),
        ("%%[ <!-- note --> SET @a = 1 ]%%", "HtmlComment"),
        ("%%[ 5 < 6 ]%%", "NoEffect"),
        ("%%[ FOR @i = 1 TO 2 DO SET @i = 5 NEXT @i ]%%", "CounterAssigned"),
        ("%%=Concat(true)=%%", "BooleanLiteral"),
        ("%%=Concat(OutputLine(Concat(1)))=%%", "NestedOutput"),
        ("%%=TreatAsContent(FirstName)=%%", "EvaluatesData"),
        ("%%[ SET @a = Lookup('D','a','b','c') SET @b = Concat(@a) ]%%%%=TreatAsContent(@b)=%%", "EvaluatesData"),
        ("%%=BeginImpressionRegion(@a)=%%", "RegionName"),
        ("{{Contact.Name}}", "JourneyBinding"),
    ],
)
def test_a_doubt(source: str, code: str) -> None:
    assert [(one.severity, one.code) for one in found(source)] == [("warning", code)]


def test_what_is_right_is_not_reported() -> None:
    source = """%%[ VAR @a, @b, /* note */ SET @a = 'it''s' SET @b = [First Name]
      IF NOT Empty(@a) AND (@b == "x" OR @b == 'y') THEN ]%% <b style="a:{b}">&quot;</b> %%[ ELSEIF 1 < -2.5 THEN ]%%
      %%=TreatAsContent("%%=v(@a)=%%")=%% %%[ ELSE ]%% 100%% {x} %%[ ENDIF FOR @i = 3 DOWNTO 1 DO Output(v(@i)) NEXT ]%%
      <script>if (a < b && c) { d = "%"; }</script>"""
    assert found(source) == []


def test_three_mistakes_are_found_in_one_run() -> None:
    source = "%%[ SET @a = “x” ]%%\n%%=Uppercas('a')=%%\n%%[ IF @a = 'x' THEN ]%%y%%[ ENDIF ]%%"
    assert [(one.line, one.code) for one in found(source)] == [
        (1, "CurlyQuote"),
        (2, "UnknownFunction"),
        (3, "SingleEquals"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "Dear %%=v(@a), 2 + 3 / 4 - done; (see <b>there</b>) & more.\n%%=v(@b)=%%",
        "Dear %%=v(@a), 2 + 3 / 4 - done; see <b>there</b>",
        "Dear %%=Concat(@a, 'x')=% and so on - really.\n%%[ SET @a = 1 ]%%",
    ],
)
def test_after_an_expression_that_never_closes_its_text_is_no_mistake(source: str) -> None:
    assert [(each.code, each.column) for each in found(source)] == [("UnclosedBlock", 6)]


def test_else_if_without_its_endif_is_named() -> None:
    (warning, error) = sorted(
        found("%%[ IF 1==1 THEN ]%%a%%[ ELSE IF 1==2 THEN ]%%b%%[ ENDIF ]%%"), key=lambda one: one.severity == "error"
    )
    assert (warning.code, error.code) == ("ElseIf", "Unclosed")
    assert error.fix == "write ELSEIF instead of ELSE IF in line 1, or add a second ENDIF"


def test_unknown_names_where_the_names_are_known() -> None:
    known = frozenset({"firstname", "last name"})
    source = "%%FirstName%% %%=v([Last  Name])=%% %%Frstname%%"
    places = [(one.column, one.code, one.fix) for one in ENGINE.diagnose({"html": source}, known_names=known)]
    assert places[-1] == (37, "UnknownName", "did you mean firstname?")
    lenient = Engine(Dialect(missing_name="empty"), ENGINE.functions)
    assert {one.severity for one in lenient.diagnose({"html": source}, known_names=known)} == {"warning"}


def test_a_lenient_dialect_reads_what_an_editor_left_behind() -> None:
    dialect = Dialect(lenient_markup=True)
    source = "%%[<p>SET @a&nbsp;=&nbsp;&quot;x &amp; y&quot;<br>\nIF 1 &lt; 2 THEN</p>]%%%%=v(@a)=%%%%[ ENDIF ]%%"
    assert found(source, dialect) == []


def test_a_dialect_that_repairs_reads_words_that_grew_together() -> None:
    source = "%%[ IF 1==2 THEN SET @a = 1 ELSESET @a = 2 ENDIFIF true THEN ENDIF ]%%"
    assert [one.severity for one in found(source, Dialect(repair_keywords=True))] == ["warning", "warning"]
    assert "error" in {one.severity for one in found(source)}


def test_a_flood_of_mistakes_ends() -> None:
    assert len(found("%%=a()=%%\n" * 5_000)) == 100


def test_an_attribute_named_end_is_no_end() -> None:
    assert found("%%[ SET @a = End IF true THEN SET @b = 1 ENDIF ]%%") == []


@pytest.mark.parametrize("pattern", ["ddddd, d MMMM yyyy", "dddd", "MM/dd/yyyy", "d", "hh:ss", "yyyy-MM-dd"])
def test_date_patterns_without_traps(pattern: str) -> None:
    assert found(f"%%=FormatDate(A, '{pattern}', 'HH:mm')=%%") == []


@pytest.mark.parametrize(
    ("pattern", "code", "fix"),
    [
        ("yyyy-MM-dd HH:mm", "DatePattern", 'FormatDate(…, "yyyy-MM-dd", "HH:mm")'),
        ("h:m", "DatePattern", "give the time as an argument of its own"),
        ("ddd, d MMM", "DayPattern", "write dddd for Wed, ddddd for Wednesday"),
    ],
)
def test_date_patterns_with_traps(pattern: str, code: str, fix: str) -> None:
    (one,) = found(f"%%=FormatDate(A, '{pattern}')=%%")
    assert (one.severity, one.code, one.line, one.column, one.function) == ("warning", code, 1, 18, "FormatDate")
    assert fix in one.fix
