"""Which mails have a page kept, and what it shows."""

import random
import zlib

import pytest
from tests.unit.content.samples import compose, make_content, make_context

from postroom.content.ampscript.run import Request, Response
from postroom.delivery.kept_page import LARGEST, Asking, page_of, page_to_keep

LINK = "https://post.example/t/v/token"


def test_a_mail_that_carries_the_link_to_its_page_has_one() -> None:
    mail = compose(make_content(html=f"<p>Grüße</p><a href='{LINK}'>web</a>", text=None), make_context())
    kept = page_to_keep(mail, LINK)
    assert kept is not None
    assert zlib.decompress(kept).decode() == page_of(mail)
    assert page_of(mail).strip() == f"<p>Grüße</p><a href='{LINK}'>web</a>"
    assert page_to_keep(mail, LINK + "x") is None


def test_a_mail_of_text_is_shown_as_a_page_without_markup_of_its_own() -> None:
    mail = compose(make_content("A & B", None, f"1 < 2 {LINK}"), make_context())
    assert page_to_keep(mail, LINK) is not None
    assert "<title>A &amp; B</title>" in page_of(mail)
    assert "1 &lt; 2" in page_of(mail)


def test_a_page_that_is_too_large_is_not_kept() -> None:
    noise = random.Random(1).randbytes(2 * LARGEST).hex()
    mail = compose(make_content(html=f"{LINK}<p>{noise}</p>"), make_context())
    assert page_to_keep(mail, LINK) is None


@pytest.mark.parametrize("asks", [False, True])
async def test_a_fetcher_knows_whether_it_was_asked(asks: bool) -> None:
    class Site:
        async def fetch(self, request: Request) -> Response:
            return Response(200, b"x")

    fetcher = Asking(Site())
    if asks:
        assert (await fetcher.fetch(Request("GET", "https://a.example/"))).body == b"x"
    assert fetcher.asked is asks
