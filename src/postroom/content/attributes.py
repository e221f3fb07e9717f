"""Names and values of attributes: how names are compared and how values print (ampscript.md §4)."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal


def fold_name(name: str) -> str:
    """The form in which names are compared: case and surrounding blanks do not matter."""
    return name.strip().casefold()


class FoldedNames(dict[str, str]):
    """Names seen before and their folded form: the same few names come with every message.

    Holds at most ``LIMIT`` names, however many different ones clients think of.
    """

    LIMIT = 10_000

    def __missing__(self, name: str) -> str:
        if len(self) >= self.LIMIT:
            self.clear()
        folded = self[name] = fold_name(name)
        return folded


def merge_attributes(
    request: Mapping[str, object] | None, recipient: Mapping[str, object] | None, names: FoldedNames | None = None
) -> dict[str, object]:
    """Attributes of the whole request with the recipient's own laid over them, keyed by folded names.

    A name the recipient carries wins even when its value is null (contract §4.1). ``names`` saves folding the same
    names again for every message.
    """
    if names is None:
        names = FoldedNames()
    merged = {names[name]: value for name, value in request.items()} if request else {}
    if recipient:
        merged.update({names[name]: value for name, value in recipient.items()})
    return merged


def value_text(value: object) -> str:
    """The text a JSON value prints as in a mail (ampscript.md §4).

    null prints nothing, booleans ``True``/``False``, doubles their shortest form of at most 15 significant
    digits; a list or object, which the vendor has no rule for, prints as compact JSON.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int):
        return _int_text(value)
    if isinstance(value, float):
        return _double_text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return str(value)


def _int_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses decimal text of more than 4,300 digits
        return format(Decimal(value), "f")


def _double_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"  # also for -0.0
    return f"{value:.15G}"
