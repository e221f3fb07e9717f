"""The relay allows two connections and refuses the others: the two go on and no message pays for it."""

from __future__ import annotations

from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, Peer

from postroom.delivery.outcome import Sent

GREETED = HELLO + "HOLD\n" + "SERVE"
FULL = "S: 421 4.7.0 too many connections"


async def test_the_pool_keeps_what_it_has() -> None:
    async with Peer(GREETED, GREETED, FULL, repeat=True) as peer, mailroom(peer.port, size=6) as room:
        parcels = [Parcel() for _ in range(12)]
        room.send(*parcels[:2])
        await peer.held.wait()
        # Both connections have a message under way when the pool wants more of them.
        room.send(*parcels[2:])
        await peer.connected(4)
        peer.release()
        outcomes = [await parcel.outcome() for parcel in parcels]
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
        assert room.pool.available
        assert room.failures == []
