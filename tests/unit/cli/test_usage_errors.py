"""Mistakes in a command line, before anything is started: a line or two that name the argument, its value, the fix."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from postroom.cli.main import app


@pytest.mark.parametrize(
    ("words", "told", "asked"),
    [
        ("account create", "--mid is missing; give --mid NUMBER: Its MID, a number of your choice", "account create"),
        ("account create --mid abc", "--mid: 'abc' is not a whole number", "account create"),
        ("message search --limit 0", "--limit: 0 is out of range; write at least 1", "message search"),
        ("message search --limit 1000000", "--limit: 1000000 is out of range; write at most 100000", "message search"),
        ("suppression list --after 9223372036854775808",
         "--after: 9223372036854775808 is out of range; write at most 9223372036854775807", "suppression list"),
        ("key create x --kind nope", "--kind: 'nope' is not one of 'symmetric', 'salt', 'iv', 'jwt', 'rsa', 'page'",
         "key create"),
        ("domain create", "DOMAIN is missing; give one: The domain, such as example.com", "domain create"),
        ("client limit x y z", "CALLS: 'y' is not a whole number", "client limit"),
        ("client list x", "there is more than it takes: (x)", "client list"),
        ("serve --htpp x", "there is no option --htpp; did you mean --http?", "serve"),
        ("account lst", "there is no command 'lst'; did you mean 'list'?", "account"),
        ("zzz", "there is no command 'zzz'", ""),
    ],
)  # fmt: skip
def test_what_the_parser_finds(words: str, told: str, asked: str) -> None:
    said = CliRunner().invoke(app, words.split(), prog_name="postroom")
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.splitlines() == [
        f"postroom: {told}",
        f"postroom: {f'postroom {asked}'.strip()} --help tells what it takes",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["account", "create", "--mid", "5", "--language", "xx"], "--language: language 'xx' is unknown; it must be"),
        (["client", "create", "--name", " "], "--name: write what the client is called in one line of 1 to 200"),
        (["message", "job", "count", "fly"], "ACTION: 'fly' is no action; use one of hold, release"),
        (["message", "search", "--status", "lost"], "--status is 'lost'; it must be one of queued"),
        (["message", "search", "--contact-key", " "], "--contact-key must have a value without a NUL"),
        (["message", "search", "--from", "soon"], "--from is 'soon'; write a time such as"),
        (["erase", "--contact-key", ""], "--contact-key: it is empty; write the key of the contact"),
        (["erase"], "give one of --contact-key, --address and --receipt"),
        (["tls-report", "bad domain!"], "DOMAIN: 'bad domain!' is no domain name"),
        (["bounces", "rerun", "--since", "soon"], "--since is 'soon'; write a time such as"),
    ],
)
def test_what_a_verb_finds_is_one_line(words: list[str], told: str) -> None:
    said = CliRunner().invoke(app, words)
    assert (said.exit_code, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert line.startswith(f"postroom: {told}")


def test_terminal_injection_by_an_argument_is_shown_harmless() -> None:
    said = CliRunner().invoke(app, ["tls-report", "\x1b[2Ja\nb"])
    assert "\x1b" not in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_an_argument_that_is_not_utf_8_is_told_before_it_is_used() -> None:
    said = CliRunner().invoke(app, ["message", "show", b"k\xff".decode("utf-8", "surrogateescape")])
    assert (said.exit_code, said.stdout) == (2, "")
    told = "postroom: argument 3, 'k\\udcff', is not UTF-8; write it so, and see to the terminal's locale"
    assert said.stderr.splitlines() == [told]


def test_a_very_long_value_is_told_in_part() -> None:
    said = CliRunner().invoke(app, ["domain", "create", "a" * 100_000])
    assert len(said.stderr) < 1_100
    assert said.stderr.endswith("give one such as example.com\n")


def test_output_that_is_closed_is_no_reason_to_fail() -> None:
    command = f"{sys.executable} -P -m postroom.cli.main --version"
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


def test_what_libraries_log_is_not_mixed_into_what_a_command_prints() -> None:
    code = (
        "import logging, sys, postroom.cli.main as m; sys.argv[1:] = ['--version']\n"
        "try: m.run()\nfinally: logging.getLogger('asyncpg').error('lost')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", ["--help", "account --help", ""])
def test_output_that_nobody_reads_any_more_ends_quietly(words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-P", "-m", "postroom.cli.main", *words.split()]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
