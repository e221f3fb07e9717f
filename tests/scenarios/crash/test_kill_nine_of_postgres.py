"""PostgreSQL dies among accepts, and again among deliveries: nothing that was promised is gone.

No outcome is forgotten: the delivery processes live and settle when the database is back. What can go twice is
what the mailbox, whose mails are in the same database, had committed without being able to say so, once for each
batch it was committing, and what a lease that was not renewed in time gave to another process.
"""

from pathlib import Path

from tests.scenarios.crash.post_office import RECIPIENTS, PostOffice, in_the_middle, kill_nine, post_office

MOST_TWICE = 2_000  # the mailbox's largest batch, at each of two deaths


async def test_service_returns_by_itself_and_nothing_is_lost(disk_tmp_path: Path) -> None:
    async with post_office(disk_tmp_path, retry_schedule="0.5s", lease_seconds=6) as office:
        captured = await in_the_middle(office, lambda: _strike(office))
        # Requests were being committed, and were sent again.
        assert office.failures >= 1
        assert sum(1 for times in captured.values() if times > 1) <= MOST_TWICE


async def _strike(office: PostOffice) -> None:
    await office.accepted(3 * RECIPIENTS)
    kill_nine(office.postmaster())
    await office.captured(4_000)
    kill_nine(office.postmaster())
