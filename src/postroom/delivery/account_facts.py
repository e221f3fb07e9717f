"""What templates know of their business unit: its name and time zone, its pages, its keys.

Read once a business unit, and again when that is `_FRESH_SECONDS` old; never for a message.
"""

from collections import OrderedDict
from collections.abc import Callable

import asyncpg
import msgspec
import structlog

from postroom.content.ampscript.dialect import Account, Key
from postroom.store.pool import Pool
from postroom.tenancy.sealing import Seal, SealBroken, load_seal
from postroom.tenancy.template_keys import place_of_key

_FRESH_SECONDS = 60.0
_KEPT = 10_000

_FACTS = """
select a.name, a.time_zone, a.web_analytics, a.pages,
       array(select k.folded_name from template_key k where k.account_id = $1 order by k.folded_name) as key_names,
       array(select k.kind from template_key k where k.account_id = $1 order by k.folded_name) as key_kinds,
       array(select k.sealed from template_key k where k.account_id = $1 order by k.folded_name) as key_secrets
from account a
where a.account_id = $1
"""

_pages = msgspec.json.Decoder(dict[str, str]).decode


class AccountFacts:
    """``clock`` gives seconds that only grow; ``public_url``, without a slash at its end, is where files are served."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float], public_url: str = "") -> None:
        self._pool = pool
        self._clock = clock
        self._public_url = public_url
        self._seal: Seal | None = None
        self._known: OrderedDict[int, tuple[Account, float]] = OrderedDict()
        self._log = structlog.get_logger("templates")

    async def of(self, account_id: int) -> Account:
        """The facts of a business unit, at most a minute old; the same object for as long as nothing changed."""
        known = self._known.get(account_id)
        now = self._clock()
        if known is not None and now - known[1] <= _FRESH_SECONDS:
            return known[0]
        account = await self._read(account_id)
        if known is not None and known[0] == account:
            account = known[0]
        self._known[account_id] = account, now
        self._known.move_to_end(account_id)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return account

    async def _read(self, account_id: int) -> Account:
        row = await self._pool.fetchrow(_FACTS, account_id)
        if row is None:
            return Account(account_id=account_id, public_url=self._public_url)
        keys, page_secret = await self._keys(account_id, row)
        return Account(
            account_id=account_id,
            name=row["name"],
            time_zone=row["time_zone"],
            keys=keys,
            pages=_pages(row["pages"]),
            page_secret=page_secret,
            public_url=self._public_url,
            web_analytics=row["web_analytics"],
        )

    async def _keys(self, account_id: int, row: asyncpg.Record) -> tuple[dict[str, Key], bytes]:
        found: dict[str, Key] = {}
        page_secret = b""
        for name, kind, sealed in zip(row["key_names"], row["key_kinds"], row["key_secrets"], strict=True):
            if self._seal is None:
                self._seal = await load_seal(self._pool)
            try:
                secret = self._seal.open(sealed, place_of_key(account_id, name))
            except SealBroken:
                # the messages that need it fail and say so; the others go out
                self._log.error("template_key_not_opened", account_id=account_id, name=name)
                continue
            if kind == "page":
                page_secret = secret
            else:
                found[name] = Key(kind, secret)
        return found, page_secret
