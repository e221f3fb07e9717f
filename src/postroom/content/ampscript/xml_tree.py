"""XML as a small tree for ``xpath``: no DTD, no entities but the five of XML, nothing is ever fetched."""

from dataclasses import dataclass, field
from typing import Final, Literal
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

from .faults import LimitFault, ValueFault

MAX_DEPTH: Final = 200
MAX_NODES: Final = 50_000

NodeKind = Literal["root", "element", "attribute", "text", "comment", "instruction"]


@dataclass(slots=True, eq=False)
class Node:
    """One node; ``order`` is its place in the document. ``value`` is the text of all but elements. ``weight`` is what
    reading its text costs, about one for a node within it and one for a hundred characters."""

    kind: NodeKind
    name: str
    value: str
    parent: "Node | None"
    order: int
    children: list["Node"] = field(default_factory=list)
    attributes: list["Node"] = field(default_factory=list)
    weight: int = 1

    def text(self) -> str:
        """The string value of XPath 1.0 §5."""
        if self.kind not in {"element", "root"}:
            return self.value
        parts: list[str] = []
        open_nodes = [self]
        while open_nodes:
            node = open_nodes.pop()
            if node.kind == "text":
                parts.append(node.value)
            else:
                open_nodes.extend(reversed(node.children))
        return "".join(parts)

    def source(self) -> str:
        """The node as XML."""
        if self.kind == "text":
            return escape(self.value)
        if self.kind == "comment":
            return f"<!--{self.value}-->"
        if self.kind == "instruction":
            return f"<?{self.name} {self.value}?>"
        if self.kind == "attribute":
            return f"{self.name}={quoteattr(self.value)}"
        inner = "".join([child.source() for child in self.children])
        if self.kind == "root":
            return inner
        attributes = "".join([f" {attribute.source()}" for attribute in self.attributes])
        return f"<{self.name}{attributes}>{inner}</{self.name}>" if inner else f"<{self.name}{attributes} />"


def parse_xml(text: str) -> Node:
    """The root node of ``text``.

    Raises ValueFault for what is not well-formed and for a document type declaration (entity expansion, files and
    addresses would come in through it), LimitFault for a document too deep or too large.
    """
    builder = _Builder()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = builder.refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.CommentHandler = builder.comment
    parser.ProcessingInstructionHandler = builder.instruction
    try:
        parser.Parse(text, True)
    except ExpatError as problem:
        raise ValueFault(f"the XML cannot be read: {problem}", code="BadXml") from None
    except UnicodeEncodeError:
        raise ValueFault("the XML holds half of a character", code="BadXml") from None
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root = Node("root", "", "", None, 0)
        self._open = [self.root]
        self._count = 0

    def _new(self, kind: NodeKind, name: str, value: str) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise LimitFault(f"the XML has more than {MAX_NODES:,} nodes", code="TextLimit")
        return Node(kind, name, value, self._open[-1], self._count, weight=1 + len(value) // 100)

    def refuse_doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise ValueFault("the XML has a document type declaration; take <!DOCTYPE …> out", code="BadXml")

    def start(self, name: str, attributes: list[str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise LimitFault(f"the XML is nested more than {MAX_DEPTH} deep", code="TextLimit")
        element = self._new("element", name, "")
        self._open[-1].children.append(element)
        self._open.append(element)
        for at in range(0, len(attributes), 2):
            element.attributes.append(self._new("attribute", attributes[at], attributes[at + 1]))

    def end(self, name: str) -> None:
        closed = self._open.pop()
        self._open[-1].weight += closed.weight

    def characters(self, data: str) -> None:
        node = self._new("text", "", data)
        self._open[-1].children.append(node)
        self._open[-1].weight += node.weight

    def comment(self, data: str) -> None:
        self._open[-1].children.append(self._new("comment", "", data))

    def instruction(self, target: str, data: str) -> None:
        self._open[-1].children.append(self._new("instruction", target, data))
