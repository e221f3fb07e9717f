"""What recipients do on the pages behind the links of their mails, and what nobody else can do there."""

import re
from typing import Any

import httpx
import pytest
from tests.scenarios.tracking.shop import Mail, Shop

HTML = (
    "<html><body><h1>Hello %%FirstName%%</h1><p>%%Number%% / %%=Uppercase(Number)=%%</p>"
    '<a href="https://shop.example/">Shop</a><a href="%%view_email_url%%">Web</a>'
    '<a href="%%unsub_center_url%%">Leave</a><a href="%%profile_center_url%%">Profile</a>'
    '<a href="%%subscription_center_url%%">Lists</a></body></html>'
)
TEXT = "Leave: %%unsub_center_url%%\n"


def contact(shop: Shop, key: str) -> Any:
    return shop.call("GET", f"/postroom/v1/contacts/{key}")


def members(shop: Shop, list_id: object) -> dict[str, str]:
    found = shop.call("GET", f"/postroom/v1/lists/{list_id}/members")
    return {each["contactKey"]: each["status"] for each in found["items"]}


def new_list(shop: Shop, name: str) -> Any:
    return shop.call("POST", "/postroom/v1/lists", {"name": name})["id"]


@pytest.fixture(scope="module")
def key(shop: Shop) -> str:
    return shop.define(HTML, TEXT)


def send(shop: Shop, key: str, name: str) -> Mail:
    return shop.send(key, name, FirstName="Zoë", Number="a7")


def post(shop: Shop, url: str, **fields: str) -> httpx.Response:
    return shop.http.post(url, data=fields)


def shown(reply: httpx.Response) -> str:
    """The text of a page."""
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none';")
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store, private"
    body = re.sub(r"<head>.*?</head>", "", reply.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)).strip()


def test_the_web_page_reads_as_the_mail(shop: Shop, key: str) -> None:
    mail = send(shop, key, "viewer")
    reply = shop.http.get(mail.page("v"))
    assert reply.status_code == 200
    assert reply.text.strip() == mail.html.strip().replace("\r\n", "\n")
    assert reply.headers["content-security-policy"].startswith("sandbox allow-popups")
    assert "script" not in reply.headers["content-security-policy"]


def test_unsubscribing_asks_and_then_acts_once(shop: Shop, key: str) -> None:
    mail = send(shop, key, "leaver")
    url = mail.page("u")
    assert url in mail.text
    asked = shop.http.get(url)
    assert "Do you want to unsubscribe leaver@example.org from the mails of Postroom?" in shown(asked)
    assert contact(shop, "leaver")["status"] == "Active", "looking changes nothing"
    done = post(shop, url, action="unsubscribe")
    assert done.status_code == 200
    assert "leaver@example.org is unsubscribed from the mails of Postroom." in shown(done)
    assert contact(shop, "leaver")["status"] == "Unsubscribed"
    assert "You are unsubscribed" in shown(shop.http.get(url))


def test_a_mail_program_unsubscribes_at_once(shop: Shop) -> None:
    key = shop.define(HTML, TEXT, postroom={"listUnsubscribe": True})
    mail = send(shop, key, "one-click")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(mail.message["List-Unsubscribe"])
    assert address == f"<{mail.page('u')}>"
    reply = httpx.post(address.strip("<>"), data={"List-Unsubscribe": "One-Click"})
    assert reply.status_code == 200
    assert contact(shop, "one-click")["status"] == "Unsubscribed"


def test_a_mail_program_may_send_the_form_in_parts(shop: Shop, key: str) -> None:
    url = send(shop, key, "multipart").page("u")
    reply = httpx.post(url, files={"List-Unsubscribe": (None, "One-Click")})
    assert reply.status_code == 200
    assert contact(shop, "multipart")["status"] == "Unsubscribed"


def test_leaving_a_list_leaves_the_others(shop: Shop) -> None:
    news = new_list(shop, "News")
    key = shop.define(HTML, TEXT, subscriptions={"list": "News"})
    mail = send(shop, key, "reader")
    assert "from “News” of Postroom?" in shown(shop.http.get(mail.page("u")))
    assert "“News” of Postroom." in shown(post(shop, mail.page("u"), action="unsubscribe"))
    assert members(shop, news) == {"reader": "Unsubscribed"}
    assert contact(shop, "reader")["status"] == "Active"


def test_the_subscription_centre_turns_lists_off_and_on(shop: Shop) -> None:
    offers = new_list(shop, "Offers")
    new_list(shop, "Internal")
    key = shop.define(HTML, TEXT, subscriptions={"list": "Offers"})
    url = send(shop, key, "chooser").page("s")
    page = shop.http.get(url)
    assert re.findall(r'name="list" value="\d+"( checked)?', page.text) == [" checked"]
    assert "Internal" not in page.text, "a list that the recipient has nothing to do with"
    assert "Your changes are saved." in shown(post(shop, url, action="save"))
    assert members(shop, offers) == {"chooser": "Unsubscribed"}
    assert "checked" not in shop.http.get(url).text
    post(shop, url, action="save", list=str(offers))
    assert members(shop, offers) == {"chooser": "Active"}
    assert "unsubscribed from all mails" in shown(post(shop, url, action="leave"))
    assert contact(shop, "chooser")["status"] == "Unsubscribed"
    post(shop, url, action="return")
    assert contact(shop, "chooser")["status"] == "Active"


def test_the_profile_centre_changes_what_is_kept(shop: Shop, key: str) -> None:
    url = send(shop, key, "person").page("p")
    page = shop.http.get(url)
    assert 'name="attribute.FirstName" value="Zoë"' in page.text
    assert "person@example.org" in page.text
    saved = post(shop, url, action="save", **{"attribute.FirstName": "<Zoé>", "attribute.LastName": "O'Hara"})
    assert "Your changes are saved." in shown(saved)
    assert 'value="&lt;Zoé&gt;"' in saved.text
    assert "O&#x27;Hara" in shop.http.get(url).text


def test_attack_attribute_that_is_not_the_profiles(shop: Shop, key: str) -> None:
    """Nothing but declared attributes can be written: not the address, not the key, not the status."""
    url = send(shop, key, "mallory").page("p")
    before = contact(shop, "mallory")
    reply = post(
        shop, url, action="save", **{"attribute.status": "Held", "address": "x@evil.example", "attribute.Nope": "1"}
    )
    assert reply.status_code == 200
    assert {**contact(shop, "mallory"), "modifiedDate": ""} == {**before, "modifiedDate": ""}


def test_attack_list_that_the_page_does_not_show(shop: Shop, key: str) -> None:
    secret = new_list(shop, "Secret")
    url = send(shop, key, "guesser").page("s")
    post(shop, url, action="save", list=str(secret))
    assert members(shop, secret) == {}


@pytest.mark.parametrize("letter", ["u", "s", "p"])
def test_attack_request_forged_by_another_site(shop: Shop, key: str, letter: str) -> None:
    """A page that got hold of a link has its visitor's browser post there: the browser says where it comes from."""
    name = f"forged-{letter}"
    url = send(shop, key, name).page(letter)
    reply = shop.http.post(
        url,
        data={"action": {"u": "unsubscribe", "s": "leave", "p": "save"}[letter], "attribute.FirstName": "X"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert reply.status_code == 400
    assert contact(shop, name)["status"] == "Active"


def test_attack_replay_of_an_unsubscription(shop: Shop, key: str) -> None:
    """Repeated, it changes nothing more, and nothing more is logged; after a return it works again."""
    mail = send(shop, key, "replayed")
    for _ in range(3):
        assert post(shop, mail.page("u"), action="unsubscribe").status_code == 200
    post(shop, mail.page("s"), action="return")
    assert contact(shop, "replayed")["status"] == "Active"
    post(shop, mail.page("u"), action="unsubscribe")
    assert contact(shop, "replayed")["status"] == "Unsubscribed"


@pytest.mark.parametrize("letter", ["u", "s", "p", "v"])
def test_attack_link_of_another_kind_or_none(shop: Shop, key: str, letter: str) -> None:
    mail = send(shop, key, f"kinds-{letter}")
    pixel_token = mail.pixel.rpartition("/")[2]
    base = shop.access.api
    for token in (pixel_token, mail.page(letter).rpartition("/")[2][:-1], "x", "", "%00", "a" * 5000):
        for method in ("GET", "POST"):
            reply = shop.http.request(method, f"{base}/t/{letter}/{token}", data={"action": "unsubscribe"})
            assert reply.status_code in (404, 405)
            assert "This link is not valid" in shown(reply)
    assert contact(shop, f"kinds-{letter}")["status"] == "Active"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"action=nonsense", "application/x-www-form-urlencoded"),
        (b"action=unsubscribe", "text/plain"),
        (b'{"action":"unsubscribe"}', "application/json"),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"&a=1" * 300, "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click", "multipart/form-data"),
    ],
)
def test_what_is_no_form_changes_nothing(shop: Shop, key: str, body: bytes, media_type: str) -> None:
    url = send(shop, key, "careful").page("u")
    reply = shop.http.post(url, content=body, headers={"content-type": media_type})
    assert reply.status_code == 400
    assert "Nothing was changed" in shown(reply)
    assert contact(shop, "careful")["status"] == "Active"


def test_head_shows_no_body_and_changes_nothing(shop: Shop, key: str) -> None:
    mail = send(shop, key, "head")
    for letter in "uspv":
        reply = shop.http.head(mail.page(letter))
        assert (reply.status_code, reply.content) == (200, b"")


def test_the_page_of_a_contact_that_is_gone_says_so(shop: Shop, key: str) -> None:
    mail = send(shop, key, "gone")
    shop.call("DELETE", "/postroom/v1/contacts/gone")
    for letter in "uspv":
        reply = shop.http.get(mail.page(letter))
        assert reply.status_code == 410
        assert "is not kept any more" in shown(reply)
