"""A process gave mail back since a site had no room, and is gone. Who comes after it does not let the mail wait.

Found by the soak: after a restart single mails waited for five minutes, for a host that had nothing to do.
"""

from tests.conformance.house import House, people
from tests.scenarios.delivery.workers import all_final
from tests.scenarios.mx.internet import internet, working

MAILS = 40

# As a worker leaves them that gave all back one by one, some time before they are due.
_GIVEN_BACK = """
with whole as (delete from queue returning *)
insert into queue (account_id, definition_id, lane, request_id, accepted_on, first_position, last_position, positions,
                   messages, attempt, accepted_at, due_at, waits_for)
select account_id, definition_id, lane, request_id, accepted_on, position, position, array[position],
       1, 0, accepted_at, now() + interval '5 minutes', $1
from whole cross join generate_series(first_position, last_position) as position
"""


async def test_the_next_process_sends_it_at_once(house: House) -> None:
    async with internet() as net:
        host = await net.host("mx.example.test")
        net.domain("example.com", "mx.example.test")
        keys = [f"k{number}" for number in range(MAILS)]
        await house.accept(people(keys))
        await house.pool.execute(_GIVEN_BACK, host.name)
        async with working(house, net):
            assert await all_final(house, MAILS) == dict.fromkeys(keys, ("sent", None))
    assert set(host.tried.values()) == {1}
