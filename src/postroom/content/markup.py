"""What the editor left in the HTML and where the preheader goes; done once, when a version is compiled."""

import re

_CUSTOM = re.compile(r"<custom\b[^<>]*>(?:\s*</custom\s*>)?", re.IGNORECASE)
_TRACKING = re.compile(r"\b(?:type\s*=\s*[\"']?tracking|name\s*=\s*[\"']?opencounter)\b", re.IGNORECASE)
_TAG = re.compile(r"<[a-z](?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE)
_EDITOR_ATTRIBUTE = re.compile(
    r"(\"[^\"]*\"|'[^']*')|\s+(?:data-linkto|conversion)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+)", re.IGNORECASE
)
_EDITOR_WORD = re.compile(r"data-linkto|conversion", re.IGNORECASE)
_BODY = re.compile(r"<body(?=[\s>])(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE)
_PREHEADER_NAME = re.compile(r"%%_preheader\s*%%", re.IGNORECASE)

HIDDEN = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;'
    'mso-hide:all">',
    "</div>",
)
"""What stands around a preheader: mail programs list the text, the opened mail does not show it."""


def strip_editor_markup(html: str) -> str:
    """``html`` without what ``editor_cuts`` finds."""
    cuts = editor_cuts(html)
    if not cuts:
        return html
    kept: list[str] = []
    at = 0
    for begin, end in cuts:
        kept.append(html[at:begin])
        at = end
    kept.append(html[at:])
    return "".join(kept)


def editor_cuts(html: str) -> list[tuple[int, int]]:
    """Where the open counter's ``<custom>`` element and the ``data-linkto`` and ``conversion`` attributes stand,
    which only the vendor's editor and sender read (ampscript.md §8): spans in order, none touching another."""
    lowered = html.lower()  # looking for words is much faster than for patterns, and most mails have none
    cuts: list[tuple[int, int]] = []
    if "<custom" in lowered:
        cuts.extend(tag.span() for tag in _CUSTOM.finditer(html) if _TRACKING.search(tag.group()))
    if "data-linkto" not in lowered and "conversion" not in lowered:
        return cuts
    for tag in _TAG.finditer(html):
        if _EDITOR_WORD.search(tag.group()) is None:
            continue
        # a quoted value is matched first and kept, so that the words within one are left alone
        found = _EDITOR_ATTRIBUTE.finditer(html, *tag.span())
        cuts.extend(match.span() for match in found if match.group(1) is None)
    cuts.sort()
    apart: list[tuple[int, int]] = []
    for begin, end in cuts:
        if not apart or begin >= apart[-1][1]:
            apart.append((begin, end))
    return apart


def asks_for_preheader(html: str) -> bool:
    """Whether ``html`` places ``%%_PreHeader%%`` itself."""
    return _PREHEADER_NAME.search(html) is not None


def place_preheader(html: str, preheader: str) -> str:
    """``html`` showing ``preheader`` in the inbox list: where it asks for ``%%_PreHeader%%`` nothing is added,
    else a hidden element opens the body."""
    if not preheader or asks_for_preheader(html):
        return html
    at = body_start(html)
    before, after = HIDDEN
    return f"{html[:at]}{before}{preheader}{after}{html[at:]}"


def body_start(html: str) -> int:
    """The offset after the ``<body>`` tag that is not in a comment, or 0."""
    at = 0
    for body in _BODY.finditer(html):
        while True:  # conditional comments for Outlook may hold a body tag of their own
            opened = html.find("<!--", at, body.start())
            if opened < 0:
                return body.end()
            closed = html.find("-->", opened)
            if closed < 0:
                return 0
            at = closed + 3
            if at > body.start():
                break
    return 0
