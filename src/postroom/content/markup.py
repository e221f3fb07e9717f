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

_HIDDEN = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;'
    'mso-hide:all">{}</div>'
)


def strip_editor_markup(html: str) -> str:
    """``html`` without the open counter's ``<custom>`` element and the ``data-linkto`` and ``conversion``
    attributes, which only the vendor's editor and sender read (ampscript.md §8)."""
    html = _CUSTOM.sub(lambda tag: "" if _TRACKING.search(tag.group()) else tag.group(), html)
    if _EDITOR_WORD.search(html) is None:
        return html
    return _TAG.sub(_without_editor_attributes, html)


def place_preheader(html: str, preheader: str) -> str:
    """``html`` showing ``preheader`` in the inbox list: where it asks for ``%%_PreHeader%%`` nothing is added,
    else a hidden element opens the body."""
    if not preheader or _PREHEADER_NAME.search(html):
        return html
    at = _body_start(html)
    return html[:at] + _HIDDEN.format(preheader) + html[at:]


def _without_editor_attributes(tag: re.Match[str]) -> str:
    text = tag.group()
    if _EDITOR_WORD.search(text) is None:
        return text
    # a quoted value is matched first and kept, so that the words within one are left alone
    return _EDITOR_ATTRIBUTE.sub(lambda match: match.group(1) or "", text)


def _body_start(html: str) -> int:
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
