"""Hostile templates end within their limits, each with its own code; named after the attack."""

import time

import pytest
from tests.unit.content.ampscript.rendering import ENGINE, make_run, render

from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.faults import Fault
from postroom.content.ampscript.run import Dialect, Limits


def code_of(source: str, attributes: dict[str, object] | None = None, **given: object) -> str:
    with pytest.raises(Fault) as caught:
        render(source, attributes, **given)  # type: ignore[arg-type]
    return caught.value.code


def errors_of(source: str) -> list[str]:
    return [one.code for one in ENGINE.diagnose({"html": source}) if one.severity == "error"]


def test_endless_loop() -> None:
    assert code_of("%%[ FOR @i = 1 TO 9000000000000000000 DO SET @x = 1 NEXT ]%%") == "StepLimit"
    nested = "%%[ FOR @i = 1 TO 1000 DO FOR @j = 1 TO 1000 DO ]%%x%%[ NEXT NEXT ]%%"
    assert code_of(nested) == "StepLimit"


def test_flood_of_output() -> None:
    dialect = Dialect(limits=Limits(output=10_000))
    assert code_of("%%[ FOR @i = 1 TO 500 DO ]%%" + "x" * 100 + "%%[ NEXT ]%%", dialect=dialect) == "OutputLimit"
    assert code_of("%%a%%" * 20, {"a": "x" * 1_000}, dialect=dialect) == "OutputLimit"
    assert code_of("%%=ContentBlockByKey('b')=%%" * 20, blocks={"b": "x" * 1_000}, dialect=dialect) == "OutputLimit"


def test_doubling_text() -> None:
    assert code_of("%%[ SET @a = 'xxxxxxxxxx' FOR @i = 1 TO 60 DO SET @a = Concat(@a, @a) NEXT ]%%") == "TextLimit"
    assert (
        code_of("%%[ SET @a = 'xxxxxxxxxx' FOR @i = 1 TO 60 DO SET @a = Replace(@a, 'x', @a) NEXT ]%%") == "TextLimit"
    )


@pytest.mark.parametrize("source", ["%%=Char(65, 9000000000000000000)=%%", "%%=Length(Char(65, 100000000))=%%"])
def test_huge_repeat_count(source: str) -> None:
    assert code_of(source) == "TextLimit"


@pytest.mark.parametrize("pattern", ["^(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a+a+)+y", "(.*)*=.*$"])
def test_catastrophic_regular_expression(pattern: str) -> None:
    source = "%%=RegExMatch(A, P, 0)=%%"
    begin = time.monotonic()
    try:
        assert render(source, {"A": "a" * 5_000 + "!", "P": pattern}) == ""
    except Fault as fault:
        assert fault.code == "PatternTimeLimit"  # noqa: PT017 a fast answer is as good
    assert time.monotonic() - begin < 5


def test_block_that_contains_itself() -> None:
    blocks = {"a": "%%=ContentBlockByKey('b')=%%", "b": "%%=ContentBlockByKey('a')=%%"}
    assert code_of("%%=ContentBlockByKey('a')=%%", blocks=blocks) == "RecursiveContent"


def test_text_that_evaluates_itself() -> None:
    source = "%%[ SET @s = Concat('%','%=TreatAsContent(@s)=%','%') ]%%%%=TreatAsContent(@s)=%%"
    assert code_of(source) == "BlockDepthLimit"


def test_blocks_that_fan_out() -> None:
    blocks = {f"b{n}": f"%%=ContentBlockByKey('b{n + 1}')=%%" * 10 for n in range(5)} | {"b5": "x"}
    assert code_of("%%=ContentBlockByKey('b0')=%%", blocks=blocks) == "BlockLimit"


def test_flood_of_lookups() -> None:
    source = "%%[ FOR @i = 1 TO 500 DO SET @x = Lookup('T','A','A', @i) NEXT ]%%"
    assert code_of(source, data={"T": [{"A": "1"}]}) == "LookupLimit"


def test_slow_template() -> None:
    ticks = iter(range(1_000_000))
    source = "%%[ FOR @i = 1 TO 100 DO SET @x = 1 NEXT ]%%"
    assert code_of(source, clock=lambda: float(next(ticks))) == "TimeLimit"
    straight = "%%=Uppercase('a')=%%" * 500
    ticks = iter(range(1_000_000))
    assert code_of(straight, clock=lambda: float(next(ticks))) == "TimeLimit"


@pytest.mark.parametrize(
    "source",
    [
        "%%=" + "Concat(" * 5_000 + "1" + ")" * 5_000 + "=%%",
        "%%=" + "(" * 100_000 + "=%%",
        "%%[ " + "IF true THEN " * 5_000 + "ENDIF " * 5_000 + "]%%",
        "%%[ " + "FOR @i = 1 TO 2 DO " * 1_000 + "NEXT " * 1_000 + "]%%",
        "{{#each a}}" * 1_000 + "{{/each}}" * 1_000,
        "%%[ IF " + "true AND false OR " * 5_000 + "true THEN ENDIF ]%%",
        "%%[ " + "IF 1 == 2 THEN ELSE " * 5_000 + "ENDIF " * 5_000 + "]%%",
    ],
    ids=["calls", "parentheses", "ifs", "loops", "sections", "logic", "elses"],
)
def test_deep_nesting(source: str) -> None:
    assert "TooDeep" in errors_of(source)


def test_the_deepest_nesting_that_is_allowed_compiles() -> None:
    calls = "%%=" + "Concat(" * 48 + "Lookup('T','A','A','1')" + ")" * 48 + "=%%"
    assert render(calls, data={"T": [{"A": "1"}]}) == "1"
    ifs = "%%[ " + "IF NOT (1 == 2 AND (3 == 4)) THEN " * 50 + "]%%x%%[ " + "ENDIF " * 50 + "]%%"
    assert render(ifs) == "x"
    loops = "%%[ " + "".join(f"FOR @i{n} = 1 TO 1 DO " for n in range(15)) + "]%%x%%[ " + "NEXT " * 15 + "]%%"
    assert render(loops) == "x"
    sections = "{{#with a}}" * 15 + "x" + "{{/with}}" * 15
    assert render(sections, {"a": {"a": 1}}) == "x"
    logic = "%%[ IF " + "(" * 40 + "true" + " AND true)" * 40 + " THEN ]%%x%%[ ENDIF ]%%"
    assert render(logic) == "x"
    nots = "%%[ IF " + "NOT " * 10_000 + "true THEN ]%%x%%[ ENDIF ]%%"
    assert render(nots) == "x"


def test_ten_megabyte_literal() -> None:
    assert errors_of("%%=v('" + "x" * 10_000_000 + "')=%%") == ["TooLarge"]
    dialect = Dialect(limits=Limits(source=20_000_000))
    assert code_of("%%=v('" + "x" * 10_000_001 + "')=%%", dialect=dialect) == "OutputLimit"


def test_flood_of_statements() -> None:
    assert "TooLarge" in errors_of("%%=v(1)=%%" * 120_000)
    assert "TooLarge" in errors_of("%%[ " + "SET @a = 1 " * 150_000 + "]%%")


def test_huge_numbers() -> None:
    assert render("%%=v(" + "9" * 100_000 + ")=%%") == "0"
    assert render("%%=v(9223372036854775807)=%% %%=v(9223372036854775808)=%%") == "9223372036854775807 0"


def test_a_template_cannot_reach_python() -> None:
    for name in ("__import__('os')", "open('/etc/passwd')", "eval('1')", "run", "v.pop", "show(1)", "part(1)"):
        source = f"%%=v({name})=%%"
        engine = Engine(Dialect(missing_name="empty"), ENGINE.functions)
        codes = {one.code for one in engine.diagnose({"html": source}) if one.severity == "error"}
        assert codes or render(source, dialect=Dialect(missing_name="empty")) == ""
    quoted = "%%=Concat('\\'', \"\"\"\", '\n', '\\n', 'k1')=%%"
    assert render(quoted.replace("'\\''", "'\\'")) == '\\"\n\\nk1'


@pytest.mark.parametrize(
    "piece",
    [
        "%%[ ", "%%=", "{{", "{{#", "{{=", "<script ", '<script runat=server "', "%%a", "%%[ /*", "%%[ '", "%%[ <!--",
        "%%[ <a ", "%%[ [a", "%%=&", "{{!--", "{{!", "{{.data}}", "%%msg(", "%%[“", "%%[ &quot;", "{{[a", "{{a.",
        "{{../",
    ],
)  # fmt: skip
@pytest.mark.parametrize("lenient", [False, True])
def test_hostile_source_is_read_in_linear_time(piece: str, lenient: bool) -> None:
    engine = Engine(Dialect(lenient_markup=lenient), ENGINE.functions)
    begin = time.process_time()
    engine.diagnose({"html": piece * 30_000})
    # quadratic reading takes minutes
    assert time.process_time() - begin < 5


def test_remembered_blocks_stay_within_bounds() -> None:
    engine = Engine(functions=ENGINE.functions)
    program = engine.compile({"html": "%%=TreatAsContent(A)=%%"})
    for number in range(700):
        assert program.render(make_run(engine, {"A": f"%%=v({number})=%%"}))["html"] == str(number)
    assert len(engine._texts) <= 500
