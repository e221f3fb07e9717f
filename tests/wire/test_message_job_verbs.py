"""`postroom message job`: counted, confirmed with the count, carried out without a server's help or with it."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner, Result

from postroom.cli.main import app

Verb = Callable[..., Result]


@pytest.fixture
def verb(sender: Unit) -> Verb:
    """Runs a verb for a business unit with three messages that wait."""
    for number, name in enumerate(("ann", "ben", "Ann"), 1):
        send = {"definitionKey": "order", "recipient": {"contactKey": name, "to": f"{name}@example.com"}}
        assert sender.call("POST", f"/messaging/v1/email/messages/k{number}", json=send).status_code == 202

    def run(*words: str, code: int = 0) -> Result:
        arguments = ["message", "job", *words, "--mid", str(sender.account_id), "--database-url", sender.api.dsn]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


def plain(result: Result) -> str:
    """What it complains of."""
    return result.stderr


def test_counted_confirmed_with_the_count_and_resent(verb: Verb) -> None:
    told = verb("count", "Cancel", "--recipient", "ann@example.com").stdout.splitlines()
    assert told[0].startswith("job ")
    assert "cancel recipient=ann@example.com" in told[0]
    assert told[1].endswith(": 2 queued; for cancel: 2")
    job = told[2].split()[-4]
    assert told[2].startswith(f"to begin: postroom message job confirm {job} 2 --mid ")
    refused = verb("confirm", job, "3", code=2)
    assert "cancel is for 2 of the messages that were counted, not 3" in plain(refused)
    assert json.loads(verb("show", job, "--json").stdout)["status"] == "counted"
    assert verb("confirm", job, "2").stdout.splitlines()[-1] == "  finished: 2 done"
    late = verb("cancel", job, code=1)
    assert late.stdout.splitlines()[-1] == "  finished: 2 done"
    assert "it was over before" in late.stderr
    again = json.loads(verb("count", "resend", "--status", "notSent", "--json").stdout)
    done = json.loads(verb("confirm", again["id"], "2", "--json").stdout)
    assert (done["status"], done["results"]["done"]) == ("finished", 2)
    resent = [json.loads(line) for line in verb("resent", again["id"], "--json").stdout.splitlines()]
    assert [each["messageKey"] for each in resent] == ["k3", "k1"]
    assert verb("resent", again["id"]).stdout.startswith(f"k3\t{resent[0]['resentAs']}\nk1\t")
    assert [each["id"] for each in json.loads(verb("list", "--json").stdout)] == [again["id"], job]
    head, *lines = verb("list").stdout.splitlines()
    assert head.split() == ["JOB", "ACTION", "STATUS", "COUNTED", "MESSAGES", "DONE", "FILTER"]
    assert [line.split()[:3] for line in lines] == [[again["id"], "resend", "finished"], [job, "cancel", "finished"]]


def test_a_job_that_was_cancelled_is_not_begun(verb: Verb) -> None:
    job = json.loads(verb("count", "hold", "--definition-key", "order", "--json").stdout)["id"]
    assert "; cancelled" in verb("cancel", job).stdout
    assert "; cancelled" in verb("confirm", job, "3", code=1).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("count", "delete", "--status", "queued"), "'delete' is no action; use one of hold, release"),
        (("count", "hold"), "give at least one of --recipient"),
        (("count", "hold", "--status", "lost"), "status is 'lost'; it must be one of queued"),
        (("show", str(uuid4())), "has no job"),
        (("confirm", "x", "1"), "has no job 'x'"),
    ],
)
def test_mistakes_are_named(verb: Verb, words: tuple[str, ...], told: str) -> None:
    assert told in plain(verb(*words, code=2))
