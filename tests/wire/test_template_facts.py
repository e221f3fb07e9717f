"""`postroom account change` and `postroom key`, seen by a trial of a template."""

import json
from pathlib import Path

from tests.wire.live import Unit
from typer.testing import CliRunner

from postroom.cli.main import app

RENDER = "/postroom/v1/templates/render"
SECRET = "the secret that seals pages"


def run(unit: Unit, *words: str, given: str = "") -> tuple[int, str]:
    """Exit code and everything printed by a verb for this business unit."""
    arguments = [*words, "--mid", str(unit.account_id), "--database-url", unit.api.dsn]
    result = CliRunner().invoke(app, arguments, input=given, catch_exceptions=False)
    return result.exit_code, " ".join(result.output.split())


def test_what_was_set_is_printed_by_a_trial(unit: Unit, tmp_path: Path) -> None:
    code, shown = run(
        unit,
        *("account", "change", "--time-zone", "Asia/Tokyo", "--web-analytics", "utm_source=mail", "--city", "Oslo"),
        *("--page", "12=https://shop.example/12", "--page", "13=https://shop.example/13"),
        "--json",
    )
    assert code == 0
    stored = json.loads(shown)
    assert (stored["time_zone"], stored["web_analytics"]) == ("Asia/Tokyo", "utm_source=mail")
    assert json.loads(run(unit, "account", "change", "--page", "13=", "--json")[1])["pages"] == {
        "12": "https://shop.example/12"
    }
    file = tmp_path / "secret"
    file.write_text(SECRET)
    assert run(unit, "key", "create", "pages", "--kind", "page", "--file", str(file))[0] == 0
    assert run(unit, "key", "create", "Token", "--kind", "jwt", given=SECRET)[0] == 0
    html = (
        "%%member_city%% %%=FormatDate(SystemDateToLocalDate(Now()), 'yyyy-MM-dd', 'HH:mm')=%% %%=WAT('x')=%% "
        "%%=CloudPagesURL(12, 'a', 'b')=%% %%=GetJWTByKeyName('token', 'HS256', '{}')=%%"
    )
    reply = unit.call("POST", RENDER, json={"html": html, "now": "2026-03-04T19:52:07Z"})
    assert reply.status_code == 200, reply.text
    city, date, hour, analytics, page, token = reply.json()["html"].split()
    assert (city, date, hour, analytics) == ("Oslo", "2026-03-05", "04:52", "utm_source=mail")
    assert page.startswith("https://shop.example/12?qs=")
    assert token.count(".") == 2


def test_keys_are_listed_without_their_secrets_and_deleted_by_name(unit: Unit) -> None:
    code, shown = run(unit, "key", "create", "Token", "--kind", "jwt", given=SECRET)
    assert (code, SECRET in shown) == (0, False)
    assert run(unit, "key", "list")[1].startswith("NAME KIND CREATED Token jwt ")
    listed = run(unit, "key", "list", "--json")[1]
    assert [(key["name"], key["kind"]) for key in json.loads(listed)] == [("Token", "jwt")]
    assert SECRET not in listed
    assert run(unit, "key", "delete", "TOKEN")[0] == 0
    code, said = run(unit, "key", "delete", "TOKEN")
    assert code == 2
    assert "has no key 'TOKEN'" in said


def test_what_can_not_be_is_told_by_its_option(unit: Unit) -> None:
    for words, option, problem in (
        (("account", "change", "--time-zone", "Tokyo!"), "--time-zone", "write an IANA name"),
        (("account", "change", "--page", "12"), "--page", "names no address"),
        (("account", "change", "--page", "12=ftp://x"), "--page", "write https://"),
        (("key", "create", "x", "--kind", "salt"), "--file", "hexadecimal"),
    ):
        code, said = run(unit, *words, given="secret")
        assert code == 2
        assert option in said
        assert problem in said


def test_a_trial_makes_no_http_request(unit: Unit) -> None:
    reply = unit.call("POST", RENDER, json={"html": "%%=HTTPGet('http://127.0.0.1:1/')=%%"})
    assert reply.status_code == 400
    assert "a trial makes no HTTP requests" in reply.json()["message"]
