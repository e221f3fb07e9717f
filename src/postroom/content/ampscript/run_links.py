"""What links print while a template runs: counted addresses, or what was written where the mail counts nothing."""

from dataclasses import dataclass

from postroom.content.link_tokens import LinkPart

from .run import Run
from .values import to_text


@dataclass(frozen=True, slots=True)
class FixedLink:
    """A link whose address is literal, with the part of its token that all messages share."""

    part: LinkPart
    number: int
    name: str
    written: str


def fixed_link(run: Run, link: FixedLink) -> str:
    """The counted address of a literal link."""
    if run.links is None:
        return link.written
    if run.regions:
        return run.links.tracked(link.number, link.name, run.regions[-1], link.written)
    return run.links.click(link.part)


def link(run: Run, number: int, name: str, *parts: object) -> str:
    """The counted address of a link that ``parts`` print."""
    written = "".join([to_text(part) for part in parts])
    if run.links is None:
        return written
    return run.links.tracked(number, name, run.regions[-1] if run.regions else "", written)


def pixel(run: Run) -> str:
    """The element that asks for the open pixel."""
    return "" if run.links is None else run.links.pixel()
