"""The tree of one template: what the parser makes and the compiler turns into code.

Every node knows ``at``, its character offset in the source. Names of variables and attributes are folded.
"""

from dataclasses import dataclass, field
from decimal import Decimal

Literal = str | int | Decimal | bool


@dataclass(slots=True)
class Constant:
    """A string, number, true or false as written."""

    at: int
    value: Literal


@dataclass(slots=True)
class Variable:
    at: int
    name: str


@dataclass(slots=True)
class Attribute:
    """``Name`` or ``[Name]`` in code, ``%%Name%%`` in text; ``written`` is all of it as the author wrote it."""

    at: int
    name: str
    written: str


@dataclass(slots=True)
class Call:
    at: int
    name: str
    arguments: list["Expression"]


@dataclass(slots=True)
class Compare:
    at: int
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(slots=True)
class Not:
    at: int
    operand: "Expression"


@dataclass(slots=True)
class Logic:
    """Operands that all bind with the same ``operator``, AND or OR, from left to right."""

    at: int
    operator: str
    operands: list["Expression"]


Expression = Constant | Variable | Attribute | Call | Compare | Not | Logic


@dataclass(slots=True)
class Text:
    at: int
    text: str


@dataclass(slots=True)
class Show:
    """Print what an expression gives: ``%%=…=%%``, ``%%Name%%`` and ``{{=…}}``."""

    at: int
    value: Expression


@dataclass(slots=True)
class Declare:
    at: int
    names: list[str]


@dataclass(slots=True)
class Assign:
    at: int
    name: str
    value: Expression


@dataclass(slots=True)
class Evaluate:
    """An expression as a statement: its result is dropped."""

    at: int
    value: Expression


@dataclass(slots=True)
class If:
    """``branches`` in order, each a condition and its body; ``otherwise`` is the body of ELSE."""

    at: int
    branches: list[tuple[Expression, "Body"]]
    otherwise: "Body"


@dataclass(slots=True)
class For:
    at: int
    name: str
    first: Expression
    last: Expression
    down: bool
    body: "Body"


@dataclass(slots=True)
class Guide:
    """A value of the Guide Template Language: ``{{path}}`` (``escape``) or ``{{{path}}}``."""

    at: int
    path: str
    escape: bool


@dataclass(slots=True)
class Section:
    """``{{#path}}`` (kind "section"), ``{{^path}}`` ("inverted"), and the helpers each, if, unless, with, switch, case
    and default; ``otherwise`` is the body of ``{{else}}``."""

    at: int
    kind: str
    path: str
    body: "Body"
    otherwise: "Body" = field(default_factory=list)


@dataclass(slots=True)
class Partial:
    """``{{> name}}``: a content block, or nothing when there is none."""

    at: int
    name: str


@dataclass(slots=True)
class Source:
    """``{{.datasource name …}}``: binds ``json`` or a data extension for its body."""

    at: int
    name: str
    options: dict[str, str]
    json: str
    body: "Body"


@dataclass(slots=True)
class Link:
    """An href value that is counted; ``parts`` print it. ``number`` and ``name`` tell it from others."""

    at: int
    number: int
    name: str
    parts: list[Text | Show]


@dataclass(slots=True)
class Pixel:
    """The open pixel."""

    at: int


Node = Link | Pixel | Text | Show | Declare | Assign | Evaluate | If | For | Guide | Section | Partial | Source
Body = list[Node]
