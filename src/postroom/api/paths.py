"""Paths and queries as clients really send them (contract §0), brought to the one form the routes have.

Routes match without regard to letter case, doubled slashes and a slash at the end. Matching is done on the
path's raw bytes, so that an encoded slash or percent sign in a key stays part of the key. Keys keep their case;
they are compared without it further down. Query names match in any case, with or without their dollar sign.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from postroom.api.errors import ApiError, Code

_KEYS = "postroom.keys"
_STAND_IN = "-"
_MOST_QUERY_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Match:
    """A known route: its path with stand-ins for keys, and the keys as they were sent, still encoded."""

    path: str
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Template:
    segments: tuple[bytes | None, ...]
    path: str
    any_prefix: bool

    def match(self, segments: list[bytes], lowered: list[bytes]) -> Match | None:
        keys = []
        start = len(segments) - len(self.segments)
        for place, literal in enumerate(self.segments, start):
            if literal is None:
                keys.append(segments[place])
            elif literal != lowered[place]:
                return None
        return Match(self.path, tuple(keys))


class RouteTable:
    """The templates of all routes, such as ``/messaging/v1/email/messages/{messageKey}``.

    A template in ``any_prefix`` also matches behind any other segments: it lets clients that can only change
    the host of a fixed URL reach the token route.
    """

    def __init__(self, templates: Iterable[str], any_prefix: Iterable[str] = ()) -> None:
        self._by_length: dict[int, list[_Template]] = {}
        self._anywhere: list[_Template] = []
        for template in templates:
            found = _template(template, any_prefix=False)
            # Fixed segments are tried before keys.
            self._by_length.setdefault(len(found.segments), []).append(found)
            self._by_length[len(found.segments)].sort(key=lambda known: known.segments.count(None))
        for template in any_prefix:
            self._anywhere.append(_template(template, any_prefix=True))

    def match(self, raw_path: bytes) -> Match | None:
        """The route of a path, or None when it is none of ours."""
        segments = [segment for segment in raw_path.split(b"/") if segment]
        lowered = [_lowered(segment) for segment in segments]
        for template in self._by_length.get(len(segments), ()):
            if found := template.match(segments, lowered):
                return found
        for template in self._anywhere:
            if len(segments) >= len(template.segments) and (found := template.match(segments, lowered)):
                return found
        return None


def _template(path: str, *, any_prefix: bool) -> _Template:
    names = path.strip("/").split("/")
    segments = tuple(None if name.startswith("{") else name.lower().encode() for name in names)
    canonical = "/" + "/".join(_STAND_IN if name.startswith("{") else name for name in names)
    return _Template(segments, canonical, any_prefix)


def _lowered(segment: bytes) -> bytes:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).lower()


def keep_match(scope: MutableMapping[str, Any], match: Match) -> None:
    """Send the request to its route, and leave its keys for `scope_keys`."""
    scope["path"] = match.path
    scope[_KEYS] = match.keys


def scope_keys(scope: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The keys of the request's path, in their order."""
    keys: tuple[bytes, ...] = scope[_KEYS]
    return keys


def raw_path_of(scope: Mapping[str, Any]) -> bytes:
    """The path as it stood in the request line; made from the decoded one for servers that don't give it."""
    raw = scope.get("raw_path")
    return raw if isinstance(raw, bytes) else quote(str(scope["path"])).encode("ascii")


def key_text(raw: bytes, name: str) -> str:
    """A key from the path, decoded. Raises ApiError 10005 for bytes that are not text PostgreSQL can hold."""
    try:
        text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8")
    except UnicodeDecodeError:
        raise ApiError(Code.INVALID_VALUE, f"{name} in the path is not UTF-8") from None
    if "\0" in text:
        raise ApiError(Code.INVALID_VALUE, f"{name} must not hold a NUL character")
    return text


def query_fields(query_string: bytes) -> dict[str, str]:
    """The query by lower-case name without dollar sign; ``+`` is a space, and the last of equal names counts."""
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_QUERY_FIELDS,
        )
    except UnicodeDecodeError:
        raise ApiError(Code.BAD_FORMAT, "the query must be percent-encoded UTF-8") from None
    except ValueError:
        raise ApiError(Code.BAD_FORMAT, f"the query has more than {_MOST_QUERY_FIELDS} fields") from None
    return {name.lower().removeprefix("$"): value for name, value in pairs}
