"""How the pages of recipients look: plain HTML without script, in the business unit's language and name.

Everything that comes from outside is escaped here. The style stands in the page, and the policy allows just that one,
by its hash.
"""

import base64
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from postroom.api.reply import Header
from postroom.audience.preferences import ListChoice

_STYLE: Final = files("postroom.api").joinpath("recipient_pages.css").read_text(encoding="utf-8")
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")

PAGE_HEADERS: Final[Sequence[Header]] = (
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'".encode("ascii"),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
    (b"cache-control", b"no-store, private"),
)

VIEW_HEADERS: Final[Sequence[Header]] = (
    (
        b"content-security-policy",
        b"sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
        b"default-src 'none'; img-src http: https: data:; media-src http: https:; font-src http: https: data:; "
        b"style-src 'unsafe-inline' http: https:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    *PAGE_HEADERS[1:],
)


class Words:
    """The texts of one language."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def say(self, name: str, **values: str) -> str:
        """A text with its values in place, as HTML."""
        return escape(self._texts[name], quote=False).format(
            **{key: self.value(value) for key, value in values.items()}
        )

    def value(self, text: str) -> str:
        """A value as texts show it."""
        return f"<b>{escape(text)}</b>"

    def plain(self, name: str) -> str:
        """A text without values."""
        return escape(self._texts[name])


class Languages:
    """All languages; one that is not known is English."""

    def __init__(self) -> None:
        source = files("postroom.api").joinpath("recipient_texts.toml").read_text(encoding="utf-8")
        self._words = {language: Words(language, texts) for language, texts in tomllib.loads(source).items()}

    def of(self, language: str) -> Words:
        """The words of a language."""
        return self._words.get(language) or self._words["en"]


def page(words: Words, title: str, unit: str, content: Sequence[str]) -> bytes:
    """A whole page; ``title`` names a text, ``content`` is HTML."""
    heading = words.plain(title)
    head = f"{heading} - {escape(unit)}" if unit else heading
    above = f'<p class="unit">{escape(unit)}</p>' if unit else ""
    return (
        f'<!doctype html>\n<html lang="{words.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{head}</title>'
        f"<style>{_STYLE}</style></head>\n<body><main>{above}<h1>{heading}</h1>\n"
        f"{''.join(content)}\n</main></body></html>\n"
    ).encode("utf-8", "replace")


def paragraph(html: str, css: str = "", role: str = "") -> str:
    """A paragraph of text that is HTML already."""
    attributes = (f' class="{css}"' if css else "") + (f' role="{role}"' if role else "")
    return f"<p{attributes}>{html}</p>"


def button(label: str, action: str, css: str = "") -> str:
    """A button that sends its form with ``action``."""
    attribute = f' class="{css}"' if css else ""
    return f'<button name="action" value="{action}"{attribute}>{label}</button>'


def form(content: Sequence[str]) -> str:
    """A form that is sent to the page's own address."""
    return f'<form method="post">{"".join(content)}</form>'


def check(choice: ListChoice) -> str:
    """A list with its box."""
    state = " checked" if choice.on else ""
    return (
        f'<label class="check"><input type="checkbox" name="list" value="{choice.list_id}"{state}>'
        f"<span>{escape(choice.name)}</span></label>"
    )


def text_field(label: str, name: str, value: str, most: int) -> str:
    """A field of one line with its label, which is escaped here."""
    return (
        f'<label>{escape(label)}<input type="text" name="{escape(name)}" value="{escape(value)}" '
        f'maxlength="{most}"></label>'
    )


def links(targets: Sequence[tuple[str, str]]) -> str:
    """Where to go from here: addresses and labels."""
    return "<nav>" + "".join(f'<a href="{escape(address)}">{label}</a>' for address, label in targets) + "</nav>"
