"""Reading tokens and expressions (ampscript.md §2): what statements, conditions and guide tags are made of."""

from decimal import Decimal

from postroom.content.attributes import fold_name

from . import tree
from .lexer import Token
from .problems import Findings
from .run import Dialect

MOST_NESTING = 50
_INT64 = 1 << 63

STATEMENTS = frozenset({"var", "set", "if", "for"})
ENDS = frozenset({"elseif", "else", "endif", "next"})
KEYWORDS = STATEMENTS | ENDS | {"then", "do", "to", "downto", "and", "or", "not"}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


class Unreadable(Exception):
    """The statement being read cannot be; it has been reported."""


class Reader:
    """A place in a list of tokens, and the expressions read from there."""

    def __init__(self, found: list[Token], findings: Findings, dialect: Dialect) -> None:
        self._tokens = found
        self._index = 0
        self._token = found[0]
        self._findings = findings
        self._dialect = dialect
        self._nesting = min(dialect.limits.nesting, MOST_NESTING)
        self._depth = 0  # of the expression being read

    def _to_eof(self) -> None:
        """Give up: what follows is as wrong as this, and reading on would only repeat it."""
        self._index = len(self._tokens) - 1
        self._token = self._tokens[self._index]

    def _next(self) -> Token:
        token = self._token
        if token.kind != "eof":
            self._index += 1
            self._token = self._tokens[self._index]
        return token

    def _word(self) -> str:
        """The current token's keyword, or an empty text."""
        return self._token.text.lower() if self._token.kind == "word" else ""

    def _fail(self, code: str, message: str, fix: str, at: int | None = None) -> Unreadable:
        self._findings.error(self._token.at if at is None else at, code, message, fix)
        return Unreadable()

    def _seen(self) -> str:
        """The current token for a message."""
        token = self._token
        if token.kind == "eof":
            return "the end of the part"
        if token.kind in {"close", "end"}:
            return token.text or "the end of the block"
        if token.kind in {"text", "name", "inline", "open", "guide"}:
            return "text"
        return token.text if len(token.text) <= 40 else f"{token.text[:40]}…"

    def _skip(self) -> None:
        """Go on at the next statement: a keyword that begins or ends one, or the end of the block."""
        while self._token.kind not in {"eof", "close", "end", "text", "name", "inline", "guide"}:
            if self._word() in STATEMENTS or self._word() in ENDS:
                return
            self._next()

    def _expression(self) -> tree.Expression:
        self._depth += 1
        if self._depth > self._nesting:
            at = self._token.at
            self._depth = 0
            message = f"expressions are nested more than {self._nesting} deep"
            self._findings.error(at, "TooDeep", message, "keep parts of it in variables")
            raise Unreadable
        value = self._comparison()
        operator = self._word()
        if operator in {"and", "or"}:
            value = self._logic(value)
        self._depth -= 1
        return value

    def _logic(self, first: tree.Expression) -> tree.Expression:
        """AND and OR from left to right, with the same precedence unless the dialect says otherwise."""
        found: list[tuple[str, tree.Expression]] = []
        at = self._token.at
        while (operator := self._word()) in {"and", "or"}:
            self._next()
            found.append((operator, self._comparison()))
        if len({operator for operator, _ in found}) > 1:
            read = "AND before OR" if self._dialect.and_before_or else "from left to right"
            self._findings.warn(
                at, "MixedLogic", f"AND and OR are mixed without parentheses and read {read}", "add parentheses"
            )
        if self._dialect.and_before_or:
            groups: list[tree.Expression] = [first]
            for operator, operand in found:
                if operator == "and":
                    groups[-1] = self._joined("and", groups[-1], operand)
                else:
                    groups.append(operand)
            return groups[0] if len(groups) == 1 else tree.Logic(at, "or", groups)
        value = first
        changes = 0
        for operator, operand in found:
            if not isinstance(value, tree.Logic) or value.operator != operator or value is first:
                changes += 1
                if changes > self._nesting:
                    message = f"AND and OR alternate more than {self._nesting} times"
                    raise self._fail("TooDeep", message, "keep parts of the condition in variables", at)
            value = self._joined(operator, value, operand, keep=value is first)
        return value

    def _joined(
        self, operator: str, left: tree.Expression, right: tree.Expression, *, keep: bool = False
    ) -> tree.Logic:
        """``keep``: ``left`` stood in parentheses and stays one operand."""
        if isinstance(left, tree.Logic) and left.operator == operator and not keep:
            left.operands.append(right)
            return left
        return tree.Logic(left.at, operator, [left, right])

    def _comparison(self) -> tree.Expression:
        at = self._token.at
        negated = False
        while self._word() == "not":
            self._next()
            negated = not negated
        value = self._primary()
        if self._token.kind == "operator" and self._token.text in _COMPARISONS:
            operator = self._next()
            value = tree.Compare(operator.at, operator.text, value, self._primary())
        return tree.Not(at, value) if negated else value

    def _primary(self) -> tree.Expression:
        token = self._token
        kind = token.kind
        if kind == "string":
            self._next()
            quote = token.text[0]
            return tree.Constant(token.at, token.text[1:-1].replace(quote * 2, quote))
        if kind == "variable":
            self._next()
            return tree.Variable(token.at, token.text[1:].casefold())
        if kind == "number":
            self._next()
            return tree.Constant(token.at, _number(token.text))
        if kind == "attribute":
            self._next()
            return tree.Attribute(token.at, fold_name(token.text[1:-1]), token.text)
        if kind == "word":
            return self._named(token)
        if kind == "operator" and token.text == "(":
            self._next()
            value = self._expression()
            if self._token.kind == "operator" and self._token.text == "=":
                raise self._fail("SingleEquals", "a single = compares nothing", "write ==")
            if self._token.kind != "operator" or self._token.text != ")":
                raise self._fail("ExpectedParenthesis", f"( is followed by {self._seen()} before its )", "add a )")
            self._next()
            return value
        if kind == "operator" and token.text == "=":
            raise self._fail("SingleEquals", "a single = compares nothing", "write ==")
        raise self._fail("ExpectedValue", f"a value is missing before {self._seen()}", "write a value or a call there")

    def _named(self, token: Token) -> tree.Expression:
        word = token.text.lower()
        if word in {"true", "false"}:
            self._next()
            return tree.Constant(token.at, word == "true")
        following = self._tokens[self._index + 1]
        call = following.kind == "operator" and following.text == "("
        if word in KEYWORDS:
            message = f"a value is missing before {token.text}"
            raise self._fail("ExpectedValue", message, "write a value or a call there")
        self._next()
        if not call:
            return tree.Attribute(token.at, fold_name(token.text), token.text)
        self._next()
        arguments: list[tree.Expression] = []
        if self._token.kind == "operator" and self._token.text == ")":
            self._next()
            return tree.Call(token.at, token.text, arguments)
        while True:
            arguments.append(self._expression())
            if self._token.kind == "operator" and self._token.text == ",":
                self._next()
                continue
            if self._token.kind == "operator" and self._token.text == ")":
                self._next()
                return tree.Call(token.at, token.text, arguments)
            if self._token.kind == "operator" and self._token.text == "=":
                raise self._fail("SingleEquals", "a single = compares nothing", "write ==")
            fix = (
                "add a )"
                if self._token.kind in {"close", "end", "eof"} or self._word() in KEYWORDS
                else "add a , or a )"
            )
            raise self._fail("ExpectedParenthesis", f"{token.text}( is followed by {self._seen()} before its )", fix)


def _number(text: str) -> int | Decimal:
    if "." in text:
        return Decimal(text)
    if len(text) > 20:
        return 0
    value = int(text)
    return value if -_INT64 <= value < _INT64 else 0
