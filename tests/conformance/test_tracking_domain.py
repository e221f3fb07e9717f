"""When links lead over the tracking domain: from a good look on, until two bad ones, decided by the time of accept."""

from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs
from tests.conformance.house import House

from postroom.content.link_tokens import LinkTokens
from postroom.delivery.mail_links import MailLinks
from postroom.delivery.tracking_domain import TrackingDomain, look_at

TOKENS = LinkTokens({1: bytes(32)})
URL = "https://t.example.com"


class Looks:
    """Stands for the look at the domain."""

    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, url: str, path: str) -> str:
        self.asked.append((url, path))
        return self.problems.pop(0)


def mail_links() -> MailLinks:
    return MailLinks(TOKENS, tracking_url=URL, public_url="http://localhost", always=False)


async def domain(house: House, looks: Looks, links: MailLinks) -> TrackingDomain:
    await house.pool.execute("delete from tracking_probe")
    await house.pool.execute("delete from tracking_domain")
    return TrackingDomain(house.pool, TOKENS, links, look=looks)


async def hour_later(house: House) -> None:
    await house.pool.execute("update tracking_probe set probed_at = probed_at - interval '1 hour'")


async def test_links_stay_as_they_are_until_the_certificate_is_good(house: House) -> None:
    links, looks = mail_links(), Looks("the certificate is not good", "")
    probe = await domain(house, looks, links)
    with capture_logs() as logs:
        await probe.refresh()
        assert not links.possible
        await probe.refresh()
        assert len(looks.asked) == 1, "it is looked at once a minute"
        await hour_later(house)
        await probe.refresh()
    now = datetime.now(UTC)
    assert links.possible
    assert not links.counted(now), "every process must have read of it first"
    assert links.counted(now + timedelta(minutes=1))
    assert [each["event"] for each in logs] == ["tracking_domain_not_good", "links_counted"]
    assert looks.asked[0][0] == URL
    assert TOKENS.read("open", looks.asked[0][1].removeprefix("/t/o/")) is not None


async def test_one_bad_look_changes_nothing_and_two_end_it(house: House) -> None:
    links, looks = mail_links(), Looks("", "no answer", "no answer", "")
    probe = await domain(house, looks, links)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    await probe.refresh()
    await house.pool.execute("update tracking_domain set active_from = active_from - interval '1 day'")
    for _ in range(2):
        await hour_later(house)
        await probe.refresh()
        assert links.counted(datetime.now(UTC))
    assert not links.counted(soon)
    await hour_later(house)
    await probe.refresh()
    assert links.counted(soon)


async def test_a_mail_has_the_same_links_on_every_attempt(house: House) -> None:
    links = mail_links()
    await domain(house, Looks(), links)
    day = datetime(2026, 1, 5, tzinfo=UTC)
    await house.pool.execute(
        "insert into tracking_domain values ($1, $2, $3), ($1, $4, null)",
        URL, day, day + timedelta(hours=1), day + timedelta(hours=2),
    )  # fmt: skip
    await links.refresh(house.pool)
    hours = (-0.1, 0.0, 0.9, 1.0, 1.9, 2.0, 99.0)
    assert [links.counted(day + timedelta(hours=hour)) for hour in hours] == [
        False, True, True, False, False, True, True,
    ]  # fmt: skip


async def test_two_processes_look_once(house: House) -> None:
    looks = Looks("")
    first = await domain(house, looks, mail_links())
    second = TrackingDomain(house.pool, TOKENS, mail_links(), look=looks)
    await first.refresh()
    await second.refresh()
    assert len(looks.asked) == 1


async def test_without_https_nothing_is_looked_at_and_the_log_says_why(house: House) -> None:
    links = MailLinks(TOKENS, tracking_url="http://t.example.com", public_url="http://x", always=False)
    with capture_logs() as logs:
        await TrackingDomain(house.pool, TOKENS, links).keep()
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("links_not_counted", "warning")
    assert "POSTROOM_TRACKING_URL" in line["fix"]


async def test_a_host_that_is_not_there_is_a_problem_in_words() -> None:
    assert "can't be reached" in await look_at("https://127.0.0.1:1", "/t/o/x")
