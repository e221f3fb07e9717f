"""What `serve` prints: addresses, the ready-made client, a call to copy, and no password."""

import json
import shlex
from dataclasses import dataclass

from postroom.cli.banner import banner
from postroom.settings import Machine, load_settings

MACHINE = Machine(cores=2, root=True, terminal=False)


@dataclass(frozen=True)
class Client:
    client_id: str = "abc123"
    client_secret: str = "s3cr3t"
    account_id: int = 510000001


def test_the_printed_curl_is_a_valid_token_call() -> None:
    text = banner(load_settings({}, machine=MACHINE), Client())
    call = text[text.index("curl") :].replace("\\\n", " ")
    words = shlex.split(call)
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8025/v2/token"]
    assert json.loads(words[words.index("-d") + 1]) == {
        "grant_type": "client_credentials",
        "client_id": "abc123",
        "client_secret": "s3cr3t",
        "account_id": 510000001,
    }


def test_the_sandbox_names_its_places() -> None:
    lines = banner(load_settings({}, machine=MACHINE), Client()).splitlines()
    shown = {line.split()[0]: line.split()[-1] for line in lines if line.startswith("  ")}
    assert shown["API"] == "http://127.0.0.1:8025"
    assert shown["mailbox"] == "http://127.0.0.1:8025/sandbox"
    assert shown["SMTP"] == "127.0.0.1:1025"
    assert shown["database"] == "/var/lib/postroom"


def test_production_shows_no_password_and_no_mailbox() -> None:
    settings = load_settings(
        {
            "POSTROOM_DELIVERY": "relay",
            "POSTROOM_RELAY": "smtp://user:hush@relay.example.com:587",
            "POSTROOM_DATABASE_URL": "postgresql://user:hush@db/postroom",
        },
        machine=MACHINE,
    )
    text = banner(settings, None)
    assert "hush" not in text
    assert "smtp://user:***@relay.example.com:587" in text
    assert "postgresql://user:***@db/postroom" in text
    assert "mailbox" not in text
    assert "postroom client create --name NAME makes one" in text


def test_behind_a_web_server_it_says_where_that_has_to_lead() -> None:
    given = {"POSTROOM_PUBLIC_URL": "https://out.example.com", "POSTROOM_HTTP": "127.0.0.1:8030"}
    assert "\n  listens on     127.0.0.1:8030\n" in banner(load_settings(given, machine=MACHINE), None)
    assert "listens on" not in banner(load_settings({}, machine=MACHINE), None)
