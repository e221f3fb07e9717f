"""Programs: parts share variables and run in order, faults know their place, data is waited for."""

import asyncio

import pytest
from tests.unit.content.ampscript.rendering import ENGINE, make_run, render

from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.faults import Fault, Raised
from postroom.content.ampscript.run import Dialect, Pairs, Rows, Services
from postroom.content.model import ContentRejected


def failed(source: str, **given: object) -> Fault:
    with pytest.raises(Fault) as caught:
        render(source, **given)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("source", "function", "place"),
    [
        ('a\n%%=Add("x", 1)=%%', "Add", (2, 4)),
        ('%%=Concat("a",\n  Uppercase("b"), Add(1,"y"))=%%', "Add", (2, 19)),
        ("%%[ SET @a = 1\n SET @b = Substring('a', 'b') ]%%", "Substring", (2, 11)),
        ("%%[ IF 1 == 1 THEN\n IF 2 == 2 AND Divide('a', 1) > 1 THEN ENDIF ENDIF ]%%", "Divide", (2, 16)),
        ("%%[ FOR @i = 1 TO 'x' DO ]%%y%%[ NEXT ]%%", "FOR", (1, 5)),
        ("%%=IIf(true, Add('x', 1), 2)=%%", "Add", (1, 14)),
        ("%%=IIf(false, 2, Add('x', 1))=%%", "Add", (1, 18)),
        ("%%=IIf(Add('z', 1) > 1, Add('x', 1), 2)=%%", "Add", (1, 8)),
        ("x %%Nobody%%", "", (1, 3)),
        ("%%=v([No Body])=%%", "", (1, 6)),
        ("%%=Lookup('Nope','a','b','c')=%%", "Lookup", (1, 4)),
        ("%%=Concat('a', Lookup('Nope','a','b','c'))=%%", "Lookup", (1, 16)),
        ("%%[ OutputLine(Concat('a'),\nConcat(Add('q',1))) ]%%", "Add", (2, 8)),
        ("%%=Concat(OutputLine(Concat('b')))=%%", "OutputLine", (1, 11)),
    ],
)
def test_a_fault_knows_its_place(source: str, function: str, place: tuple[int, int]) -> None:
    fault = failed(source)
    assert (fault.part, fault.function, (fault.line, fault.column)) == ("html", function, place)
    assert fault.code != "InternalFault"


def test_a_fault_within_a_content_block_names_the_block() -> None:
    fault = failed("a\n%%=ContentBlockByKey('b')=%%", blocks={"b": "x\n\n%%=Add('x',1)=%%"})
    assert "b" in fault.part
    assert (fault.line, fault.column, fault.function) == (3, 4, "Add")


def test_a_block_that_cannot_be_compiled_fails_the_message() -> None:
    fault = failed("%%=ContentBlockByKey('b')=%%", blocks={"b": "%%=Nope()=%%"})
    assert fault.code == "BlockRejected"
    assert "there is no function Nope" in fault.message


def test_raised_errors_keep_what_they_say() -> None:
    fault = failed("a%%[ RaiseError('no stock', true) ]%%b")
    assert isinstance(fault, Raised)
    assert (fault.skip, fault.message, fault.line, fault.column) == (True, "no stock", 1, 6)


def test_parts_run_in_order_and_share_variables() -> None:
    program = ENGINE.compile(
        {
            "subject": "%%=v(@x)=%%s%%[ SET @x = Concat(@x,'4') ]%%",
            "text": "%%=v(@x)=%%t%%[ SET @x = Concat(@x,'3') ]%%",
            "html": "%%=v(@x)=%%h%%[ SET @x = Concat(@x,'2') ]%%",
            "preheader": "%%=v(@x)=%%p%%[ SET @x = '1' ]%%",
            "from name": "%%=v(@x)=%%",
        }
    )
    assert program.render(make_run()) == {
        "preheader": "p",
        "html": "1h",
        "text": "12t",
        "subject": "123s",
        "from name": "1234",
    }


def test_writes_happen_in_one_part_only() -> None:
    rows = {"Log": [{"K": "0"}]}
    write = "%%[ InsertDE('Log', 'K', Concat('k', RowCount(LookupRows('Log','K','0')))) ]%%"
    run = make_run(data=rows)
    ENGINE.compile({"html": write, "text": write, "subject": write}).render(run)
    assert asyncio.run(run.data.size("Log")) == 2
    run = make_run(data=rows)
    ENGINE.compile({"text": write, "subject": write}).render(run)
    assert asyncio.run(run.data.size("Log")) == 2


class Waiting:
    """Data extensions that take a moment."""

    async def find(self, table: str, match: Pairs, *, exact: bool = False, order: object = (), limit: int = 0) -> Rows:
        await asyncio.sleep(0)
        return Rows(["A"], [(f"{table}!",)])


def test_data_that_takes_a_moment_is_waited_for() -> None:
    program = ENGINE.compile({"html": "a%%=Lookup('T','A','B','c')=%%b"})
    run = make_run()
    run.services = Services(data=Waiting())  # type: ignore[arg-type]
    assert program.asynchronous
    with pytest.raises(Fault) as caught:
        program.render(run)
    assert caught.value.code == "NeedsData"
    assert asyncio.run(program.render_async(run))["html"] == "aT!b"


def test_a_lost_database_is_not_the_templates_fault() -> None:
    class Lost:
        async def find(self, *given: object, **more: object) -> Rows:
            raise ConnectionResetError

    run = make_run()
    run.services = Services(data=Lost())  # type: ignore[arg-type]
    with pytest.raises(ConnectionResetError):
        ENGINE.compile({"html": "%%=Lookup('T','A','B','c')=%%"}).render(run)


def test_what_needs_no_data_is_synchronous() -> None:
    assert not ENGINE.compile({"html": "%%=Uppercase('a')=%%%%[ FOR @i=1 TO 3 DO NEXT ]%%"}).asynchronous


def test_every_error_of_every_part_is_reported() -> None:
    with pytest.raises(ContentRejected) as caught:
        ENGINE.compile({"html": "%%=a()=%%\n%%=b()=%%", "subject": "%%=c()=%%"})
    assert [(problem.part, problem.line) for problem in caught.value.problems] == [
        ("html", 1),
        ("html", 2),
        ("subject", 1),
    ]


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("%%[ IF false OR true AND false THEN ]%%y%%[ ELSE ]%%n%%[ ENDIF ]%%", "n"),
        ("%%[ IF true OR true AND false THEN ]%%y%%[ ELSE ]%%n%%[ ENDIF ]%%", "n"),
        ("%%[ IF true OR (true AND false) THEN ]%%y%%[ ELSE ]%%n%%[ ENDIF ]%%", "y"),
        ("%%[ IF NOT NOT true THEN ]%%y%%[ ENDIF ]%%", "y"),
    ],
)
def test_and_and_or_bind_alike(source: str, printed: str) -> None:
    assert render(source) == printed


def test_a_dialect_where_and_binds_tighter() -> None:
    source = "%%[ IF true OR true AND false THEN ]%%y%%[ ELSE ]%%n%%[ ENDIF ]%%"
    assert render(source, dialect=Dialect(and_before_or=True)) == "y"


@pytest.mark.parametrize(("policy", "printed"), [("empty", "a  b"), ("keep", "a %%No Body%% b")])
def test_names_nobody_has_a_value_for(policy: str, printed: str) -> None:
    assert render("a %%No Body%% b", dialect=Dialect(missing_name=policy)) == printed  # type: ignore[arg-type]


def test_values_are_data() -> None:
    values = {"A": "%%=v(@x)=%% %%[ SET @x = 1 ]%% {{b}}", "B": "b"}
    assert render("%%A%%|%%=v(A)=%%|%%[ SET @a = A ]%%%%=v(@a)=%%|{{{A}}}", values) == "|".join([values["A"]] * 4)


def test_html_is_escaped_where_the_dialect_says_so() -> None:
    dialect = Dialect(escape_html=True)
    source = "%%A%% %%=v(A)=%% %%=ContentBlockByKey('b')=%% %%=Concat('<')=%%"
    assert render(source, {"A": "<&>"}, dialect=dialect, blocks={"b": "<b>%%A%%</b>"}) == (
        "&lt;&amp;&gt; &lt;&amp;&gt; <b>&lt;&amp;&gt;</b> &lt;"
    )


def test_the_same_seed_gives_the_same_random_values() -> None:
    source = "%%=GUID()=%% %%=Random(1, 1000000)=%% %%=GUID()=%%"
    first = render(source)
    assert first == render(source)
    assert len(set(first.split())) == 3


def test_the_last_text_and_many_branches_come_out_whole() -> None:
    branches = "".join(f"%%[ ELSEIF @n == {n} THEN ]%%{n}!%%[ SET @seen = {n} ]%%" for n in range(1, 300))
    source = f"%%[ SET @n = N IF @n == 0 THEN ]%%zero{branches}%%[ ELSE ]%%other%%[ ENDIF ]%% %%=v(@seen)=%%."
    for number, printed in ((0, "zero ."), (1, "1! 1."), (299, "299! 299."), (300, "other .")):
        assert render(source, {"N": number}) == printed


def test_two_engines_share_nothing() -> None:
    strict, lenient = Engine(), Engine(Dialect(missing_name="empty"))
    assert lenient.compile({"html": "%%x%%"}).render(make_run(lenient)) == {"html": ""}
    with pytest.raises(Fault):
        strict.compile({"html": "%%x%%"}).render(make_run(strict))
