"""Numbers as text by .NET's patterns (§9): a letter with a precision, or a custom pattern of ``0 # , . % ;``.

Everything works on the decimal text of a number and rounds half away from zero, so 1.005 with two decimals is 1.01
although no double is exactly 1.005.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Final

from .cultures import NumberStyle

_STANDARD = re.compile(r"([A-Za-z])(\d{0,2})")
_EXACT: Final = Context(prec=1000, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999)
_MAX_PATTERN = 1_000
_DEFAULT_EXPONENT_DIGITS = 6


def format_number(number: Decimal, pattern: str, style: NumberStyle) -> str | None:
    """``number`` by ``pattern``; None when .NET knows no such pattern.

    "" is G. Infinities and NaN print as they do without a pattern.
    """
    if not number.is_finite():
        return "NaN" if number.is_nan() else "∞" if number > 0 else "-∞"
    if len(pattern) > _MAX_PATTERN:
        return None
    standard = _standard_pattern(pattern or "G") if len(pattern) <= 3 else None
    if standard is None:
        return _custom(number, pattern, style)
    return _standard(number, *standard, style)


@lru_cache(maxsize=256)
def _standard_pattern(pattern: str) -> tuple[str, int | None] | None:
    match = _STANDARD.fullmatch(pattern)
    if match is None:
        return None
    return match.group(1), int(match.group(2)) if match.group(2) else None


@lru_cache(maxsize=256)
def _around(pattern: str, symbol: str) -> tuple[str, str]:
    """What stands before and after the digits."""
    before, _, after = pattern.partition("n")
    return before.replace("¤", symbol), after.replace("¤", symbol)


def format_currency(number: Decimal, style: NumberStyle, decimals: int | None = None, symbol: str | None = None) -> str:
    """An amount of money; ``decimals`` and ``symbol`` default to the culture's."""
    if not number.is_finite():
        return "NaN" if number.is_nan() else "∞" if number > 0 else "-∞"
    places = style.currency_decimals if decimals is None else decimals
    digits, negative = _fixed(number, places, style, grouped=True)
    pattern = style.negative_currency if negative else style.currency
    if symbol is not None:
        return pattern.replace("n", digits).replace("¤", symbol)
    before, after = _around(pattern, style.symbol)
    return f"{before}{digits}{after}"


def _standard(number: Decimal, letter: str, precision: int | None, style: NumberStyle) -> str | None:
    kind = letter.upper()
    if kind == "C":
        return format_currency(number, style, precision)
    if kind in {"N", "F"}:
        digits, negative = _fixed(number, 2 if precision is None else precision, style, grouped=kind == "N")
        return f"-{digits}" if negative else digits
    if kind == "P":
        digits, negative = _fixed(_shifted(number, 2), 2 if precision is None else precision, style, grouped=True)
        return (style.negative_percent if negative else style.percent).replace("n", digits)
    if kind == "E":
        return _exponent(number, _DEFAULT_EXPONENT_DIGITS if precision is None else precision, letter, style, 3)
    if kind == "G":
        return _general(number, precision or 0, "E" if letter == "G" else "e", style)
    if kind == "R":
        return _general(number, 0, "E", style)
    if kind in {"D", "X"}:
        whole = int(_rounded(number, 0))
        if kind == "D":
            return f"{'-' if whole < 0 else ''}{abs(whole):0{precision or 0}d}"
        if whole < 0:
            whole += 2**32 if whole >= -(2**31) else 2**64
        return f"{whole:0{precision or 0}{letter}}" if whole >= 0 else None
    return None


_STEPS: Final = tuple(Decimal((0, (1,), -places)) for places in range(100))


def _rounded(number: Decimal, places: int) -> Decimal:
    step = _STEPS[places] if places < 100 else Decimal((0, (1,), -places))
    return number.quantize(step, ROUND_HALF_UP, _EXACT)


def _shifted(number: Decimal, places: int) -> Decimal:
    """``number`` times ten to the power of ``places``, exactly."""
    return number.scaleb(places, _EXACT)


def _fixed(number: Decimal, places: int, style: NumberStyle, *, grouped: bool) -> tuple[str, bool]:
    """The digits without a sign, and whether what they show is below zero."""
    rounded = _rounded(number, places)
    negative = rounded.is_signed() and not rounded.is_zero()
    if grouped and style.groups == (3,):
        digits = format(rounded.copy_abs(), ",f")
        if style.decimal != "." or style.group != ",":
            digits = digits.replace(",", "\0").replace(".", style.decimal).replace("\0", style.group)
        return digits, negative
    whole, _, fraction = format(rounded.copy_abs(), "f").partition(".")
    if grouped:
        whole = _group(whole, style)
    return (f"{whole}{style.decimal}{fraction}" if fraction else whole), negative


def _group(whole: str, style: NumberStyle) -> str:
    parts: list[str] = []
    sizes = style.groups
    index = 0
    while len(whole) > sizes[index]:
        parts.append(whole[-sizes[index] :])
        whole = whole[: -sizes[index]]
        index = min(index + 1, len(sizes) - 1)
    parts.append(whole)
    return style.group.join(reversed(parts))


def _scientific(number: Decimal, digits: int) -> tuple[str, int]:
    """``digits`` decimals of the mantissa (without sign), and the exponent."""
    if number == 0:
        return ("0." + "0" * digits).rstrip("."), 0
    exponent = number.adjusted()
    mantissa = _rounded(_shifted(number.copy_abs(), -exponent), digits)
    if mantissa >= 10:
        exponent += 1
        mantissa = _rounded(_shifted(number.copy_abs(), -exponent), digits)
    return format(mantissa, "f"), exponent


def _exponent(number: Decimal, digits: int, letter: str, style: NumberStyle, width: int) -> str:
    mantissa, exponent = _scientific(number, digits)
    sign = "-" if number < 0 else ""
    return (
        f"{sign}{mantissa.replace('.', style.decimal)}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):0{width}d}"
    )


def _general(number: Decimal, precision: int, letter: str, style: NumberStyle) -> str:
    significant = precision or max(len(number.as_tuple().digits), 1)
    mantissa, exponent = _scientific(number, significant - 1)
    limit = precision or max(15, number.adjusted() + 1)
    if number != 0 and (exponent >= limit or exponent <= -5):
        text = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        sign = "-" if number < 0 else ""
        return f"{sign}{text.replace('.', style.decimal)}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    shown = _shifted(Decimal(mantissa), exponent)
    text = format(shown, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    sign = "-" if number < 0 and shown != 0 else ""
    return sign + text.replace(".", style.decimal)


@dataclass(slots=True)
class _Section:
    """One section of a custom pattern, read: literals between digit places."""

    tokens: list[tuple[str, str]]  # kind: "0" "#" "." "text" "E"
    percent: int = 0
    per_mille: int = 0
    scale: int = 0  # commas right before the point: thousands dropped
    grouped: bool = False


def _custom(number: Decimal, pattern: str, style: NumberStyle) -> str:
    sections = _sections(pattern)
    if len(sections) > 2 and number == 0:
        chosen, signed = sections[2], False
    elif len(sections) > 1 and number < 0 and sections[1]:
        chosen, signed = sections[1], False
    else:
        chosen, signed = sections[0], number < 0
    section = _read_section(chosen)
    text, is_zero = _write_section(number.copy_abs(), section, style)
    if is_zero and len(sections) > 2 and number != 0:
        return _write_section(Decimal(0), _read_section(sections[2]), style)[0]
    return f"-{text}" if signed and not is_zero else text


def _pieces(pattern: str) -> list[tuple[str, bool]]:
    """Characters of a pattern, each with whether it was quoted or escaped; quoted runs come as one piece."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and at + 1 < len(pattern):
            found.append((pattern[at + 1], True))
            at += 2
        elif letter in "'\"":
            end = pattern.find(letter, at + 1)
            end = len(pattern) if end < 0 else end
            found.append((pattern[at + 1 : end], True))
            at = end + 1
        else:
            found.append((letter, False))
            at += 1
    return found


def _sections(pattern: str) -> list[list[tuple[str, bool]]]:
    sections: list[list[tuple[str, bool]]] = [[]]
    for piece in _pieces(pattern):
        if piece == (";", False):
            sections.append([])
        else:
            sections[-1].append(piece)
    return sections


def _read_section(pieces: list[tuple[str, bool]]) -> _Section:
    section = _Section([])
    places = [number for number, piece in enumerate(pieces) if piece in {("0", False), ("#", False)}]
    point = next((number for number, piece in enumerate(pieces) if piece == (".", False)), len(pieces))
    last_whole = max((number for number in places if number < point), default=-1)
    first_whole = places[0] if places else len(pieces)
    skip = 0
    for number, (text, quoted) in enumerate(pieces):
        if skip:
            skip -= 1
            continue
        if quoted:
            section.tokens.append(("text", text))
        elif text in "0#":
            section.tokens.append((text, text))
        elif text == ".":
            if number == point:
                section.tokens.append((".", text))
        elif text == ",":
            if first_whole < number < last_whole:
                section.grouped = True
            elif last_whole >= 0 and last_whole < number < point:
                section.scale += 1
        elif text == "%":
            section.percent += 1
            section.tokens.append(("text", text))
        elif text == "‰":
            section.per_mille += 1
            section.tokens.append(("text", text))
        elif text in "eE" and (width := _exponent_width(pieces, number + 1)):
            taken, shape = width
            section.tokens.append(("E", text + shape))
            skip = taken
        else:
            section.tokens.append(("text", text))
    return section


def _exponent_width(pieces: list[tuple[str, bool]], at: int) -> tuple[int, str] | None:
    shape = ""
    taken = 0
    if at < len(pieces) and pieces[at] in {("+", False), ("-", False)}:
        shape = pieces[at][0]
        taken = 1
    zeros = 0
    while at + taken < len(pieces) and pieces[at + taken] == ("0", False):
        zeros += 1
        taken += 1
    return (taken, shape + "0" * min(zeros, 10)) if zeros else None


def _write_section(number: Decimal, section: _Section, style: NumberStyle) -> tuple[str, bool]:
    """The text of ``number`` (not negative), and whether it shows as zero."""
    kinds = [kind for kind, _ in section.tokens]
    point = kinds.index(".") if "." in kinds else len(kinds)
    whole_places = [kind for kind in kinds[:point] if kind in {"0", "#"}]
    places = [kind for kind in kinds[point:] if kind in {"0", "#"}]
    number = _shifted(number, 2 * section.percent + 3 * section.per_mille - 3 * section.scale)
    exponent = 0
    if "E" in kinds and number != 0:
        exponent = number.adjusted() - max(len(whole_places), 1) + 1
        if _rounded(_shifted(number, -exponent), len(places)).adjusted() > _shifted(number, -exponent).adjusted():
            exponent += 1
        number = _shifted(number, -exponent)
    rounded = _rounded(number, len(places))
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0")
    wanted = len(whole_places) - whole_places.index("0") if "0" in whole_places else 0
    whole = whole.zfill(wanted)
    kept = max((index + 1 for index, kind in enumerate(places) if kind == "0"), default=0)
    while len(fraction) > kept and fraction.endswith("0"):
        fraction = fraction[:-1]
    if not whole_places and not places:
        whole = fraction = ""
    return _fill(section, whole, fraction, len(whole_places), exponent, style), rounded == 0


def _fill(section: _Section, whole: str, fraction: str, whole_places: int, exponent: int, style: NumberStyle) -> str:
    written: list[str] = []
    to_come = whole_places
    used = 0
    after_point = False
    for kind, text in section.tokens:
        if kind == "text":
            written.append(text)
        elif kind == "E":
            sign = "-" if exponent < 0 else "+" if text[1] == "+" else ""
            written.append(f"{text[0]}{sign}{abs(exponent):0{text.count('0')}d}")
        elif kind == ".":
            after_point = True
            if fraction:
                if not whole_places:
                    written.append(_grouped_digits(whole, 0, section, style))
                written.append(style.decimal)
        elif after_point:
            written.append(fraction[used : used + 1])
            used += 1
        else:
            # the first place takes all digits there is no place for
            ahead = len(whole) - to_come
            start = 0 if to_come == whole_places else max(ahead, 0)
            end = max(ahead + 1, 0)
            written.append(_grouped_digits(whole[start:end], to_come - 1, section, style) if end > start else "")
            to_come -= 1
    return "".join(written)


def _grouped_digits(digits: str, behind: int, section: _Section, style: NumberStyle) -> str:
    """``digits``, of which the last has ``behind`` digits of the whole number after it, with group marks."""
    if not section.grouped:
        return digits
    marks = _mark_positions(behind + len(digits), style.groups)
    found: list[str] = []
    for number, digit in enumerate(digits):
        found.append(digit)
        if behind + len(digits) - 1 - number in marks:
            found.append(style.group)
    return "".join(found)


def _mark_positions(length: int, groups: tuple[int, ...]) -> set[int]:
    positions: set[int] = set()
    at = 0
    index = 0
    while at < length:
        at += groups[index]
        positions.add(at)
        index = min(index + 1, len(groups) - 1)
    return positions
