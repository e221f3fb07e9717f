"""A mail whose template asks a site has a page that shows what was sent, whatever the site says meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.scenarios.tracking.shop import Mail, Shop, until

from postroom.cli.private_server import PrivateServer


class Offers(BaseHTTPRequestHandler):
    """A site with another offer for everybody who asks."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        body = f"<b>offer {self.asked}</b>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not to the test's output."""


@pytest.fixture
def site() -> Iterator[str]:
    """Its host and port."""
    with HTTPServer(("127.0.0.1", 0), Offers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def kept(shop: Shop, mail: Mail) -> str:
    """The address of its page, which is there when the outcome is: a moment after the mail."""
    address = mail.page("v")
    until(lambda: shop.http.get(address).text == mail.html)
    return address


def test_the_page_shows_what_was_sent_and_goes_with_the_person(site: str) -> None:
    variables = {"POSTROOM_TEMPLATE_HTTP_HOSTS": site, "POSTROOM_TEMPLATE_HTTP_PRIVATE": "yes"}
    offer = f"%%=HTTPGet(Concat('http://{site}/', _subscriberkey))=%%"
    link = '<a href="%%view_email_url%%">on the web</a>'
    with PrivateServer(variables=variables) as access:
        shop = Shop(access)
        with closing(shop.http):
            key = shop.define(f"<p>Hello %%_subscriberkey%%: {offer}</p>{link}")
            mails = {name: shop.send(key, name) for name in ("ann", "bob")}
            asked = Offers.asked
            for name, mail in mails.items():
                page = shop.http.get(kept(shop, mail))
                assert page.text == mail.html
                assert f"Hello {name}: <b>offer " in page.text
            assert Offers.asked == asked == 2, "nobody asked again"
            silent = shop.define(f"{link}%%[ if _messagecontext == 'SEND' then ]%%{offer}%%[ endif ]%%<p>end</p>")
            assert "offer" in shop.http.get(kept(shop, shop.send(silent, "cid"))).text
            receipt = shop.call("POST", "/postroom/v1/erasures", {"contactKey": "ann", "suppress": False})
            assert receipt["state"] == "finished"
            assert shop.http.get(mails["ann"].page("v")).status_code == 410
            assert shop.http.get(mails["bob"].page("v")).status_code == 200
