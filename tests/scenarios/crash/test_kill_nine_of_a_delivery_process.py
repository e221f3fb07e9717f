"""A delivery process dies among thousands of mails: what it had not settled goes again, nothing else.

What can go twice was sent but not yet committed as sent: a settle interval of outcomes (20 ms), those that came
while the settlement before was being committed (some tens of milliseconds), and one on each connection (16). At
4,000 mails a second that is 100 to 300. The bound leaves room for a disk that takes a quarter of a second.
"""

from pathlib import Path

from tests.scenarios.crash.post_office import PostOffice, in_the_middle, kill_nine, post_office

MOST_TWICE = 1_000


async def test_only_what_was_not_settled_goes_twice(database: str, tmp_path: Path) -> None:
    async with post_office(tmp_path, database_url=database, delivery_processes=2) as office:
        captured = await in_the_middle(office, lambda: _strike(office))
        assert max(captured.values()) <= 2
        assert sum(1 for times in captured.values() if times == 2) <= MOST_TWICE


async def _strike(office: PostOffice) -> None:
    await office.captured(3_000)
    kill_nine(office.children("deliver")[0])
