"""The supervisor's rules: names, pauses and words. What it does with processes is in tests/scenarios/server."""

import dataclasses
import signal

import pytest

from postroom.cli.serve import owner_arguments, roles
from postroom.cli.supervisor import LONGEST_PAUSE, Place, describe_end, pause_before_restart
from postroom.settings import Machine, load_settings


def test_the_first_end_is_no_reason_to_wait_and_pauses_grow_to_a_limit() -> None:
    pauses = [pause_before_restart(ends) for ends in range(1, 40)]
    assert pauses[:4] == [0.0, 0.25, 0.5, 1.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_a_process_names_the_dead_one_before_it_in_its_slot() -> None:
    first = Place("deliver", 2, 1, "host-7")
    second = Place("deliver", 2, 2, "host-7")
    assert (first.owner, first.replaces) == ("host-7/deliver-2/1", None)
    assert (second.owner, second.replaces) == ("host-7/deliver-2/2", first.owner)
    assert owner_arguments(first) == ["deliver", "--owner", first.owner]
    assert owner_arguments(second) == ["deliver", "--owner", second.owner, "--replaces", first.owner]


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit 0"), (3, "exit 3"), (-signal.SIGKILL, "killed by SIGKILL"), (-100, "killed by signal 100")],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


def test_the_mailbox_runs_only_in_the_sandbox_and_stops_after_those_who_write_to_it() -> None:
    machine = Machine(cores=4, root=False, terminal=False)
    sandbox = load_settings({"HOME": "/home/ada"}, machine=machine)
    relay = load_settings(
        {"HOME": "/home/ada", "POSTROOM_DELIVERY": "relay", "POSTROOM_RELAY": "smtp://127.0.0.1:25"},
        machine=machine,
    )
    # Stopped in the opposite order.
    assert [role.name for role in roles(sandbox, 9)] == ["mailbox", "events", "deliver", "api"]
    assert [role.name for role in roles(relay, 9)] == ["events", "deliver", "api"]
    bounced = dataclasses.replace(relay, bounce_smtp="127.0.0.1:2525", bounce_domain="bounces.example.com")
    assert [role.name for role in roles(bounced, 9)] == ["bounces", "events", "deliver", "api"]
    processes = {role.name: role.processes for role in roles(sandbox, 9)}
    assert processes == {"mailbox": 1, "events": 1, "deliver": 2, "api": 2}


def test_only_the_api_inherits_the_listening_socket() -> None:
    settings = load_settings({"HOME": "/home/ada"}, machine=Machine(2, root=False, terminal=False))
    inherited = {role.name: role.descriptors for role in roles(settings, 9)}
    assert inherited == {"mailbox": (), "events": (), "deliver": (), "api": (9,)}
