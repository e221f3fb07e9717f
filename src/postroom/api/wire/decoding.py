"""From bytes to wire structs, and from msgspec's complaints to the vendor's codes."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from postroom.api.errors import ApiError, Code

_T = TypeVar("_T")

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_WRONG = re.compile(r"Expected `(.+?)`, got `(.+?)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_WORDS = {"str": "string", "bool": "boolean", "int": "integer", "float": "number"}
_NO_CODES: Mapping[str, Code] = {}


def decode(decoder: "msgspec.json.Decoder[_T]", body: bytes, codes: Mapping[str, Code] = _NO_CODES) -> _T:
    """The body as the decoder's struct.

    Raises ApiError: 10004 for what is not JSON, 109122 for a field the struct forbids, 10001 for a wrong type,
    always naming the field. ``codes`` has other codes for wrong types by field path or its beginning, and for
    unknown members by the path of the object; the body's is empty.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as problem:
        raise _explained(str(problem), codes) from None
    except msgspec.DecodeError as problem:
        raise ApiError(Code.UNPARSEABLE, f"the body is not JSON: {problem}") from None
    except UnicodeDecodeError as problem:
        raise ApiError(Code.UNPARSEABLE, f"the body is not UTF-8 at byte {problem.start}") from None
    except RecursionError:
        raise ApiError(Code.UNPARSEABLE, "the body is nested too deeply") from None


def _explained(problem: str, codes: Mapping[str, Code]) -> ApiError:
    if unknown := _UNKNOWN.match(problem):
        name = unknown[1]
        if name.lower() == "access_token":
            return ApiError(Code.TOKEN_IN_BODY)
        place = unknown[2] or ""
        if place in codes:
            return ApiError(codes[place], f"{place or 'the body'} has no member {name[:100]!r}; leave it out")
        return ApiError(Code.UNKNOWN_FIELD, f"Unrecognized email field name '{name}'")
    if wrong := _WRONG.match(problem):
        wanted = [kind for kind in wrong[1].split(" | ") if kind != "null"]
        expected = " or ".join(_WORDS.get(kind, kind) for kind in wanted)
        field = wrong[3] or "the body"
        code = next((code for path, code in codes.items() if path and field.startswith(path)), Code.WRONG_TYPE)
        return ApiError(code, f"{field} must be {expected}, not {_WORDS.get(wrong[2], wrong[2])}")
    return ApiError(Code.WRONG_TYPE, problem)


def storable(fields: Mapping[str, str | None]) -> None:
    """Raises ApiError 10005 for a text with a NUL character, which PostgreSQL can't hold; keys are field paths."""
    for field, text in fields.items():
        if text is not None and "\0" in text:
            raise ApiError(Code.INVALID_VALUE, f"{field} must not hold a NUL character")


def shorter(field: str, text: str, characters: int) -> None:
    """Raises ApiError 10005 when the text is longer than the field may be."""
    if len(text) > characters:
        raise ApiError(Code.INVALID_VALUE, f"{field} has {len(text)} characters; at most {characters} are allowed")


class _TokenField(msgspec.Struct):
    access_token: msgspec.Raw = msgspec.Raw()


_token_field = msgspec.json.Decoder(_TokenField)


def has_token(body: bytes) -> bool:
    """Whether the JSON object has an access token among its fields; False for what is no such object."""
    if b'"access_token"' not in body:
        return False
    try:
        return bool(bytes(_token_field.decode(body).access_token))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return False


def refuse_token_in(body: bytes) -> None:
    """Raises ApiError 40004 when the JSON object has an access token among its fields."""
    if has_token(body):
        raise ApiError(Code.TOKEN_IN_BODY)
