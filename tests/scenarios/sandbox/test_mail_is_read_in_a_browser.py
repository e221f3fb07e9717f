"""The page in a real browser: list, search, tabs, deletion, and mail that attacks its reader."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from playwright.async_api import Page, async_playwright, expect
from tests.scenarios.sandbox.conftest import Sandbox, application

from postroom.sandbox.page import PAGE_POLICY

CHROMIUM = shutil.which("chromium")
HOSTILE = '<img src=x onerror="document.title=`owned`"><script>document.title="owned"</script>'
HOSTILE_MAIL = (
    f"From: {HOSTILE} <a@example.com>\r\nSubject: {HOSTILE}\r\nX-Note: {HOSTILE}\r\n"
    "Content-Type: text/html\r\n\r\n<p id=body>hello</p><script>top.document.title='owned'</script>"
    "<img src=x onerror=\"top.document.title='owned'\"><form action=/sandbox/messages><button>x</button></form>"
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>"
).encode()

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")


@asynccontextmanager
async def page_of(sandbox: Sandbox) -> AsyncIterator[tuple[Page, str]]:
    """A browser tab, and the address of the page; nothing outside is reachable from the tab."""
    app = application(sandbox.mailbox, sandbox.watch)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            )
            expect.set_options(timeout=30_000)  # for machines with much else to do
            page = await browser.new_page()
            yield page, f"http://127.0.0.1:{port}/"
            await browser.close()
    finally:
        server.should_exit = True
        await task


@needs_chromium
async def test_a_person_reads_searches_and_deletes(sandbox: Sandbox) -> None:
    async with page_of(sandbox) as (page, address):
        await page.goto(address)
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        await expect(page.get_by_text("/sandbox/wait?to=you@example.com")).to_be_visible()

        # Mail that comes while the page is open appears by itself.
        await sandbox.send("anna@example.com", raw="Subject: Grüße\r\n\r\nHello Anna".encode())
        await sandbox.send("bob@example.com", raw=b"Subject: second\r\nContent-Type: text/html\r\n\r\n<b>Hello Bob</b>")
        await expect(page.get_by_role("status")).to_have_text("2 mails")

        await page.get_by_role("link", name="bob@example.com").click()
        await expect(page.get_by_role("heading", name="second")).to_be_visible()
        await expect(page.frame_locator("#frame").locator("b")).to_have_text("Hello Bob")
        await expect(page.get_by_role("tab", name="Text")).to_be_disabled()
        await page.get_by_role("tab", name="Source").click()
        await expect(page.get_by_role("tabpanel", name="Source")).to_contain_text("Content-Type: text/html")
        await page.keyboard.press("ArrowLeft")
        await expect(page.get_by_role("tabpanel", name="Headers")).to_contain_text("Subject")

        await page.get_by_role("searchbox").fill("GRÜSSE")
        await expect(page.get_by_role("link", name="bob@example.com")).to_have_count(0)
        await page.get_by_role("link", name="anna@example.com").click()
        await expect(page.get_by_role("tabpanel", name="Headers")).to_contain_text("Grüße")
        await page.get_by_role("button", name="Delete", exact=True).click()
        await expect(page.get_by_text("No mail matches")).to_be_visible()
        await page.get_by_role("button", name="Clear the search").click()
        await expect(page.get_by_role("link", name="bob@example.com")).to_be_visible()

        await page.get_by_role("button", name="Delete all").click()
        await page.get_by_role("button", name="Keep them").click()
        await expect(page.get_by_role("status")).to_have_text("1 mail")
        await page.get_by_role("button", name="Delete all").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
    assert (await sandbox.mailbox.total()).messages == 0


@needs_chromium
async def test_rules_are_shown_and_removed_and_one_unit_is_looked_at(sandbox: Sandbox) -> None:
    hostile = "/<img src=x onerror=alert(1)>"
    rules = [
        {"method": "POST", "path": "/messaging/v1/email/messages/*", "status": 429, "retryAfter": 2, "times": 3},
        {"accountId": 7, "delayMs": 1500, "cut": "after", "share": 0.25},
        {"path": hostile, "status": 500},
    ]
    await sandbox.send("anna@example.com", raw=b"Subject: of nobody\r\n\r\nHello")
    async with page_of(sandbox) as (page, address):
        await page.goto(address)
        banner = page.get_by_role("region", name="Calls that fail on purpose")
        await expect(page.get_by_role("status")).to_have_text("1 mail")
        await expect(banner).to_be_hidden()
        assert (await sandbox.http.put("/sandbox/chaos", json={"rules": rules})).status_code == 200
        await expect(banner.get_by_role("listitem")).to_have_text(
            [
                "POST /messaging/v1/email/messages/*: is answered 429, Retry-After 2 (0 of 3)",
                "any /** of business unit 7: waits 1,500 ms, then is carried out and loses the connection before the"
                " answer (25 % of the calls, 0 so far)",
                f"any {hostile}: is answered 500 (0 of 1)",
            ]
        )
        await banner.get_by_role("button", name="Remove the rules").click()
        await expect(banner).to_be_hidden()
        assert (await sandbox.http.get("/sandbox/chaos")).json() == {"rules": []}

        await page.goto(f"{address}sandbox?accountId=7")
        await expect(page.get_by_text("Business unit 7")).to_be_visible()
        await expect(page.get_by_role("status")).to_have_text("0 of 1 mail")
        await page.get_by_role("button", name="Delete all").click()
        await expect(page.get_by_role("dialog")).to_contain_text("captured mails of business unit 7?")
        await page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
        await expect(page.get_by_role("status")).to_have_text("0 of 1 mail")
        await page.get_by_role("link", name="Show all").click()
        await expect(page.get_by_role("status")).to_have_text("1 mail")


@needs_chromium
async def test_stored_xss_in_subject_headers_and_html_runs_nothing(sandbox: Sandbox) -> None:
    number = await sandbox.send(raw=HOSTILE_MAIL)
    async with page_of(sandbox) as (page, address):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{address}#{number}")
        frame = page.frame_locator("#frame")
        await expect(frame.locator("#body")).to_have_text("hello")
        await frame.get_by_role("button", name="x").click()  # a form in a sandboxed frame goes nowhere
        await expect(page.locator("#subject")).to_have_text(HOSTILE)
        for tab in ("Headers", "Source"):
            await page.get_by_role("tab", name=tab).click()
            await expect(page.get_by_role("tabpanel", name=tab)).to_contain_text(HOSTILE)
        assert await page.title() == f"{HOSTILE} · Postroom"
        assert await page.locator("script").count() == 1
        assert await page.locator("main img").count() == 0
        # The mail's own address opened in a tab by itself is as tame as in the frame.
        await page.goto(f"{address}sandbox/messages/{number}/html")
        assert await page.title() == ""
        assert {url.partition("//")[2].partition("/")[0] for url in asked} == {address.split("/")[2]}


async def test_the_page_is_served_under_a_policy_without_inline_code(sandbox: Sandbox) -> None:
    for path in ("/", "/sandbox", "/sandbox/"):
        answer = await sandbox.http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == PAGE_POLICY
        assert "unsafe" not in PAGE_POLICY
        assert " onclick" not in answer.text
        assert "{{" not in answer.text
    for name, kind in (("mailbox.css", "text/css"), ("mailbox.js", "text/javascript")):
        answer = await sandbox.http.get(f"/sandbox/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
