"""Functions on texts (ampscript.md §14, String): cases ignored letter by letter, lengths in UTF-16 code units."""

from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import (
    join_halves,
    ordinal_fold,
    ordinal_lower,
    ordinal_upper,
    shown,
    to_text,
    to_whole,
    utf16_length,
    utf16_slice,
)

# Char.IsWhiteSpace, which Python's str.strip does not follow (it also strips U+001C to U+001F)
WHITE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


@function(
    "Concat",
    minimum=1,
    params="v1[, v2 …]",
    doc="Joins the texts of all its arguments; null adds nothing.",
    category="String",
    blank_booleans=True,
)
def concat(run: Run, *values: object) -> str:
    text = "".join([to_text(value) for value in values])
    if len(text) > 1_000:
        run.check_text(len(text))
    return text if text.isascii() else join_halves(text)


@function(
    "Length",
    minimum=1,
    maximum=1,
    params="text",
    doc="The number of UTF-16 code units; an emoji counts two.",
    kind="Number",
    category="String",
    blank_booleans=True,
)
def length(run: Run, text: object) -> int:
    return utf16_length(to_text(text))


@function(
    "Lowercase",
    minimum=1,
    maximum=1,
    params="text",
    doc="The text in small letters, whatever the culture.",
    category="String",
    blank_booleans=True,
)
def lowercase(run: Run, text: object) -> str:
    return ordinal_lower(to_text(text))


@function(
    "Uppercase",
    minimum=1,
    maximum=1,
    params="text",
    doc="The text in capital letters, whatever the culture; ß stays ß.",
    category="String",
    blank_booleans=True,
)
def uppercase(run: Run, text: object) -> str:
    return ordinal_upper(to_text(text))


@function(
    "ProperCase",
    minimum=1,
    maximum=1,
    params="text",
    doc="The first letter after the start or a blank as a capital, all others small; blanks are kept.",
    differences="Whether a letter after a digit starts a word is contested; setting `template_digits_start_words`.",
    category="String",
    blank_booleans=True,
)
def proper_case(run: Run, text: object) -> str:
    digits_too = run.dialect.digits_start_words
    written: list[str] = []
    starts = True
    for letter in to_text(text):
        written.append(ordinal_upper(letter) if starts else ordinal_lower(letter))
        starts = letter in WHITE or (digits_too and letter.isdigit())
    return "".join(written)


@function(
    "Trim",
    minimum=1,
    maximum=1,
    params="text",
    doc="The text without blanks of any kind (U+00A0 too) at both ends.",
    category="String",
    blank_booleans=True,
)
def trim(run: Run, text: object) -> str:
    return to_text(text).strip(WHITE)


@function(
    "Substring",
    minimum=2,
    maximum=3,
    params="text, start[, length]",
    doc="Part of a text from position start (1 is the first); what lies outside is left out.",
    category="String",
    blank_booleans=True,
)
def substring(run: Run, text: object, start: object, length: object = None) -> str:
    whole = to_text(text)
    begin = max(to_whole(start, "the start"), 1) - 1
    if length is None:
        return utf16_slice(whole, begin, utf16_length(whole))
    wanted = to_whole(length, "the length")
    if wanted < 0:
        raise ValueFault(f"the length {wanted} is negative", code="NegativeLength")
    return utf16_slice(whole, begin, begin + wanted)


@function(
    "IndexOf",
    minimum=2,
    maximum=3,
    params="text, find[, nth]",
    doc="Where find stands in text, from 1; 0 when it does not. Case does not matter.",
    differences="nth is not documented by the vendor: which match (not overlapping); below 0 the last, 0 the first.",
    kind="Number",
    category="String",
    blank_booleans=True,
)
def index_of(run: Run, text: object, find: object, nth: object = 1) -> int:
    whole, part = to_text(text), to_text(find)
    wanted = to_whole(nth, "the occurrence")
    if not whole or not part:
        return 0
    folded, sought = ordinal_fold(whole), ordinal_fold(part)
    at = folded.find(sought)
    if wanted < 0:
        last = at
        while at >= 0:
            last = at
            at = folded.find(sought, at + len(sought))
        at = last
    else:
        for _ in range(min(max(wanted, 1), len(folded) + 1) - 1):
            if at < 0:
                break
            at = folded.find(sought, at + len(sought))
    return 0 if at < 0 else utf16_length(whole[:at]) + 1


def replaced(run: Run, text: str, find: str, by: str) -> str:
    """Every ``find`` in ``text``, in any case, as ``by``; what was put in is not read again."""
    if not text or not find:
        return text
    folded, sought = ordinal_fold(text), ordinal_fold(find)
    matches = folded.count(sought)
    if not matches:
        return text
    run.check_text(len(text) + matches * (len(by) - len(find)))
    if sought == find and folded == text:
        return text.replace(find, by)
    written: list[str] = []
    at = 0
    while (found := folded.find(sought, at)) >= 0:
        written.append(text[at:found])
        at = found + len(sought)
    written.append(text[at:])
    return by.join(written)


@function(
    "Replace",
    minimum=2,
    maximum=3,
    params="text, find[, with]",
    doc="Every find in text, in any case, replaced in one pass; without the third argument it is deleted.",
    category="String",
    blank_booleans=True,
)
def replace(run: Run, text: object, find: object, by: object = None) -> str:
    return replaced(run, to_text(text), to_text(find), to_text(by))


@function(
    "ReplaceList",
    minimum=3,
    params="text, with, find1[, find2 …]",
    doc="Replaces each find in turn, each in the result of the one before; case does not matter.",
    category="String",
    blank_booleans=True,
)
def replace_list(run: Run, text: object, by: object, *finds: object) -> str:
    result, new = to_text(text), to_text(by)
    for find in finds:
        result = replaced(run, result, to_text(find), new)
    return result


@function(
    "Char",
    minimum=1,
    maximum=2,
    params="code[, repeat]",
    doc="The character with that UTF-16 code (34 is a quote, 13 and 10 a line break), repeated.",
    category="String",
)
def char(run: Run, code: object, repeat: object = 1) -> str:
    unit = to_whole(code, "the code") % 65_536
    times = to_whole(repeat, "the repeat count")
    if times < 0:
        raise ValueFault(f"the repeat count {shown(repeat)} is negative", code="NegativeLength")
    run.check_text(times)
    return chr(unit) * times
