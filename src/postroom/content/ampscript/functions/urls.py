"""Addresses (ampscript.md §14, URL)."""

from typing import Final

from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.link_tree import link_number
from postroom.content.ampscript.page_parameters import seal_parameters
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import to_flag, to_text

# what HttpUtility.UrlEncode leaves as it is
_FORM_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!*()")
_FORM: Final = tuple(
    chr(octet) if octet in _FORM_SAFE else "+" if octet == 32 else f"%{octet:02x}" for octet in range(256)
)


def form_encoded(text: str) -> str:
    """``text`` as a value of a form: blanks as +, small hexadecimal digits."""
    return "".join([_FORM[octet] for octet in text.encode("utf-8", "replace")])


@function(
    "RedirectTo",
    minimum=1,
    maximum=1,
    params="url",
    doc="Within href: the whole value is one link to be counted.",
    category="URL",
)
def redirect_to(run: Run, url: object) -> str:
    address = to_text(url)
    if run.links is None or run.part != "html":
        return address
    return run.links.tracked(link_number(address), "", run.regions[-1] if run.regions else "", address)


@function(
    "URLEncode",
    minimum=1,
    maximum=3,
    params="text[, allCharacters[, allText]]",
    doc="Encodes blanks behind the first ?; allCharacters all that is unsafe in values there, allText the whole text.",
    differences="AMPscript within the text is never evaluated.",
    category="URL",
)
def url_encode(run: Run, text: object, all_characters: object = False, all_text: object = False) -> str:
    whole = to_text(text)
    every_letter = to_flag(all_characters)
    run.check_text(3 * len(whole))
    if to_flag(all_text):
        return form_encoded(whole) if every_letter else whole.replace(" ", "%20")
    head, mark, query = whole.partition("?")
    if not every_letter:
        return f"{head}{mark}{query.replace(' ', '%20')}"
    encoded = "&".join(["=".join(map(form_encoded, part.split("=", 1))) for part in query.split("&")])
    return f"{head}{mark}{encoded}"


def _page(run: Run, page: str, address: str, parameters: tuple[object, ...]) -> str:
    if not parameters:
        return address
    pairs = [(to_text(name), to_text(value)) for name, value in zip(parameters[::2], parameters[1::2], strict=True)]
    try:
        sealed = seal_parameters(run.account.page_secret, page, pairs)
    except ValueError as problem:
        raise ValueFault(
            f"parameters of pages cannot be sealed: {problem}; make one with postroom key create --kind page",
            code="NoPageSecret",
        ) from None
    return f"{address}{'&' if '?' in address else '?'}qs={sealed}"


@function(
    "CloudPagesURL",
    minimum=1,
    params="pageId[, name, value …]",
    doc="The address of a page, its parameters sealed in one, qs.",
    differences="Pages are those that `postroom account change --page` named. qs is AES-SIV under the business unit's "
    "key of the kind page (`postroom key create`), and can be opened with it alone.",
    category="URL",
    pairs=1,
)
def cloud_pages_url(run: Run, page: object, *parameters: object) -> str:
    name = to_text(page).strip()
    address = run.account.pages.get(name)
    if address is None:
        raise MissingFault(
            f"there is no page {name!r}; name its address with postroom account change --page", code="UnknownPage"
        )
    return _page(run, name, address, parameters)


@function(
    "MicrositeURL",
    minimum=1,
    params="pageId[, name, value …]",
    doc="The older form of CloudPagesURL; a page that is not known still gives an address.",
    differences="The address of an unknown page is /page/ and its id.",
    category="URL",
    pairs=1,
)
def microsite_url(run: Run, page: object, *parameters: object) -> str:
    name = to_text(page).strip()
    return _page(run, name, run.account.pages.get(name) or f"/page/{form_encoded(name)}", parameters)


@function(
    "WrapLongURL",
    minimum=1,
    maximum=1,
    params="url",
    doc="Shortens addresses of more than 975 characters at the vendor.",
    differences="The address as it is; nothing here breaks a long one.",
    category="URL",
)
def wrap_long_url(run: Run, url: object) -> str:
    return to_text(url)
