"""Definition versions as the worker holds them: compiled once, kept while they are in use.

Versions are immutable, so nothing here is ever out of date but the facts about the business unit, which are read
again when an entry is `_FRESH_SECONDS` old.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from postroom.catalog.versions import Version, load_version
from postroom.content.address import parse_address
from postroom.content.ampscript.dialect import Account, Dialect
from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.run import Services
from postroom.content.compiler import compile_content
from postroom.content.links import Tracking
from postroom.content.model import Content, ContentRejected
from postroom.content.plan import Plan
from postroom.delivery.account_facts import AccountFacts
from postroom.delivery.mail_headers import NO_HEADERS, MailHeaders
from postroom.delivery.mail_links import MailLinks
from postroom.store.pool import Pool
from postroom.tenancy.accounts import member_names

_FRESH_SECONDS = 60.0
_KEPT = 1_000

_FACTS = """
select a.name, a.street, a.city, a.state, a.postal_code, a.country, l.name as list_name, d.name as definition_name,
       d.definition_key, x.name as extension_name
from account a
left join list l on l.account_id = $1 and l.list_id = $2
left join definition d on d.account_id = $1 and d.definition_id = $3
left join data_extension x on x.account_id = $1 and x.extension_id = $4
where a.account_id = $1
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from when the definition's classification names nobody."""

    name: str
    address: str


@dataclass(slots=True)
class Prepared:
    """A version with its plan, or with the reason why it has none, and its system strings (ampscript.md §10)."""

    version: Version
    plan: Plan | None
    problem: str
    system: dict[str, str]
    domain: str
    """The right-hand side of its Message-IDs: the sender's domain."""
    loaded_at: float
    account: Account
    """What its templates know of their business unit."""
    services: Services | None = None
    """Those of a plan that never waits, with that account; made when it is first composed."""
    definition_key: str = ""
    tracked: Plan | None = None
    """The plan of mails whose links are counted; None when nothing of the version is, or not yet."""
    looked: bool = False
    """Whether `tracked` is as it will stay."""

    def plan_at(self, accepted_at: datetime, links: MailLinks | None) -> tuple[Plan | None, bool]:
        """The plan of a mail accepted then, and whether its links are counted."""
        if self.tracked is not None and links is not None and links.counted(accepted_at):
            return self.tracked, True
        return self.plan, False


class Versions:
    """Loads and compiles versions; ``clock`` is the loop's, in seconds."""

    def __init__(
        self,
        pool: Pool,
        *,
        sender: Sender,
        dialect: Dialect,
        clock: Callable[[], float],
        headers: MailHeaders = NO_HEADERS,
        derive_text: bool = False,
        links: MailLinks | None = None,
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._clock = clock
        self._headers = headers
        self._derive_text = derive_text
        self._links = links
        self._engine = Engine(dialect)
        self._accounts = AccountFacts(pool, clock=clock, public_url="" if links is None else links.public_url)
        self._prepared: OrderedDict[tuple[int, int], Prepared] = OrderedDict()

    async def version(self, account_id: int, version_id: int) -> Version:
        """The version, compiled and at hand for `prepared` from now on."""
        key = (account_id, version_id)
        prepared = self._prepared.get(key)
        now = self._clock()
        if prepared is None:
            version = await load_version(self._pool, account_id, version_id)
            prepared = await asyncio.to_thread(self._compile, version)
            self._prepared[key] = prepared
            while len(self._prepared) > _KEPT:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(key)
        if now - prepared.loaded_at > _FRESH_SECONDS:
            await self._read_facts(prepared)
            prepared.loaded_at = now
        prepared.account = await self._accounts.of(account_id)
        if not prepared.looked and prepared.plan is not None and self._links is not None and self._links.possible:
            prepared.looked = True
            prepared.tracked = self._compile_tracked(prepared.version)
        return prepared.version

    def definition_key(self, account_id: int, version_id: int) -> str:
        """The key of a version's definition, as it is now; empty when it is not at hand."""
        prepared = self._prepared.get((account_id, version_id))
        return "" if prepared is None else prepared.definition_key

    def prepared(self, account_id: int, version_id: int) -> Prepared | None:
        """What `version` made ready; None when so many others came since that it was let go."""
        return self._prepared.get((account_id, version_id))

    def _compile_tracked(self, version: Version) -> Plan | None:
        opens = version.sending.track_opens
        tracking = Tracking(links=version.track_links, opens=version.track_links if opens is None else opens)
        if not (tracking.links or tracking.opens) or not version.content.html:
            return None
        return compile_content(
            self._content(version),
            engine=self._engine,
            headers=self._headers.lines(version),
            derive_text=self._derive_text,
            tracking=tracking,
        )

    def _content(self, version: Version) -> Content:
        content = version.content
        if not content.from_address:
            content = replace(content, from_address=self._sender.address)
        if not content.from_name:
            content = replace(content, from_name=self._sender.name)
        return content

    def _compile(self, version: Version) -> Prepared:
        content = self._content(version)
        plan, problem = None, ""
        try:
            plan = compile_content(
                content,
                engine=self._engine,
                headers=self._headers.lines(version),
                derive_text=self._derive_text,
            )
        except ContentRejected as rejected:
            problem = str(rejected)
        sender = parse_address(content.from_address)
        domain = self._sender.address.rpartition("@")[2] if sender is None else sender.domain
        account = Account(account_id=version.account_id)
        return Prepared(version, plan, problem, system={}, domain=domain, loaded_at=float("-inf"), account=account)

    async def _read_facts(self, prepared: Prepared) -> None:
        version = prepared.version
        row = await self._pool.fetchrow(
            _FACTS, version.account_id, version.list_id, version.definition_id, version.data_extension_id
        )
        if row is None:
            return
        prepared.definition_key = row["definition_key"] or ""
        prepared.system = {
            **member_names(version.account_id, row),
            "_datasourcename": row["extension_name"] or "",
            "_sourcede": row["extension_name"] or "",
            "listid": str(version.list_id),
            "list_": row["list_name"] or "",
            "_listname": row["list_name"] or "",
            "jobid": str(version.version_id),
            "emailname_": row["definition_name"] or "",
            "_emailid": str(version.version_id),
            "replyname": version.content.from_name or self._sender.name,
            "replyemailaddress": version.content.reply_to or version.content.from_address or self._sender.address,
        }
