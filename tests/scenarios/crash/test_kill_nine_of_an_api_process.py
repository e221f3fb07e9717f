"""An API process dies while requests of 2,000 recipients are on their way through it: a 202 is a promise."""

from pathlib import Path

from tests.scenarios.crash.post_office import RECIPIENTS, PostOffice, in_the_middle, kill_nine, post_office


async def test_what_was_answered_202_is_delivered_once(database: str, tmp_path: Path) -> None:
    async with post_office(tmp_path, database_url=database, api_processes=1) as office:
        captured = await in_the_middle(office, lambda: _strike(office))
        # Requests were on their way through the one process that was killed, and were sent again.
        assert office.failures >= 1
        # The API sends nothing: its death makes no message go twice.
        assert set(captured.values()) == {1}


async def _strike(office: PostOffice) -> None:
    await office.accepted(3 * RECIPIENTS)
    (api,) = office.children("api")
    kill_nine(api)
