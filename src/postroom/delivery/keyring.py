"""The signers of a delivery process: which mail is signed with which keys.

Signed is what comes from exactly a domain of its business unit, with the keys in force when the message was
accepted. `refresh` is awaited after a claim, so what a claim found is never older than the keys known here, and
all attempts at a message choose the same keys.
"""

from dataclasses import dataclass, field
from datetime import datetime

import structlog

from postroom.delivery.dkim.key import KeyUnusable, SigningKey
from postroom.delivery.dkim.signer import Signer
from postroom.store.pool import Pool
from postroom.tenancy.sealing import Seal, SealBroken, load_seal
from postroom.tenancy.sender_domains import StoredKey, place_of, signing_keys


@dataclass(slots=True)
class _Keys:
    """What a business unit signs with, as of ``revision``."""

    revision: int
    by_domain: dict[str, list[tuple[StoredKey, SigningKey]]] = field(default_factory=dict)
    signers: dict[tuple[str, tuple[str, ...]], Signer] = field(default_factory=dict)


class Keyring:
    """Keys of all business units that this process has delivered for."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seal: Seal | None = None
        self._keys: dict[int, _Keys] = {}
        self._log = structlog.get_logger("delivery")

    async def refresh(self, account_id: int, revision: int) -> None:
        """Know the keys of a business unit as they are now; ``revision`` is what its `Standing` says of them."""
        known = self._keys.get(account_id)
        if known is not None and known.revision == revision:
            return
        fresh = _Keys(revision)
        if revision:
            opened = {key.selector: key for keys in known.by_domain.values() for _, key in keys} if known else {}
            for stored in await signing_keys(self._pool, account_id):
                key = opened.get(stored.selector) or await self._open(account_id, stored)
                if key is not None:
                    fresh.by_domain.setdefault(stored.domain, []).append((stored, key))
        self._keys[account_id] = fresh

    def signer(self, account_id: int, domain: str, accepted_at: datetime) -> Signer | None:
        """Who signs a mail of this business unit from this domain; None when it goes unsigned."""
        keys = self._keys.get(account_id)
        if keys is None or not keys.by_domain:
            return None
        found = [
            key
            for stored, key in keys.by_domain.get(domain, ())
            if stored.active_from <= accepted_at and (stored.retired_at is None or accepted_at < stored.retired_at)
        ]
        if not found:
            return None
        name = (domain, tuple(key.selector for key in found))
        if name not in keys.signers:
            keys.signers[name] = Signer(domain, found)
        return keys.signers[name]

    async def _open(self, account_id: int, stored: StoredKey) -> SigningKey | None:
        if self._seal is None:
            self._seal = await load_seal(self._pool)
        place = place_of(account_id, stored.domain, stored.selector)
        try:
            # We made and sealed it: proving its primes again would hold up the event loop for some 50 ms.
            return SigningKey(stored.selector, self._seal.open(stored.sealed, place), checked=True)
        except (SealBroken, KeyUnusable) as problem:
            self._log.error("key_unusable", account_id=account_id, domain=stored.domain, problem=str(problem))
            return None
