"""From tokens to the tree (ampscript.md §2). A mistake is reported with what to write instead; parsing goes on at
the next statement, so that one run finds the others too."""

from collections.abc import Mapping
from typing import NamedTuple

from postroom.content.attributes import fold_name

from . import tree
from .expressions import ENDS, KEYWORDS, STATEMENTS, Reader, Unreadable
from .functions.registry import Function
from .guide_tags import GuideTag
from .lexer import Token, tokens
from .problems import Findings
from .run import Dialect

MOST_LOOPS = 15
_PRINTING = frozenset({"slot", "block"})


class Opened(NamedTuple):
    """A structure whose end is awaited: keyword or guide tag, and its offset."""

    kind: str
    at: int
    name: str = ""


def parse(source: str, findings: Findings, dialect: Dialect, functions: Mapping[str, Function]) -> tree.Body:
    """The tree of one part's source; problems go to ``findings``, and with errors among them the tree has holes."""
    found = tokens(source, findings, dialect, frozenset(functions))
    return _Parser(found, findings, dialect).parse()


class _Parser(Reader):
    def __init__(self, found: list[Token], findings: Findings, dialect: Dialect) -> None:
        super().__init__(found, findings, dialect)
        self._loop_nesting = min(dialect.limits.loop_nesting, MOST_LOOPS)
        self._open: list[Opened] = []
        self._loops = 0
        self._counters: list[str] = []
        self._else_if: int | None = None

    def parse(self) -> tree.Body:
        body: tree.Body = []
        while True:
            body.extend(self._body())
            token = self._token
            if token.kind == "eof":
                return body
            # an end that nothing opened
            what = token.text.upper() if token.kind == "word" else f"{{{{{token.text}}}}}"
            if token.kind == "guide" and token.value is not None and token.value.kind == "close":
                what = f"{{{{/{token.text}}}}}"
            self._findings.error(token.at, "Unopened", f"{what} closes nothing", "take it out, or open it before")
            self._next()
            if token.kind == "word" and token.text.lower() == "next" and self._token.kind == "variable":
                self._next()
            if token.kind == "word" and token.text.lower() == "elseif":
                self._skip()

    # -- statements

    def _body(self) -> tree.Body:
        """Statements up to an end that somebody awaits, or that nobody does."""
        body: tree.Body = []
        while True:
            token = self._token
            kind = token.kind
            if kind == "word" and token.text.lower() == "end" and self._tokens[self._index + 1].text.lower() == "if":
                self._findings.error(token.at, "EndIf", "END IF ends nothing", "write ENDIF, in one word")
                self._tokens[self._index + 1] = Token("word", "ENDIF", token.at)
                self._next()
                return body
            if kind == "eof" or (kind == "word" and token.text.lower() in ENDS):
                return body
            if kind == "guide" and token.value is not None and token.value.kind in {"close", "else"}:
                if not (token.value.kind == "close" and token.value.name in _PRINTING | {"data"}):
                    return body
                self._next()
                continue
            try:
                self._statement(token, body)
            except Unreadable:
                self._skip()

    def _statement(self, token: Token, body: tree.Body) -> None:
        kind = token.kind
        if kind == "text":
            self._next()
            body.append(tree.Text(token.at, token.text))
        elif kind == "name":
            self._next()
            body.append(tree.Show(token.at, tree.Attribute(token.at, fold_name(token.text.strip("%")), token.text)))
        elif kind == "inline":
            body.append(self._inline())
        elif kind in {"open", "close", "end"}:
            self._next()
        elif kind == "guide" and token.value is not None:
            self._guide(token.value, body)
        elif kind == "word" and token.text.lower() in KEYWORDS:
            self._keyword(token, body)
        else:
            body.append(self._expression_statement())

    def _keyword(self, token: Token, body: tree.Body) -> None:
        word = token.text.lower()
        if word in STATEMENTS and len(self._open) >= self._nesting and word in {"if", "for"}:
            message = f"statements are nested more than {self._nesting} deep"
            self._findings.error(token.at, "TooDeep", message, "move the inner ones to a content block")
            self._to_eof()
            return
        if word == "var":
            body.append(self._declare())
        elif word == "set":
            body.append(self._assign())
        elif word == "if":
            body.append(self._if())
        elif word == "for":
            body.append(self._for())
        else:
            upper = word.upper()
            self._next()
            raise self._fail("Unexpected", f"{upper} stands where a statement should begin", "take it out", token.at)

    def _inline(self) -> tree.Node:
        opened = self._next()
        word = self._word()
        if word in STATEMENTS or word in ENDS:
            fix = f"write %%[ {self._token.text} … ]%%"
            self._fail("StatementInline", f"{word.upper()} cannot stand in %%= … =%%", fix)
            self._to_end()
            return tree.Text(opened.at, "")
        if self._token.kind == "end":
            self._fail("EmptyExpression", "%%= … =%% holds nothing", "give it an expression, or take it out", opened.at)
            self._next()
            return tree.Text(opened.at, "")
        try:
            value = self._expression()
        except Unreadable:
            self._to_end()
            return tree.Text(opened.at, "")
        if self._token.kind != "end":
            if self._token.kind == "operator" and self._token.text == "=":
                fix = "compare with ==, or assign with SET in a block"
            elif self._token.kind == "operator" and self._token.text == ")":
                fix = "take one ) out, or add a ("
            else:
                fix = "write one expression, or join several with Concat"
            self._fail("UnexpectedToken", f"{self._seen()} follows a complete expression", fix)
            self._to_end()
            return tree.Text(opened.at, "")
        self._next()
        return tree.Show(opened.at, value)

    def _to_end(self) -> None:
        while self._token.kind not in {"eof", "end", "open", "inline", "text", "guide", "name"}:
            self._next()
        if self._token.kind == "end":
            self._next()

    def _declare(self) -> tree.Node:
        at = self._next().at
        names: list[str] = []
        if self._token.kind != "variable":
            raise self._fail("ExpectedVariable", f"VAR is followed by {self._seen()}", "name a variable: VAR @name")
        while self._token.kind == "variable":
            names.append(self._variable().name)
            if self._token.kind != "operator" or self._token.text != ",":
                break
            self._next()
        for name in names:
            self._not_a_counter(name, at)
        return tree.Declare(at, names)

    def _assign(self) -> tree.Node:
        at = self._next().at
        if self._token.kind != "variable":
            fix = "write SET @name = value"
            if self._token.kind in {"word", "attribute"} and self._word() not in KEYWORDS:
                fix = f"a variable begins with @: SET @{self._token.text.strip('[]')} = …"
            raise self._fail("ExpectedVariable", f"SET is followed by {self._seen()}", fix)
        variable = self._variable()
        if self._token.kind != "operator" or self._token.text != "=":
            fix = f"write SET @{variable.name} = …"
            if self._token.text == "==":
                fix = f"a single = assigns: {fix}"
            raise self._fail("ExpectedAssignment", f"SET @{variable.name} is followed by {self._seen()}", fix)
        self._next()
        self._not_a_counter(variable.name, variable.at)
        value = self._expression()
        return tree.Assign(at, variable.name, value)

    def _not_a_counter(self, name: str, at: int) -> None:
        if name in self._counters:
            message = f"@{name} counts the loop around it and is set within it"
            self._findings.warn(at, "CounterAssigned", message, "use another variable")

    def _variable(self) -> tree.Variable:
        token = self._next()
        return tree.Variable(token.at, token.text[1:].casefold())

    def _condition(self, keyword: str) -> tree.Expression:
        """A condition and the THEN after it."""
        condition = self._expression()
        if self._token.kind == "operator" and self._token.text == "=":
            raise self._fail("SingleEquals", f"a single = in the condition of {keyword} compares nothing", "write ==")
        if self._word() != "then":
            message = f"the condition of {keyword} is followed by {self._seen()}"
            raise self._fail("ExpectedThen", message, f"write {keyword} condition THEN")
        self._next()
        return condition

    def _if(self) -> tree.Node:
        opened = self._next()
        self._open.append(Opened("if", opened.at))
        node = tree.If(opened.at, [], [])
        self._branch(node, "IF")
        nested: int | None = None
        while self._word() == "elseif":
            self._next()
            self._branch(node, "ELSEIF")
        if self._word() == "else":
            at = self._next().at
            if self._word() == "if":
                nested = at
                self._findings.warn(
                    at,
                    "ElseIf",
                    "ELSE IF opens a second IF inside the ELSE, which needs an ENDIF of its own",
                    "write ELSEIF",
                )
            node.otherwise = self._body()
            while self._word() in {"elseif", "else"}:
                word = self._next()
                self._findings.error(
                    word.at, "AfterElse", f"{word.text.upper()} follows ELSE", "put ELSE last, right before ENDIF"
                )
                if word.text.lower() == "elseif":
                    self._skip_condition()
                node.otherwise.extend(self._body())
        if self._word() == "endif":
            self._next()
        else:
            self._unclosed(opened.at, "IF", "ENDIF", nested)
        self._open.pop()
        return node

    def _branch(self, node: tree.If, keyword: str) -> None:
        try:
            condition = self._condition(keyword)
        except Unreadable:
            self._skip_condition()
            condition = tree.Constant(node.at, False)
        node.branches.append((condition, self._body()))

    def _skip_condition(self) -> None:
        while self._token.kind not in {"eof", "close", "text", "name", "inline", "guide"}:
            word = self._word()
            if word == "then":
                self._next()
                return
            if word in STATEMENTS or word in ENDS:
                return
            self._next()

    def _unclosed(self, at: int, keyword: str, end: str, nested: int | None = None) -> None:
        message, fix = f"{keyword} opens here and never closes", f"write {end} where it ends"
        if nested is not None or (keyword == "IF" and self._else_if is not None):
            line, _ = self._findings.places.at(nested if nested is not None else self._else_if or 0)
            fix = f"write ELSEIF instead of ELSE IF in line {line}, or add a second ENDIF"
        if nested is not None:
            self._else_if = nested
        self._findings.error(at, "Unclosed", message, fix)

    def _for(self) -> tree.Node:
        opened = self._next()
        if self._loops >= self._loop_nesting:
            message = f"loops are nested more than {self._loop_nesting} deep"
            self._findings.error(opened.at, "TooDeep", message, "move the inner ones to a content block")
            self._to_eof()
            return tree.Text(opened.at, "")
        self._open.append(Opened("for", opened.at))
        self._loops += 1
        node = tree.For(opened.at, "", tree.Constant(0, 1), tree.Constant(0, 0), False, [])
        try:
            self._loop_head(node)
        except Unreadable:
            while self._token.kind not in {"eof", "close", "text", "name", "inline", "guide"}:
                if self._word() == "do":
                    self._next()
                    break
                if self._word() in STATEMENTS or self._word() in ENDS:
                    break
                self._next()
        self._counters.append(node.name)
        node.body = self._body()
        self._counters.pop()
        if self._word() == "next":
            self._next()
            if self._token.kind == "variable":
                self._next()
        else:
            self._unclosed(opened.at, "FOR", "NEXT")
        self._loops -= 1
        self._open.pop()
        return node

    def _loop_head(self, node: tree.For) -> None:
        if self._token.kind != "variable":
            fix = "write FOR @i = 1 TO 5 DO … NEXT @i"
            raise self._fail("ExpectedVariable", f"FOR is followed by {self._seen()}", fix)
        node.name = self._variable().name
        if self._token.kind != "operator" or self._token.text != "=":
            fix = f"write FOR @{node.name} = 1 TO 5 DO"
            raise self._fail("ExpectedAssignment", f"FOR @{node.name} is followed by {self._seen()}", fix)
        self._next()
        node.first = self._expression()
        if self._word() not in {"to", "downto"}:
            message = f"the first value of FOR is followed by {self._seen()}"
            raise self._fail("ExpectedTo", message, f"write FOR @{node.name} = 1 TO 5 DO")
        node.down = self._next().text.lower() == "downto"
        node.last = self._expression()
        if self._word() != "do":
            message = f"the last value of FOR is followed by {self._seen()}"
            raise self._fail("ExpectedDo", message, f"write FOR @{node.name} = … DO")
        self._next()

    def _expression_statement(self) -> tree.Node:
        token = self._token
        if token.kind == "variable" and self._tokens[self._index + 1].text == "=":
            self._next()
            fix = f"write SET {token.text} = …"
            raise self._fail("MissingSet", f"{token.text} = assigns nothing without SET", fix, token.at)
        value = self._expression()
        if self._token.kind == "operator":
            raise self._fail("UnexpectedToken", f"{self._seen()} follows a complete expression", "take it out")
        if not isinstance(value, tree.Call):
            self._findings.warn(
                token.at, "NoEffect", "this statement does nothing", "set a variable with SET, or print with %%=v(…)=%%"
            )
        return tree.Evaluate(token.at, value)

    # -- guide tags

    def _guide(self, tag: GuideTag, body: tree.Body) -> None:
        self._next()
        if tag.kind in {"value", "raw"}:
            if tag.path.partition(".")[0].lower() in {"event", "contact"} and "." in tag.path:
                self._findings.warn(
                    tag.at,
                    "JourneyBinding",
                    f"{{{{{tag.path}}}}} belongs to a journey, not to an email",
                    "pass an attribute",
                )
            body.append(tree.Guide(tag.at, tag.path, tag.kind == "value"))
        elif tag.kind == "partial":
            body.append(tree.Partial(tag.at, tag.path))
        elif tag.kind == "condition":
            body.append(self._guide_condition(tag))
        elif tag.kind == "open" and tag.name not in _PRINTING:
            if len(self._open) >= self._nesting or self._loops >= self._loop_nesting:
                self._findings.error(
                    tag.at, "TooDeep", "sections are nested too deep", "move the inner ones to a content block"
                )
                self._to_eof()
                return
            body.append(self._section(tag))

    def _guide_condition(self, tag: GuideTag) -> tree.Node:
        self._open.append(Opened("guide", tag.at, "if"))
        try:
            condition = self._expression()
        except Unreadable:
            condition = tree.Constant(tag.at, False)
        while self._token.kind not in {"eof", "close", "end"}:
            self._fail("UnexpectedToken", f"{self._seen()} follows a complete condition", "take it out")
            self._next()
        self._next()
        node = tree.If(tag.at, [(condition, self._body())], [])
        if self._at_else():
            self._next()
            node.otherwise = self._body()
        self._close(tag, "if")
        self._open.pop()
        return node

    def _at_else(self) -> bool:
        return self._token.kind == "guide" and self._token.value is not None and self._token.value.kind == "else"

    def _section(self, tag: GuideTag) -> tree.Node:
        self._open.append(Opened("guide", tag.at, tag.name))
        self._loops += 1
        end = tag.path if tag.name in {"section", "inverted"} else tag.name
        node: tree.Section | tree.Source
        if tag.name == "datasource":
            node = self._source(tag)
        else:
            node = tree.Section(tag.at, tag.name, tag.path, self._body())
            if self._at_else():
                otherwise = self._next().value
                if otherwise is not None and otherwise.path:
                    # {{else if x}} is a section of its own, closed together with this one
                    inner = otherwise._replace(kind="open", name="if")
                    node.otherwise = [self._section(inner)]
                    self._loops -= 1
                    self._open.pop()
                    return node
                node.otherwise = self._body()
        self._close(tag, end)
        self._loops -= 1
        self._open.pop()
        return node

    def _source(self, tag: GuideTag) -> tree.Source:
        name, _, rest = tag.path.partition(" ")
        options: dict[str, str] = {}
        for option in rest.replace(" =", "=").replace("= ", "=").split():
            key, _, value = option.partition("=")
            options[key.lower()] = value.strip("\"'")
        json = ""
        for token in self._tokens[self._index :]:
            if token.kind == "guide" and token.value is not None:
                json = token.value.body if token.value.kind == "data" else ""
                break
        return tree.Source(tag.at, name, options, json, self._body())

    def _close(self, tag: GuideTag, name: str) -> None:
        token = self._token
        tag_here = token.value if token.kind == "guide" else None
        if tag_here is not None and tag_here.kind == "close" and tag_here.name.lower() == name.lower():
            self._next()
            return
        self._unclosed(
            tag.at, f"{{{{#{name}}}}}" if tag.name != "datasource" else "{{.datasource}}", f"{{{{/{name}}}}}"
        )
