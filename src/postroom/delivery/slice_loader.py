"""Loading claimed slices whatever is wrong with some of them: a message that can't be loaded holds up no other.

away                             wait, try again: the slices are ours, nobody else sends them
busy                             as away; after some tries, slice by slice; those that still are, later
refused for a row                slice by slice, then message by message; the message ends as not_sent 100
refused for database or program  later, all of them; no message is to blame, so none ends before its time
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from postroom.delivery.claim import Queue
from postroom.delivery.loading import Loaded, Loader, Unsendable
from postroom.delivery.slices import Slice
from postroom.events.codes import StatusCode
from postroom.metrics.counts import Counts
from postroom.metrics.declared import REFUSALS
from postroom.store.isolation import Refused, apart
from postroom.store.trouble import Trouble, sqlstate_of, tell_trouble, trouble_of

_TROUBLE_SECONDS = 0.5
_MOST_AWAY = 10
_MOST_BUSY = 3
_LATER = timedelta(minutes=1)

_AWAY = frozenset({Trouble.AWAY})
_NOT_THE_MESSAGES = frozenset({Trouble.AWAY, Trouble.BUSY, Trouble.SETUP})


class SliceLoader:
    """Loads what was claimed of one business unit, and hands it to ``loaded`` in one piece or in several."""

    def __init__(
        self,
        queue: Queue,
        loader: Loader,
        *,
        loaded: Callable[[list[Slice], Loaded], None],
        counts: Counts | None = None,
    ) -> None:
        self._counts = counts or Counts()
        self._queue = queue
        self._loader = loader
        self._loaded = loaded
        self.loading: dict[Slice, None] = {}
        """Claimed and not loaded yet: their leases have to be renewed, since the database may be slow or away."""
        self._log = structlog.get_logger("delivery")

    async def load(self, account_id: int, slices: Sequence[Slice]) -> None:
        """Load slices, or give them back. Raises when the database stays away."""
        self.loading = dict.fromkeys(slices)
        try:
            error = await self._load_patiently(account_id, slices)
            if error is not None:
                await self._load_apart(account_id, slices)
        finally:
            self.loading = {}

    async def _load_patiently(self, account_id: int, slices: Sequence[Slice]) -> Exception | None:
        """Load, and again after a moment where that may help; why it did not."""
        tries = 0
        while True:
            try:
                await self._load(account_id, slices)
            except Exception as error:
                tries += 1
                trouble = trouble_of(error)
                if not trouble.passes or (trouble is Trouble.BUSY and tries >= _MOST_BUSY):
                    return error
                if tries >= _MOST_AWAY:
                    raise
                tell_trouble(self._log, "load_waits_for_database", error, slices=len(slices))
                await asyncio.sleep(_TROUBLE_SECONDS)
            else:
                return None

    async def _load(self, account_id: int, slices: Sequence[Slice]) -> None:
        self._hand_over(slices, await self._loader.load(account_id, slices))

    def _hand_over(self, slices: Sequence[Slice], found: Loaded) -> None:
        self._loaded(list(slices), found)
        for each in slices:
            del self.loading[each]

    async def _load_apart(self, account_id: int, slices: Sequence[Slice]) -> None:
        async def load(part: Sequence[Slice]) -> None:
            await self._load(account_id, part)

        try:
            refused = await apart(slices, load, raised=_AWAY)
        except Exception as error:
            if trouble_of(error) is Trouble.AWAY:
                raise
            await self._put_off(account_id, list(self.loading), error)
            return
        for place, why in refused:
            slice_ = slices[place]
            try:
                if trouble_of(why) is not Trouble.VALUE:
                    raise why
                self._hand_over([slice_], await self._by_message(account_id, slice_))
            except Exception as alone:
                if trouble_of(alone) is Trouble.AWAY:
                    raise
                await self._put_off(account_id, [slice_], alone)

    async def _by_message(self, account_id: int, slice_: Slice) -> Loaded:
        """Each message of a slice by itself, those that can't be loaded as unsendable."""
        rows = await self._queue.message_rows(account_id, [slice_])
        keys = {row["position"]: row["message_key"] for row in rows}
        positions = list(keys)
        found = Loaded([], [])

        async def load(part: Sequence[int]) -> None:
            loaded = await self._loader.load(account_id, [slice_], only=frozenset(part))
            found.messages.extend(loaded.messages)
            found.unsendable.extend(loaded.unsendable)

        try:
            # What fails without any message fails for all of them.
            await load(())
            refused = await apart(positions, load, raised=_NOT_THE_MESSAGES)
        except Exception as error:
            if trouble_of(error) is not Trouble.VALUE:
                raise
            refused = [Refused(place, error) for place in range(len(positions))]
        for place, why in refused:
            position = positions[place]
            tell_trouble(self._log, "message_not_loaded", why, account_id=account_id, message_key=keys[position])
            self._counts.add(REFUSALS, "load", Trouble.VALUE.value)
            reason = f"what belongs to it can't be read or stored ({sqlstate_of(why)})"
            found.unsendable.append(Unsendable(slice_, position, StatusCode.ERROR, reason))
        slice_.outstanding = len(positions)
        return found

    async def _put_off(self, account_id: int, slices: Sequence[Slice], error: Exception) -> None:
        facts = {"account_id": account_id, "slices": [each.slice_id for each in slices][:20]}
        trouble = tell_trouble(self._log, "slices_put_off", error, **facts, retry_in=_LATER.total_seconds())
        if not trouble.passes:
            self._counts.add(REFUSALS, "load", trouble.value)
        try:
            await self._queue.put_off(slices, _LATER)
        except Exception as refused:
            if trouble_of(refused) is Trouble.AWAY:
                raise
            # Their leases run out by themselves.
            tell_trouble(self._log, "slices_not_put_off", refused, **facts)
