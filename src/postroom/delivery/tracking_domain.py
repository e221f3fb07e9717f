"""The look at the tracking domain: links lead there only when it has a good certificate and this server answers.

One process at a time looks, every minute until the domain is good and every ten minutes from then on. Two looks in a
row must fail before a domain that was good is left. A change takes force half a minute later, when every process has
read of it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from postroom.content.link_tokens import LinkMessage, LinkTokens
from postroom.content.links import PATHS
from postroom.delivery.mail_links import MailLinks
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

_REFRESH_SECONDS = 10.0
_PROBE_SECONDS = 10.0
_MOST_BYTES = 4096
NOBODY = LinkMessage(0, 0, 0, 0, UUID(int=0))
"""The message of the probe's own open, which is not recorded."""

_KNOW = "insert into tracking_probe (url) values ($1) on conflict do nothing"

_CLAIM = """
update tracking_probe
   set probed_at = now()
 where url = $1
   and probed_at < now() - case when problem = '' then interval '10 minutes' else interval '1 minute' end
returning problem
"""

_GOOD = "update tracking_probe set failures = 0, problem = '' where url = $1"

_BAD = "update tracking_probe set failures = failures + 1, problem = $2 where url = $1 returning failures"

_BEGIN = """
insert into tracking_domain (url, active_from)
select $1, now() + interval '30 seconds'
 where not exists (select from tracking_domain where url = $1 and retired_from is null)
returning true
"""

_END = """
update tracking_domain set retired_from = greatest(active_from, now() + interval '30 seconds')
 where url = $1 and retired_from is null
returning true
"""


Look = Callable[[str, str], Awaitable[str]]


class TrackingDomain:
    """Looks at the domain of ``links``, and keeps them told. ``look`` is given by tests."""

    def __init__(self, pool: Pool, tokens: LinkTokens, links: MailLinks, *, look: Look | None = None) -> None:
        self._pool = pool
        self._links = links
        self._url = links.tracking_url
        self._path = PATHS["open"] + tokens.head(NOBODY).token("open")
        self._look = look or look_at
        self._log = structlog.get_logger("tracking").bind(url=self._url)

    async def keep(self) -> None:
        """Look and read for as long as the process lives; nothing to do where links are always counted."""
        if self._links.always:
            return
        if not self._url.startswith("https://"):
            self._log.warning(
                "links_not_counted",
                reason="the tracking URL is not https, so it has no certificate",
                fix="set POSTROOM_TRACKING_URL to an https address that leads to this server",
            )
            return
        while True:
            try:
                await self.refresh()
            except DATABASE_TROUBLE as error:
                tell_trouble(self._log, "tracking_domain_not_read", error)
            await asyncio.sleep(_REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Look at the domain if it is time to, and read when it was good."""
        await self._pool.execute(_KNOW, self._url)
        claimed = await self._pool.fetchrow(_CLAIM, self._url)
        if claimed is not None:
            await self._record(await self._look(self._url, self._path), before=claimed["problem"])
        await self._links.refresh(self._pool)

    async def _record(self, problem: str, *, before: str) -> None:
        if not problem:
            await self._pool.execute(_GOOD, self._url)
            if await self._pool.fetchval(_BEGIN, self._url):
                self._log.info("links_counted", reason="the tracking domain has a good certificate and leads here")
            return
        failures = await self._pool.fetchval(_BAD, self._url, problem)
        if failures > 1 and await self._pool.fetchval(_END, self._url):
            self._log.error(
                "links_not_counted", reason=problem, fix="mails keep their own links until it is good again"
            )
        elif problem != before:
            self._log.warning("tracking_domain_not_good", reason=problem)


async def look_at(url: str, path: str, *, tls: ssl.SSLContext | None = None) -> str:
    """Ask ``url`` for ``path``, an open pixel of this server: what is wrong, or nothing."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls or ssl.create_default_context())
            try:
                lines = (f"GET {parts.path}{path} HTTP/1.0", f"Host: {parts.netloc}", "User-Agent: postroom", "", "")
                writer.write("\r\n".join(lines).encode("latin-1", "replace"))
                answer = await reader.read(_MOST_BYTES)
            finally:
                writer.transport.abort()
    except TimeoutError:
        return f"no answer within {_PROBE_SECONDS:g} s"
    except ssl.SSLCertVerificationError as refused:
        return f"the certificate of {host} is not good: {refused.verify_message}"
    except (OSError, UnicodeError) as failed:
        return f"{host}:{port} can't be reached: {failed}"
    head = answer.partition(b"\r\n\r\n")[0].lower()
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"] or b"content-type: image/gif" not in head:
        return f"{host} answers, but not as this server does; lead it here"
    return ""
