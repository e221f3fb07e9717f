"""Which content blocks a template names literally, so that a name nobody has stored is told before a send."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from . import tree
from .run import BlockKind
from .values import to_text

_KINDS: Final[dict[str, BlockKind]] = {
    "contentblockbykey": "key", "contentblockbyid": "id", "contentarea": "id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """A call that fails its message when there is no content block of that name. ``line`` and ``column`` from 1."""

    part: str
    line: int
    column: int
    function: str
    kind: BlockKind
    name: str


def named_blocks(nodes: Sequence[tree.Node | tree.Expression]) -> list[tuple[int, str, BlockKind, str]]:
    """Offset, function, kind and name of each literal one among ``nodes`` that is not allowed to be missing."""
    found = []
    for node in nodes:
        kind = _KINDS.get(node.name.lower()) if isinstance(node, tree.Call) else None
        if kind is None or not isinstance(node, tree.Call) or not node.arguments or len(node.arguments) > 2:
            continue  # a third argument says whether it may be missing
        name = node.arguments[0]
        if isinstance(name, tree.Constant):
            found.append((node.at, node.name, kind, to_text(name.value).strip()))
    return found
