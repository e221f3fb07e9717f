"""Settings: where values come from, what is refused and how the refusal reads, and what defaults depend on."""

import socket
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.assembly.delivery import own_host
from postroom.settings import (
    Address,
    Machine,
    Settings,
    SettingsRejected,
    load_settings,
    options,
    parse_address,
    settings_environ,
)
from postroom.settings.option import hide_password

SERVER = Machine(cores=8, root=True, terminal=False)
LAPTOP = Machine(cores=1, root=False, terminal=True)


def refusal(environ: dict[str, str], toml: Path | None = None, **overrides: object) -> str:
    with pytest.raises(SettingsRejected) as caught:
        load_settings(environ, toml, overrides, SERVER)
    return str(caught.value)


def test_without_anything_it_is_a_sandbox_on_loopback() -> None:
    settings = load_settings({}, machine=SERVER)
    assert settings.http_address == Address("127.0.0.1", 8025)
    assert settings.sandbox_smtp_address == Address("127.0.0.1", 1025)
    assert (settings.delivery, settings.relay, settings.database_url) == ("sandbox", None, None)
    assert settings.public_url == "http://127.0.0.1:8025"
    assert (settings.api_processes, settings.delivery_processes) == (4, 4)
    assert (settings.data_dir, settings.log_format) == (Path("/var/lib/postroom"), "json")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/postroom"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "/data/ada"}, "/data/ada/postroom"),
        ({"HOME": "/home/ada", "POSTROOM_DATA_DIR": "/srv/post"}, "/srv/post"),
    ],
)
def test_data_of_an_ordinary_user_lies_in_the_home(environ: dict[str, str], expected: str) -> None:
    settings = load_settings(environ, machine=LAPTOP)
    assert settings.data_dir == Path(expected)
    assert (settings.api_processes, settings.log_format) == (1, "console")


def test_option_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "postroom.toml"
    file.write_text('http = "127.0.0.1:1"\ntoken_seconds = 61\nPOSTROOM_FROM_NAME = "File"\nslice_size = 10\n')
    environ = {"POSTROOM_HTTP": "127.0.0.1:2", "POSTROOM_TOKEN_SECONDS": "62", "POSTROOM_CONFIG": str(file)}
    settings = load_settings(environ, overrides={"http": "127.0.0.1:3", "from_name": None}, machine=SERVER)
    assert (settings.http, settings.token_seconds, settings.from_name, settings.slice_size) == (
        "127.0.0.1:3",
        62,
        "File",
        10,
    )
    assert settings.queue_hours == 72


def test_the_file_of_the_option_wins_over_the_one_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('from_name = "A"')
    (tmp_path / "b.toml").write_text('from_name = "B"')
    settings = load_settings({"POSTROOM_CONFIG": str(tmp_path / "a.toml")}, tmp_path / "b.toml", machine=SERVER)
    assert settings.from_name == "B"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("http", "8025", "it has no port; write host:port, such as 127.0.0.1:8025"),
        ("http", ":8025", "it has no usable host"),
        ("http", "127.0.0.1:65536", "the port must be a number from 0 to 65535"),
        ("http", "127.0.0.1:٣", "the port must be a number from 0 to 65535"),
        ("http", "::1:8025", "an IPv6 address needs brackets; write [::1]:8025"),
        ("http", "http://127.0.0.1:8025", "it has no usable host|an IPv6 address needs brackets"),
        ("delivery", "Relay", "it is none of the possible values; use sandbox, relay, mx"),
        ("dns_servers", "ns.example.com", "'ns.example.com' is no IP address; write 192.0.2.53"),
        ("dns_servers", "192.0.2.1,", "'' is no IP address"),
        ("template_http_hosts", "https://api.example.com", "'https://api.example.com' is no name of a host; write api"),
        ("template_http_hosts", "api.example.com, *.example.com", "'*.example.com' is no name of a host"),
        ("template_http_hosts", "api.example.com:99999", "has no usable port"),
        ("dns_servers", "192.0.2.1:99999", "is no IP address"),
        ("mx_port", "0", "it is out of range; give a whole number of port from 1 up to 65535"),
        ("mx_private_addresses", "yes", "use refuse, allow"),
        ("relay", "relay.example.com:25", "its scheme must be smtp or smtps"),
        ("relay", "smtp://:25", "it has no usable host and port"),
        ("relay", "smtp://relay.example.com:99999", "it has no usable host and port"),
        ("relay", "smtp://relay.example.com:25/path", "nothing but ?tls= may follow the port"),
        ("database_url", "mysql://db/x", "write postgresql://user:password@host:5432/database"),
        ("public_url", "mail.example.com", "write https://host or https://host:port"),
        ("public_url", "ftp://mail.example.com", "write https://host or https://host:port"),
        ("public_url", "https://u:p@mail.example.com", "write https://host or https://host:port"),
        ("public_url", "https://mail.example.com?x=1", "write https://host or https://host:port"),
        ("public_url", "https://mail.ex$ample.com", "write https://host or https://host:port"),
        ("public_url", "https://mail.example.com.", "write https://host or https://host:port"),
        ("bounce_domain", "bounces", "it is no domain name; write bounces.example.com"),
        ("bounce_domain", "b*.example.com", "it is no domain name"),
        ("bounce_domain", "a@example.com", "it is no domain name"),
        ("bounce_smtp", "25", "it has no port"),
        ("feedback_id", "shop", "it is not 5 to 15"),
        ("feedback_id", "a shop of mine", "it is not 5 to 15"),
        ("from_address", "no-reply", "it is not an email address"),
        ("from_address", "a b@example.com", "it is not an email address"),
        ("from_address", "Ada <ada@example.com>", "it is not an email address"),
        ("tls_report_from", "reports", "it is not an email address"),
        ("tls_report_organization", "x" * 101, "it is not a name of up to 100 characters"),
        ("from_name", "Shop\r\nBcc: all@example.com", "it holds a line break or a NUL"),
        ("api_processes", "0", "it is out of range; give a whole number of processes from 1 up to 256"),
        ("api_processes", "two", "it is not a whole number"),
        ("api_processes", "1.5", "it is not a whole number"),
        ("key_window_hours", "23", "a whole number of hours from 24 up to 168"),
        ("key_window_hours", "169", "a whole number of hours from 24 up to 168"),
        ("retry_schedule", "1m, 5m", "'1m,' is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h"),
        ("retry_max_hours", "nan", "it is out of range"),
        ("retry_max_hours", "inf", "it is out of range"),
        ("sandbox_max_bytes", "5 TB", "a whole number of bytes from 1048576"),
        ("max_request_bytes", "1 KiB", "it is out of range"),
        ("missing_name", "ignore", "use fail, empty, keep"),
        ("new_definition_status", "active", "use New, Active"),
        ("log_level", "loud", "use debug, info, warning, error"),
    ],
)
def test_a_wrong_value_is_told_with_option_value_and_fix(name: str, value: str, told: str) -> None:
    variable = f"POSTROOM_{name.upper()}"
    line = refusal({variable: value})
    assert line.startswith(f"option {variable}={hide_password(value)}: ")
    assert any(part in line for part in told.split("|"))
    assert "; " in line


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("POSTROOM_METRICS_TOKEN", "it is not 16 to 200 characters"),
        ("POSTROOM_METRIC_TOKEN", "did you mean POSTROOM_METRICS_TOKEN?"),
        ("POSTROOM_metrics_token", "did you mean POSTROOM_METRICS_TOKEN?"),
    ],
)
def test_a_secret_is_not_told_with_its_mistake(variable: str, told: str) -> None:
    line = refusal({variable: "a secret of mine"})
    assert line.startswith(f"option {variable}=***: ")
    assert told in line


def test_what_only_resembles_a_secret_is_told() -> None:
    assert refusal({"POSTROOM_TOKEN_SECONDS": "many"}).startswith("option POSTROOM_TOKEN_SECONDS=many: ")


def test_a_secret_that_is_a_number_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "postroom.toml"
    file.write_text("metrics_token = 48151623421234567890\n")
    with pytest.raises(SettingsRejected) as refused:
        load_settings({}, file)
    assert "48151" not in str(refused.value)


def test_all_problems_are_told_at_once() -> None:
    lines = refusal({"POSTROOM_HTTP": "x", "POSTROOM_TOKEN_SECONDS": "1", "POSTROOM_NO": "1"}).splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [
        ("POSTROOM_HTP", "POSTROOM_HTTP"),
        ("POSTROOM_DATABASE", "POSTROOM_DATA_DIR|POSTROOM_DATABASE_URL"),
        ("POSTROOM_Http", "POSTROOM_HTTP"),
        ("POSTROOM_SANDBOX_MAX_MESAGES", "POSTROOM_SANDBOX_MAX_MESSAGES"),
    ],
)
def test_an_unknown_variable_gets_the_nearest_name(given_name: str, meant: str) -> None:
    line = refusal({given_name: "1"})
    assert line.startswith(f"option {given_name}=1: there is no such option; did you mean POSTROOM_")
    assert any(f"did you mean {name}?" in line for name in meant.split("|"))


def test_a_name_like_nothing_is_sent_to_the_reference() -> None:
    assert "docs/settings.md lists all options" in refusal({"POSTROOM_XYZZY": "1"})


def test_variables_of_others_and_empty_ones_do_not_count() -> None:
    assert load_settings({"POSTROOM_RELAY": "", "POSTGRES_URL": "x"}, machine=SERVER).relay is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http = ", "not a TOML file"),
        ("htp = 'x'", "option htp=x (in "),
        ("http = 8025", "it must be text; write http = '8025'"),
        ("token_seconds = true", "it is not a number"),
        ("token_seconds = [60]", "it is not a whole number"),
        ("[http]\nhost = 'x'", "it must be text"),
        ("http = '127.0.0.1:1'\nPOSTROOM_HTTP = '127.0.0.1:2'", "it stands twice in the file; remove one"),
    ],
)
def test_a_wrong_file_is_told_with_its_name(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "postroom.toml"
    file.write_text(text)
    line = refusal({}, file)
    assert told in line
    assert str(file) in line


def test_a_missing_file_is_told() -> None:
    line = refusal({"POSTROOM_CONFIG": "/nowhere/postroom.toml"})
    assert line == (
        "option POSTROOM_CONFIG=/nowhere/postroom.toml: No such file or directory; "
        "name a file that can be read, or leave it out"
    )


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"POSTROOM_DELIVERY": "relay"}, "option POSTROOM_RELAY=: delivery is relay and no relay is named"),
        ({"POSTROOM_DELIVERY": "routes"}, "option POSTROOM_ROUTES=: delivery is routes and no route table is named"),
        ({"POSTROOM_SANDBOX_MAX_BYTES": "2 MiB"}, "one mail could be larger than the mailbox"),
        ({"POSTROOM_RETENTION_DAYS": "4", "POSTROOM_KEY_WINDOW_HOURS": "120"}, "messages are kept for only"),
        ({"POSTROOM_RETENTION_DAYS": "4", "POSTROOM_RETRY_MAX_HOURS": "97"}, "messages are kept for only"),
        ({"POSTROOM_TLS_REPORTS": "on", "POSTROOM_TLS_REPORT_FROM": "a@example.com"}, "with POSTROOM_DELIVERY=sandbox"),
        ({"POSTROOM_TLS_REPORTS": "on", "POSTROOM_DELIVERY": "mx"}, "write tls-reports@example.com"),
        ({"POSTROOM_BOUNCE_SMTP": "127.0.0.1:2525"}, "without POSTROOM_BOUNCE_DOMAIN no mail has a return path"),
        ({"POSTROOM_BOUNCE_TLS_KEY": "/key.pem"}, "it needs POSTROOM_BOUNCE_TLS_KEY=/key.pem; give both or none"),
        ({"POSTROOM_SANDBOX_SMTP": "127.0.0.1:8025"}, "the port is that of POSTROOM_HTTP"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(environ: dict[str, str], told: str) -> None:
    assert told in refusal(environ)


@pytest.mark.parametrize(
    "secret_holder",
    [
        {"POSTROOM_RELAY": "smpt://user:pa/ss@hush@relay.example.com:25"},
        {"POSTROOM_DATABASE_URL": "postgre://user:pa/ss@hush@db/x"},
    ],
)
def test_password_leak_into_an_error_message(secret_holder: dict[str, str]) -> None:
    line = refusal(secret_holder)
    assert "hush" not in line
    assert "pa/ss" not in line
    assert "user:***@" in line


@pytest.mark.parametrize(
    ("environ", "public_url", "from_address"),
    [
        ({}, "http://127.0.0.1:8025", "no-reply@postroom.localhost"),
        ({"POSTROOM_HTTP": "0.0.0.0:80"}, "http://127.0.0.1:80", "no-reply@postroom.localhost"),
        ({"POSTROOM_HTTP": "[::]:80"}, "http://[::1]:80", "no-reply@postroom.localhost"),
        ({"POSTROOM_HTTP": "localhost:80"}, "http://localhost:80", "no-reply@postroom.localhost"),
        (
            {"POSTROOM_PUBLIC_URL": "https://mail.example.com/"},
            "https://mail.example.com",
            "no-reply@mail.example.com",
        ),
        ({"POSTROOM_PUBLIC_URL": "https://[2001:db8::1]"}, "https://[2001:db8::1]", "no-reply@postroom.localhost"),
        (
            {"POSTROOM_PUBLIC_URL": "https://Post.Bücher.example:8443/shop/"},
            "https://post.xn--bcher-kva.example:8443/shop",
            "no-reply@post.xn--bcher-kva.example",
        ),
    ],
)
def test_public_names_follow_from_the_address(environ: dict[str, str], public_url: str, from_address: str) -> None:
    settings = load_settings(environ, machine=SERVER)
    assert (settings.public_url, settings.from_address) == (public_url, from_address)


@pytest.mark.parametrize(
    ("public_url", "own"),
    [
        ("https://mail.example.com", "mail.example.com"),
        ("https://почта.пример.рф", "xn--80a1acny.xn--e1afmkfd.xn--p1ai"),
        ("http://192.0.2.1:8025", None),
        ("http://[2001:db8::1]", None),
    ],
)
def test_others_know_this_machine_by_the_host_of_the_public_url_unless_that_is_an_address(
    public_url: str, own: str | None
) -> None:
    settings = load_settings({"POSTROOM_PUBLIC_URL": public_url}, machine=SERVER)
    assert own_host(settings) == (own or socket.gethostname())


@pytest.mark.parametrize(("text", "size"), [("1048576", 1 << 20), ("2 MiB", 2 << 20), ("3gib", 3 << 30)])
def test_sizes_may_be_written_with_their_unit(text: str, size: int) -> None:
    settings = load_settings(
        {"POSTROOM_SANDBOX_MAX_BYTES": text, "POSTROOM_SANDBOX_MAX_MESSAGE_BYTES": "1MiB"}, machine=SERVER
    )
    assert settings.sandbox_max_bytes == size


def test_a_child_gets_the_same_settings_through_its_environment() -> None:
    settings = load_settings(
        {
            "POSTROOM_DELIVERY": "relay",
            "POSTROOM_RELAY": "smtp://user:secret@relay.example.com:587",
            "POSTROOM_FROM_NAME": "Zoë's shop = open",
            "POSTROOM_RETRY_SCHEDULE": "1s 2m",
            "POSTROOM_SANDBOX_MAX_BYTES": "2 GiB",
        },
        machine=LAPTOP,
    )
    assert load_settings(settings_environ(settings), machine=SERVER) == settings


def test_every_setting_is_documented() -> None:
    assert sorted(option.name for option in options()) == sorted(each.name for each in fields(Settings))
    for option in options():
        assert option.sentence.endswith("."), option.name
        assert option.unit or option.choices, option.name
        assert option.default_text or option.default is not None, option.name


@given(st.text())
def test_any_text_is_an_address_or_a_sentence(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError as wrong:
        told = str(wrong)
    else:
        told = "; write" if parse_address(str(address)) == address else "another address"
    assert "; write" in told


@given(st.dictionaries(st.sampled_from([option.variable for option in options()]), st.text()))
def test_any_environment_is_settings_or_sentences(environ: dict[str, str]) -> None:
    try:
        settings = load_settings(environ, machine=SERVER)
    except SettingsRejected as rejected:
        lines = rejected.lines
    else:
        again = load_settings(settings_environ(settings), machine=LAPTOP)
        lines = ("option POSTROOM_",) if again == settings else ()
    assert lines
    assert all(line.startswith("option POSTROOM_") for line in lines)
