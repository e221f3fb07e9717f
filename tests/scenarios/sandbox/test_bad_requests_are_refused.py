"""Wrong parameters, unknown mails and requests from pages elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.sandbox.conftest import Sandbox


@pytest.mark.parametrize(
    ("path", "errorcode", "text"),
    [
        ("/sandbox/messages?limit=0", 10005, "limit=0: 1 to 500 is taken"),
        ("/sandbox/messages?limit=ten", 10001, "limit=ten: a whole number is wanted"),
        ("/sandbox/messages?before=x", 10001, "before=x"),
        ("/sandbox/messages?mesagekey=x", 10005, "did you mean messageKey?"),
        ("/sandbox/messages?to=a&to=b", 10005, "to is given twice"),
        ("/sandbox/wait?timeout=soon", 10001, "timeout=soon"),
        ("/sandbox/wait?timeout=3600", 10005, "timeout=3600: 0 to 60 seconds are taken"),
        ("/sandbox/messages/first", 10001, "id=first: a whole number is wanted"),
        ("/sandbox/messages/99999999999999999999", 10005, "id=99999999999999999999"),
        ("/sandbox/messages/1/attachments/x", 404, ""),
    ],
)
async def test_a_bad_parameter_is_a_400_that_names_it(sandbox: Sandbox, path: str, errorcode: int, text: str) -> None:
    answer = await sandbox.http.get(path)
    if errorcode == 404:  # the mail is looked for first
        assert answer.status_code == 404
        return
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body: dict[str, Any] = answer.json()
    assert body["errorcode"] == errorcode
    assert body["documentation"] == ""
    assert text in body["message"]


@pytest.mark.parametrize("rest", ["", "/raw", "/html", "/attachments/0"])
async def test_an_unknown_mail_is_a_404(sandbox: Sandbox, rest: str) -> None:
    answer = await sandbox.http.get(f"/sandbox/messages/12345{rest}")
    assert answer.status_code == 404
    assert answer.json()["errorcode"] == 30003
    assert "12345" in answer.json()["message"]


async def test_a_part_that_is_not_there_is_a_404(sandbox: Sandbox) -> None:
    number = await sandbox.send()
    assert (await sandbox.http.get(f"/sandbox/messages/{number}/html")).json()["errorcode"] == 30003
    assert "counted from 0" in (await sandbox.http.get(f"/sandbox/messages/{number}/attachments/0")).json()["message"]
    assert (await sandbox.http.delete("/sandbox/messages/12345")).json()["errorcode"] == 30003
    assert (await sandbox.http.get("/sandbox/static/..%2fmailbox.py")).status_code == 404


async def test_delete_takes_no_filter_that_it_would_ignore(sandbox: Sandbox) -> None:
    await sandbox.send()
    answer = await sandbox.http.delete("/sandbox/messages?to=a@example.com")
    assert answer.status_code == 400
    assert (await sandbox.mailbox.total()).messages == 1


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_csrf_delete_from_another_site_is_refused(sandbox: Sandbox, headers: dict[str, str]) -> None:
    number = await sandbox.send()
    for path in ("/sandbox/messages", f"/sandbox/messages/{number}"):
        answer = await sandbox.http.delete(path, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["errorcode"] == 20000
    assert (await sandbox.mailbox.total()).messages == 1


async def test_delete_from_our_own_page_is_taken(sandbox: Sandbox) -> None:
    await sandbox.send()
    headers = {"Origin": "http://localhost:8025", "Sec-Fetch-Site": "same-origin"}
    assert (await sandbox.http.delete("/sandbox/messages", headers=headers)).json() == {"deleted": 1}


async def test_dns_rebinding_reaches_nothing(sandbox: Sandbox) -> None:
    for path in ("/", "/sandbox/messages", "/sandbox/wait?timeout=0", "/sandbox/static/mailbox.js"):
        answer = await sandbox.http.get(path, headers={"Host": "rebound.evil.example:8025"})
        assert answer.status_code == 403
        assert "POSTROOM_PUBLIC_URL" in answer.json()["message"]
