"""The API processes die in the middle of a job over six thousand messages, while delivery is at the same messages.

The job is stopped at a message that somebody else has locked, so that they die within a step. Others finish it: every
message is dealt with once, and is either cancelled or sent.
"""

from pathlib import Path

from tests.scenarios.crash.post_office import RECIPIENTS, kill_nine, post_office, until

REQUESTS = 3
MESSAGES = REQUESTS * RECIPIENTS

_DONE = "select coalesce((results->>'done')::integer, 0) >= $1 from message_job"
_FINISHED = "select state = 'finished' from message_job"
_OLDEST = "select slice_id from queue order by accepted_at, slice_id limit 1 for update"
_ENDS = """
select m.message_key, array_agg(e.kind) as kinds, max(e.status_code) as code
from message m left join event e using (account_id, request_id, position)
group by m.message_key
"""
_WAITS_FOR_US = (
    "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
)


async def test_each_message_is_cancelled_or_sent_and_none_is_both(database: str, tmp_path: Path) -> None:
    async with post_office(tmp_path, database_url=database, api_processes=2) as office:
        await office.call("PATCH", "/messaging/v1/email/definitions/order", {"status": "Inactive"})
        await office.send_all(REQUESTS)
        asked = {"action": "cancel", "filter": {"definitionKey": "order"}}
        job = await office.call("POST", "/postroom/v1/jobs", asked)
        assert job["matching"]["queued"] == MESSAGES
        place = f"/postroom/v1/jobs/{job['id']}"
        async with office.database() as pool:
            async with pool.acquire() as holder, holder.transaction():
                await holder.execute(_OLDEST)
                await office.call("POST", f"{place}/confirm")
                await until(lambda: pool.fetchval(_DONE, RECIPIENTS))
                await office.call("PATCH", "/messaging/v1/email/definitions/order", {"status": "Active"})
                await until(lambda: pool.fetchval(_WAITS_FOR_US))
                for pid in office.children("api"):
                    kill_nine(pid)
            await until(lambda: pool.fetchval(_FINISHED))
            done = await office.call("GET", place)
            await until(lambda: pool.fetchval("select not exists (select from queue)"))
            ends = await pool.fetch(_ENDS)
            captured = {row["message_key"] for row in await pool.fetch("select message_key from captured_mail")}
    assert done["status"] == "finished"
    assert sum(done["results"].values()) == MESSAGES
    assert len(ends) == MESSAGES
    assert {tuple(each["kinds"]) for each in ends} <= {("sent",), ("not_sent",)}
    cancelled = {each["message_key"] for each in ends if each["kinds"] == ["not_sent"]}
    assert {each["code"] for each in ends if each["message_key"] in cancelled} == {39}
    assert len(cancelled) == done["results"]["done"]
    assert captured == {each["message_key"] for each in ends} - cancelled
    print(f"cancelled {len(cancelled)}, sent {len(captured)}")
