"""Files of a mail, put beside its text (RFC 2046 §5.1.3): those of its content, which every message has, and those that
AttachFile asks for, fetched when the mail is built.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from .ampscript.faults import LimitFault, ValueFault
from .ampscript.run import Request, Run
from .model import File
from .transfer import encoded_lines

BOUNDARY = "=_postroom_mixed"
"""No beginning of another delimiter of ours, nor they of it, and ``=_`` is in no encoding: see ``compiler``."""

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$&+,;=@^_`{}~().-]{1,60}")


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
    header, head, tail = _multipart("mixed", BOUNDARY, content_header, files)
    return header, f"{head}{body}{tail}"


def with_files(content_header: str, files: Sequence[File]) -> tuple[str, str, str]:
    """The header lines of a mail whose body has the files of its content around it, what stands before that body and
    what after: inline images in multipart/related (RFC 2387), then the others in multipart/mixed. All of it is the
    same for every message of a version, and in the relaxed form that DKIM signs."""
    head = tail = ""
    files = [replace(file, name=" ".join(file.name.split())) for file in files]
    images = [file for file in files if file.content_id]
    attached = [file for file in files if not file.content_id]
    for subtype, boundary, some in (("related", "=_postroom_related", images), ("mixed", "=_postroom_files", attached)):
        if some:
            content_header, before, after = _multipart(subtype, boundary, content_header, some)
            head, tail = before + head, tail + after
    return content_header, head, tail


def _multipart(subtype: str, boundary: str, content_header: str, files: Sequence[File]) -> tuple[str, str, str]:
    parts = "".join(f"\r\n--{boundary}\r\n{_part(file)}" for file in files)
    # RFC 2387 §3.1: a receiver is told what the root is
    root = content_header.partition(";")[0].removeprefix("Content-Type: ")
    more = f';\r\n type="{root}"' if subtype == "related" else ""
    header = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"{more}\r\n'
    return header, f"--{boundary}\r\n{content_header}\r\n", f"{parts}\r\n--{boundary}--\r\n"


def _part(file: File) -> str:
    disposition = "inline" if file.content_id else "attachment"
    named = f"Content-ID: <{file.content_id}>\r\n" if file.content_id else ""
    return (
        f"Content-Type: {file.media_type}\r\nContent-Transfer-Encoding: base64\r\n{named}"
        f"Content-Disposition: {disposition};\r\n {_file_name(file.name)}\r\n\r\n{encoded_lines(file.data)}"
    )


def _file_name(name: str) -> str:
    """The parameter of Content-Disposition (RFC 2183 §2.3), in the form of RFC 2231 §4 where it is not plain."""
    name = name[:200] or "file"
    if _PLAIN_NAME.fullmatch(name) is not None:
        return f'filename="{name}"'
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    # RFC 2231 §3: in pieces, so that no line grows too long
    pieces = re.findall(r"(?:%..|[^%]){1,20}", encoded)
    return ";\r\n ".join(f"filename*{at}*={'utf-8' + chr(39) * 2 if at == 0 else ''}{p}" for at, p in enumerate(pieces))
