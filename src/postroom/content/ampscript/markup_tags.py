"""HTML that rich-text editors leave inside code, and reading code in spite of it (Dialect.lenient_markup)."""

import re
from html import unescape

TAG = re.compile(
    r"</?(?:a|b|br|center|code|div|em|font|h[1-6]|hr|i|img|li|o:p|ol|p|pre|s|small|span|strong|sub|sup|table|tbody|td"
    r"|th|thead|tr|u|ul)(?=[\s/>])[^<>]*>",
    re.IGNORECASE,
)
_LEFT = re.compile(
    rf"(?P<string>\"[^\"]*\"|'[^']*')|(?P<quoted>&quot;(?P<inside>.*?)&quot;)"
    rf"|(?P<entity>&(?:[a-z]{{2,8}}|\#\d{{1,6}}|\#x[0-9a-f]{{1,5}});)|(?P<tag>{TAG.pattern})",
    re.IGNORECASE | re.DOTALL,
)


def blanked(source: str) -> str:
    """``source`` with its blocks free of tags and entities outside strings; everything keeps its offset."""
    done: list[str] = []
    at = 0
    while (begin := source.find("%%[", at)) >= 0 and (end := source.find("]%%", begin)) >= 0:
        done.append(source[at:begin])
        done.append(_LEFT.sub(_blank, source[begin:end]))
        at = end
    done.append(source[at:])
    return "".join(done)


def _blank(match: re.Match[str]) -> str:
    text = match.group()
    if match.lastgroup == "string":
        return text
    if match["quoted"] is not None:
        inside = unescape(match["inside"]).replace('"', '""')
        quoted = f'"{inside}"'
        return quoted.rjust(len(text) - 6).ljust(len(text)) if len(quoted) <= len(text) else text
    if match["entity"] is not None:
        char = unescape(text)
        return (" " if char.isspace() else char).rjust(len(text))
    return re.sub(r"[^\r\n]", " ", text)
