"""Files that AttachFile asked for: fetched when the mail is built, then put beside its text (RFC 2046 §5.1.3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from .ampscript.faults import LimitFault, ValueFault
from .ampscript.run import Request, Run
from .transfer import encoded_lines

BOUNDARY = "=_postroom_mixed"
"""Never part of another delimiter of ours, and ``=_`` is in no encoding: see ``compiler``."""

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$&+,;=@^_`{}~().-]{1,60}")


@dataclass(frozen=True, slots=True)
class File:
    """One attached file; ``media_type`` is ``type/subtype`` without parameters."""

    name: str
    media_type: str
    data: bytes


async def fetch_files(run: Run) -> list[File]:
    """The files ``run`` asked for, through its fetcher. ValueFault AttachmentMissing for one that cannot be had,
    LimitFault AttachmentLimit when they are too large together."""
    files: list[File] = []
    room = run.dialect.limits.attached_bytes
    for wanted in run.attachments:
        response = await run.fetch(Request("GET", wanted.location))
        if not 200 <= response.status < 300:
            reason = response.problem or f"the answer was {response.status}"
            raise ValueFault(f"{wanted.location} cannot be attached: {reason}", code="AttachmentMissing")
        room -= len(response.body)
        if room < 0:
            allowed = run.dialect.limits.attached_bytes
            raise LimitFault(f"the attachments have more than {allowed:,} bytes", code="AttachmentLimit")
        found = next((value for name, value in response.headers if name.lower() == "content-type"), "")
        match = _TYPE.match(found.strip())
        media_type = "application/octet-stream" if match is None else match.group().lower()
        # a message or a multipart of its own could be read as parts of this mail
        if media_type.startswith(("message/", "multipart/")):
            media_type = "application/octet-stream"
        files.append(File(wanted.file_name, media_type, response.body))
    return files


def mixed(content_header: str, body: str, files: Sequence[File]) -> tuple[str, str]:
    """The header lines and the body of a mail that has ``files`` beside ``body``, whose own header lines are
    ``content_header``."""
    parts = [f"--{BOUNDARY}\r\n{content_header}\r\n{body}"]
    parts.extend(
        f"--{BOUNDARY}\r\nContent-Type: {file.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;\r\n {_file_name(file.name)}\r\n\r\n{encoded_lines(file.data)}"
        for file in files
    )
    header = f'Content-Type: multipart/mixed;\r\n boundary="{BOUNDARY}"\r\n'
    return header, "\r\n".join(parts) + f"\r\n--{BOUNDARY}--\r\n"


def _file_name(name: str) -> str:
    """The parameter of Content-Disposition (RFC 2183 §2.3), in the form of RFC 2231 §4 where it is not plain."""
    name = name[:200]
    if _PLAIN_NAME.fullmatch(name) is not None:
        return f'filename="{name}"'
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    # RFC 2231 §3: in pieces, so that no line grows too long
    pieces = re.findall(r"(?:%..|[^%]){1,20}", encoded)
    return ";\r\n ".join(f"filename*{at}*={'utf-8' + chr(39) * 2 if at == 0 else ''}{p}" for at, p in enumerate(pieces))
