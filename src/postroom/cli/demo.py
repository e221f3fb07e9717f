"""`postroom demo`: 2,000 different emails through a real server of its own, and proof that each arrived.

One POST accepts them all, their statuses are asked for one by one until each is final, and then the capture
mailbox is compared with what every single recipient must have got. With `--postfix` the mails go through a Postfix of
the demo's own, over TLS, and what is compared is what that has delivered.
"""

import shutil
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from postroom.cli.demo_check import CapturedMail, MailCheck, Verdict
from postroom.cli.demo_client import CALLS_AT_A_TIME, CallFailed, Client, unordered
from postroom.cli.demo_example import Example, ExampleUnusable, Recipient, example_folder, load_example
from postroom.cli.demo_postfix import PATIENCE_SECONDS as POSTFIX_PATIENCE_SECONDS
from postroom.cli.demo_postfix import PostfixFailed, PrivatePostfix
from postroom.cli.demo_report import Figures, Report
from postroom.cli.private_server import Access, PrivateServer, ServerFailed, reachable_parent, terminable, uninterrupted

MESSAGES = "/messaging/v1/email/messages"
MOST_RECIPIENTS = 2000
# Without one more final status for this long, something is wrong.
PATIENCE_SECONDS = 60.0
_VENDOR_TIME = timezone(timedelta(hours=-6))  # contract §0
_PAGE = 500


class DemoFailed(Exception):
    """The demo can't go on; the text says why."""


@dataclass(frozen=True)
class Status:
    """A final status: `reason` is empty for a message that was sent."""

    at: datetime
    reason: str


def demo(
    recipients: Annotated[
        int, typer.Option("--recipients", min=1, max=MOST_RECIPIENTS, help="Send to only the first of them.")
    ] = MOST_RECIPIENTS,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running until Ctrl-C.")] = False,
    example: Annotated[
        Path | None, typer.Option("--example", metavar="FOLDER", help="Another folder than examples/order-shipped.")
    ] = None,
    postfix: Annotated[
        bool, typer.Option("--postfix", help="Send through a private Postfix over TLS, and look at what it delivered.")
    ] = False,
) -> None:
    """Send 2,000 different emails through a private server, and check that each arrived as it should."""
    report = Report(Console(highlight=False))
    try:
        with terminable():
            good = run_demo(report, example or example_folder(), recipients, keep=keep, through_postfix=postfix)
    except KeyboardInterrupt:
        report.problem("stopped; the server is down and its folder is removed")
        raise typer.Exit(130) from None
    except (CallFailed, DemoFailed, ExampleUnusable, PostfixFailed, ServerFailed) as failed:
        report.problem(str(failed))
        raise typer.Exit(1) from None
    raise typer.Exit(0 if good else 1)


def run_demo(report: Report, folder: Path, count: int, *, keep: bool = False, through_postfix: bool = False) -> bool:
    """The whole demo; whether everything was as it should be.

    Raises `CallFailed`, `DemoFailed`, `ExampleUnusable`, `PostfixFailed` or `ServerFailed` when it can't go on. The
    servers are stopped and their folders are gone in every case.
    """
    example = load_example(folder, count)
    with _postfix(report) if through_postfix else nullcontext() as postfix:
        return _run(report, example, postfix, keep=keep)


def _run(report: Report, example: Example, postfix: PrivatePostfix | None, *, keep: bool) -> bool:
    report.begin("starting a private server with a database of its own")
    begun = time.monotonic()
    server = PrivateServer(relay=None if postfix is None else postfix.relay)
    with server as access, Client(access.api) as client:
        up = "PostgreSQL, API, delivery and mailbox" if postfix is None else "PostgreSQL, API and delivery"
        report.step(f"{up} are up ({time.monotonic() - begun:.1f} s)")
        figures, verdict, first = _send_and_check(report, example, client, access, postfix)
        report.figures(figures, verdict)
        if first is not None:
            report.mail(first.number, first.raw)
        good = verdict.good and verdict.accepted == figures.asked == figures.sent
        if keep:
            report.running(access)
            _until_interrupted()
        else:
            report.next_steps()
    report.findings(figures, verdict)
    report.last_line(verdict)
    return good


@contextmanager
def _postfix(report: Report) -> Iterator[PrivatePostfix]:
    with uninterrupted():
        folder = Path(tempfile.mkdtemp(prefix="postroom-demo-postfix-", dir=reachable_parent()))
    # Postfix's own users must be able to pass through.
    folder.chmod(0o711)
    postfix = PrivatePostfix(folder)
    try:
        with uninterrupted():
            postfix.start()
        report.step(f"Postfix {postfix.version()} listens on 127.0.0.1:{postfix.port} and asks for TLS")
        yield postfix
    finally:
        with uninterrupted():
            postfix.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _send_and_check(
    report: Report, example: Example, client: Client, access: Access, postfix: PrivatePostfix | None
) -> tuple[Figures, Verdict, CapturedMail | None]:
    token = client.post(
        "/v2/token",
        {
            "grant_type": "client_credentials",
            "client_id": access.client_id,
            "client_secret": access.client_secret,
            "account_id": access.account_id,
        },
        status=200,
    )
    client.token = token["access_token"]
    client.post("/asset/v1/content/assets", example.asset, status=201)
    client.post("/messaging/v1/email/definitions", example.definition, status=201)
    report.step(f"the email and its definition {example.definition_key} are stored")

    posted, started = datetime.now(UTC), time.monotonic()
    answer = client.post(MESSAGES, example.send_body(), status=202)
    answered = time.monotonic() - started
    accepted = accepted_recipients(example.recipients, answer)
    report.step(f"one POST, {len(accepted)} of {len(example.recipients)} accepted and committed ({answered:.2f} s)")

    statuses = _final_statuses(report, client, accepted)
    known = time.monotonic() - started
    settled = max((status.at for status in statuses), default=posted)

    if postfix is not None:
        _wait_for_postfix(report, postfix, len(accepted))
    check = MailCheck(example, accepted)
    first = None
    with report.meter("mails compared", len(accepted)) as compared:
        mails = _captured(client) if postfix is None else postfix.mails()
        for number, mail in enumerate(mails, start=1):
            check.take(mail)
            if accepted and mail.recipients == (accepted[0].wire_address,):
                first = mail
            compared(number)
    verdict = check.verdict()
    figures = Figures(
        asked=len(example.recipients),
        sent=sum(1 for status in statuses if not status.reason),
        not_sent=Counter(status.reason for status in statuses if status.reason),
        answered=answered,
        # Two clocks are compared here; one that was set meanwhile must not divide by nothing.
        settled=max((settled - posted).total_seconds(), 0.001),
        known=known,
        values=sum(verdict.delivered for _ in example.attribute_names),
    )
    return figures, verdict, first


def accepted_recipients(recipients: Sequence[Recipient], answer: Any) -> list[Recipient]:
    """Those whose response has no error. Raises `DemoFailed` when the answer does not name every recipient."""
    responses = answer["responses"]
    if [response["messageKey"] for response in responses] != [recipient.message_key for recipient in recipients]:
        raise DemoFailed(f"POST {MESSAGES} was answered with other message keys than it was sent")
    pairs = zip(recipients, responses, strict=True)
    return [recipient for recipient, response in pairs if not response.get("errorcode")]


def _final_statuses(report: Report, client: Client, accepted: Sequence[Recipient]) -> list[Status]:
    """Ask for each message by its key, and again while it is queued, until every status is final."""
    waiting = deque(accepted)
    given_up = threading.Event()
    final: list[Status] = []
    progressed = time.monotonic()

    def ask(recipient: Recipient) -> tuple[Recipient, Status | None]:
        return recipient, read_status(recipient, client.get(f"{MESSAGES}/{quote(recipient.message_key, safe='')}"))

    def next_ones() -> Iterator[Recipient]:
        while waiting and not given_up.is_set():
            yield waiting.popleft()

    with report.meter("statuses final", len(accepted)) as done:
        while len(final) < len(accepted):
            queued = 0
            for recipient, status in unordered(ask, next_ones()):
                if status is not None:
                    final.append(status)
                    progressed = time.monotonic()
                    done(len(final))
                    continue
                waiting.append(recipient)
                queued += 1
                if queued >= CALLS_AT_A_TIME:
                    # We are ahead of delivery, which needs the processor more than our asking does.
                    queued = 0
                    time.sleep(0.05)
                if time.monotonic() - progressed > PATIENCE_SECONDS:
                    raise DemoFailed(
                        f"{len(accepted) - len(final)} messages are still queued, and none was finished for "
                        f"{PATIENCE_SECONDS:g} seconds"
                    )
    return final


def read_status(recipient: Recipient, answer: Any) -> Status | None:
    """The final status in an answer, None while the message is queued. Raises `DemoFailed` for another's status."""
    kind = str(answer["eventCategoryType"]).rpartition(".")[2]
    if kind == "EmailQueued":
        return None
    info = answer["info"]
    told = info["messageKey"], info["contactKey"], info["to"]
    if told != (recipient.message_key, recipient.contact_key, recipient.to):
        raise DemoFailed(f"the status of {recipient.message_key} is about {' '.join(told)}")
    at = datetime.fromisoformat(answer["timestamp"]).replace(tzinfo=_VENDOR_TIME)
    if kind == "EmailSent":
        return Status(at, "")
    return Status(at, f"{kind} {info.get('statusCode')} {info.get('statusMessage')}")


def _wait_for_postfix(report: Report, postfix: PrivatePostfix, count: int) -> None:
    """Return when Postfix has delivered all it took: then nothing can be on its way any more, not even a second copy.

    Raises `DemoFailed` with the end of Postfix's log when its queue does not get shorter.
    """
    with report.meter("mails delivered by Postfix", count) as done:
        least, progressed = postfix.queued(), time.monotonic()
        while queued := postfix.queued():
            if queued < least:
                least, progressed = queued, time.monotonic()
            if time.monotonic() - progressed > POSTFIX_PATIENCE_SECONDS:
                raise DemoFailed(f"{queued} mails stay in Postfix's queue\n{postfix.log()}")
            done(postfix.delivered())
            time.sleep(0.1)
        done(postfix.delivered())


def _captured(client: Client) -> Iterator[CapturedMail]:
    """Every mail of the capture mailbox, whole."""

    def fetch(item: Any) -> CapturedMail:
        return CapturedMail(
            item["id"], tuple(item["envelope"]["to"]), client.raw(f"/sandbox/messages/{item['id']}/raw")
        )

    yield from unordered(fetch, _listed(client))


def _listed(client: Client) -> Iterator[Any]:
    before = ""
    while True:
        page = client.get(f"/sandbox/messages?limit={_PAGE}{before}")
        yield from page["items"]
        if page["next"] is None:
            return
        before = f"&before={page['next']}"


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
