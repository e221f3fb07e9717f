"""Any source and any values give output or a fault with a place, never another exception."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.ampscript.rendering import ENGINE, make_run

from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.faults import Fault
from postroom.content.ampscript.run import Dialect, Limits
from postroom.content.model import ContentRejected, Problem

LIMITS = Limits(steps=2_000, output=200_000, text=20_000, lookups=50, writes=50)
ENGINES = [
    Engine(Dialect(missing_name="empty", limits=LIMITS), ENGINE.functions),
    Engine(Dialect(limits=LIMITS, lenient_markup=True, repair_keywords=True, escape_html=True, and_before_or=True),
           ENGINE.functions),
]  # fmt: skip
CALLABLE = [entry.name for entry in ENGINE.functions.values() if not entry.refused]
NAMES = [entry.name for entry in ENGINE.functions.values()]
FIELDS = [{"name": "K", "primary_key": True}, {"name": "V", "type": "Number"}, {"name": "C", "type": "Boolean"}]
DATA = {"T": {"fields": FIELDS, "rows": [{"K": "1", "V": 5, "C": False}, {"K": "2", "V": None, "C": False}]}}
BLOCKS = {"b": "%%=v(@x)=%%", "loop": "%%=ContentBlockByKey('loop')=%%", "bad": "%%=nope()=%%"}

words = st.sampled_from(
    ["%%[", "]%%", "%%=", "=%%", "%%A%%", "%%", "VAR", "SET", "IF", "THEN", "ELSEIF", "ELSE", "ENDIF", "FOR", "TO",
     "DOWNTO", "DO", "NEXT", "AND", "OR", "NOT", "@x", "@y", "[A]", "A", "'", '"', "'s'", "1", "-2.5", "==", "!=", "<",
     "<=", "=", "(", ")", ",", ";", "/*", "*/", "//", "<!--", "-->", "“", "&quot;", "&nbsp;", "<br>", "true", "false",
     "<script runat=server language=ampscript>", "<script runat='server'>", "</script>", "{{", "}}", "{{A}}", "{{{A}}}",
     "{{#each A}}", "{{/each}}", "{{#if A}}", "{{else}}", "{{/if}}", "{{#A}}", "{{/A}}", "{{^A}}", "{{.slot x}}",
     "{{/slot}}", "{{.data}}", "{{/data}}", "{{#=if", "{{=", "{{> b}}", "{{.datasource d type=nested}}",
     "{{/datasource}}",
     "\n", " ", "text", "\0", "\ud800", "𝄞",
     *NAMES]
)  # fmt: skip
soup = st.lists(st.one_of(words, st.text(max_size=5)), max_size=40).map(" ".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["2026-03-04", "12.50", "aes", "UTF-16", "$..*", "<a><b>1</b></a>",
                         '{"a":[1,{"b":2}]}', "(a+)+b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
literals = st.sampled_from(
    ["@x", "A", "B", "[C]", "'T'", "'K'", "'V'", "'C'", "'1'", "1", "0", "-1", "2.5", "''", "'x'", "true", "false",
     "'b'", "'loop'", "'bad'", "'2026-03-04'", "'D'", "'N2'", "'en-US'", "'https://example.com/?a=b c'", "99999999999",
     "'|'",
     "'%%=v(@x)=%%'", "BuildRowSetFromString(A,'a')", "LookupRows('T','C','false')", "Row(LookupRows('T','K','1'),1)"]
)  # fmt: skip


@st.composite
def call(draw: st.DrawFn, depth: int = 2) -> str:
    name = draw(st.sampled_from(CALLABLE))
    entry = ENGINE.functions[name.lower()]
    most = entry.minimum + 4 if entry.maximum is None else entry.maximum
    count = draw(st.integers(entry.minimum, max(most, entry.minimum)))
    if entry.pairs is not None and count > entry.pairs and (count - entry.pairs) % 2:
        count -= 1
    argument = literals if depth == 0 else st.one_of(literals, literals, call(depth - 1))
    return f"{name}({', '.join(draw(argument) for _ in range(count))})"


@st.composite
def program(draw: st.DrawFn, depth: int = 3) -> str:
    """A template that is well formed, though not meaningful."""
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 6))
        body = draw(program(depth - 1)) if depth else "leaf"
        if kind == 0:
            parts.append(f"%%={draw(call())}=%%")
        elif kind == 1:
            parts.append(f"%%[ SET @x = {draw(call())} ]%%%%=v(@x)=%%")
        elif kind == 2:
            operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
            condition = f"{draw(literals)} {operator} {draw(call(0))}"
            parts.append(f"%%[ IF {condition} AND NOT @x THEN ]%%{body}%%[ ELSE ]%%-%%[ ENDIF ]%%")
        elif kind == 3:
            parts.append(f"%%[ FOR @x = 1 TO {draw(literals)} DO ]%%{body}%%[ NEXT ]%%")
        elif kind == 4:
            parts.append(f"{{{{#A}}}}{body}{{{{/A}}}}{{{{#each B}}}}{{{{.}}}}{{{{/each}}}}{{{{C}}}}")
        elif kind == 5:
            parts.append(f"%%[ {draw(call())} OutputLine({draw(call(0))}) ]%%")
        else:
            parts.append(draw(st.text(max_size=20)))
    return "".join(parts)


def outcome(engine: Engine, source: str, attributes: dict[str, object]) -> dict[str, str] | Fault | list[Problem]:
    try:
        compiled = engine.compile({"html": source, "subject": source})
        return compiled.render(make_run(engine, attributes, data=DATA, blocks=BLOCKS))
    except ContentRejected as rejected:
        return rejected.problems
    except Fault as fault:
        return fault


def survive(source: str, attributes: dict[str, object]) -> None:
    for engine in ENGINES:
        got = outcome(engine, source, attributes)
        if isinstance(got, dict):
            assert set(got) == {"html", "subject"}
        elif isinstance(got, Fault):
            assert got.code != "InternalFault", got
            assert got.part
            assert min(got.line, got.column) > 0
        else:
            assert got
            assert all(min(problem.line, problem.column) > 0 and problem.code for problem in got)


@settings(max_examples=250)
@given(soup)
def test_any_source(source: str) -> None:
    survive(source, {"A": "a"})


@settings(max_examples=250)
@given(program(), values, values, values)
def test_any_program_on_any_values(source: str, one: object, two: object, three: object) -> None:
    survive(source, {"A": one, "B": two, "C": three})
