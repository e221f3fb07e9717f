"""The plain text that stands beside an HTML body whose author wrote none, made once when a version is compiled.

It is a template like the HTML it comes from: personalization strings go through as they are written, in links too.
"""

import re

from .ampscript.lexer import has_code
from .ampscript.run import Dialect
from .source import pieces
from .transfer import plain_text

MAX_HTML = 200_000
"""Longer HTML gets no text: reading it would hold up a delivery process for more than a tenth of a second."""

# Characters of a private plane, which no mail has: around the number of a string, and before, in and after a link.
_OPEN, _CLOSE = "\U000f0000", "\U000f0001"
_LINK, _TARGET, _END = "\U000f0002", "\U000f0003", "\U000f0004"

_MARKS = re.compile("[\U000f0000-\U000f0004]")
_STRING = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_ANCHOR = re.compile(f"{_LINK}([^{_LINK}]*?){_TARGET}([^{_END}]*){_END}")
_SHOWN = re.compile(f"(?:https?:|mailto:|tel:|{_OPEN})", re.IGNORECASE)
_GAP = re.compile(r"(?<=\S) {3,}")  # columns, which values of other lengths would not keep
_UNSEEN = re.compile("[\\s\u00ad\u034f\u200b-\u200f\u2007\u2060\ufeff]*")


def text_of(html: str) -> str | None:
    """The text of an HTML template without code, or None where there is none to be had: nothing to read in it, too
    long, or such that a text would say something else than the HTML."""
    if len(html) > MAX_HTML or _MARKS.search(html) is not None:
        return None
    written: list[str] = []
    marked = []
    for piece in pieces(plain_text(html)):
        if piece.name is None:
            marked.append(piece.text)
        else:
            marked.append(f"{_OPEN}{len(written)}{_CLOSE}")
            written.append(piece.text)
    try:
        laid_out = _laid_out("".join(marked))
    except Exception:
        # whatever a parser does not like about the HTML: a mail is not worth less for having no text
        return None
    laid_out = _ANCHOR.sub(_link, laid_out.replace("\u00a0", " "))
    lines = ["" if _UNSEEN.fullmatch(line) else _GAP.sub("  ", line.rstrip()) for line in laid_out.split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    shown = [written[int(number)] for number in _STRING.findall(text)]
    text = _STRING.sub(lambda match: written[int(match.group(1))], text)
    # "&#37;" is text in HTML, and could be code or a string in the text
    same = shown == [piece.text for piece in pieces(text) if piece.name is not None]
    if not text.strip() or _MARKS.search(text) is not None or not same or has_code(text, Dialect()):
        return None
    return f"{text}\n"


def _laid_out(html: str) -> str:
    # Here, because it takes 0.2 s and most commands need none of it.
    from inscriptis import get_text
    from inscriptis.model.config import ParserConfig
    from inscriptis.model.html_document_state import HtmlDocumentState
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping

    def link(state: HtmlDocumentState, attributes: dict[str, str]) -> None:
        target = attributes.get("href", "").strip()
        state.link_target = target if _SHOWN.match(target) is not None else ""
        if state.link_target:
            state.tags[-1].write(_LINK)

    def link_end(state: HtmlDocumentState) -> None:
        if state.link_target:
            state.tags[-1].write(f"{_TARGET}{state.link_target}{_END}")

    def image(state: HtmlDocumentState, attributes: dict[str, str]) -> None:
        state.tags[-1].write(attributes.get("alt", ""))

    handlers = CustomHtmlTagHandlerMapping({"a": link, "img": image}, {"a": link_end})
    text: str = get_text(html, ParserConfig(display_links=True, custom_html_tag_handler_mapping=handlers))
    return text


def _link(match: re.Match[str]) -> str:
    """``text <address>``, or the text alone where it says the address itself."""
    text, target = match.groups()
    named = re.sub(r"^(?:https?://|mailto:|tel:)|/$", "", target, flags=re.IGNORECASE)
    if text.strip().lower() in (target.lower(), named.lower()):
        return text
    return f"{text} <{named if target.lower().startswith(('mailto:', 'tel:')) else target}>".lstrip()
