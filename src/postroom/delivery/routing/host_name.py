"""Names that the DNS could know a host by. Pure."""

import re

_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def is_host_name(name: str) -> bool:
    """Whether a name in lower case is one that the DNS could know a host by."""
    return _HOST_NAME.fullmatch(name) is not None
