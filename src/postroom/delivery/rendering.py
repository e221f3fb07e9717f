"""Composing ahead what has to wait: templates that look something up are rendered when their claim is loaded.

Their look-ups then go together, a statement for many messages, and the connections never wait for the database.
What such a template writes is kept with its message and applied in the transaction that settles it as sent.
"""

import asyncio
from collections.abc import Sequence

import structlog

from postroom.content.model import MESSAGE_BUILD_ERROR, NotComposed
from postroom.delivery.blocks import AssetBlocks
from postroom.delivery.composer import Composer
from postroom.delivery.data_access import ClaimData
from postroom.delivery.slices import Message
from postroom.store.errors import DATABASE_AWAY
from postroom.store.pool import Pool

_TOGETHER = 250


class Renderer:
    """Renders with the look-ups of a claim."""

    def __init__(self, pool: Pool, composer: Composer) -> None:
        self._pool = pool
        self._composer = composer
        self._log = structlog.get_logger("delivery")

    async def render(self, account_id: int, messages: Sequence[Message]) -> None:
        """Compose those messages of one claim that have to wait; the others are left for their connection.

        Passes on what the database raises: the claim is then loaded again.
        """
        waiting = [message for message in messages if self._composer.waits(message)]
        if not waiting:
            return
        data = ClaimData(self._pool, account_id)
        blocks = AssetBlocks(self._pool, account_id)
        for start in range(0, len(waiting), _TOGETHER):
            await asyncio.gather(
                *(self._render(message, data, blocks) for message in waiting[start : start + _TOGETHER])
            )

    async def _render(self, message: Message, data: ClaimData, blocks: AssetBlocks) -> None:
        own = data.rendering()
        try:
            message.mail = await self._composer.compose_async(message, own, blocks)
        except DATABASE_AWAY:
            raise
        except Exception:
            self._log.exception("not_composed", message_key=message.message_key)
            message.mail = NotComposed(MESSAGE_BUILD_ERROR, "the mail could not be built")
        message.writes = tuple(own.writes)
