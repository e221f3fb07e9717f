"""Links of a mail: which are counted, what they lead to, and that nothing else of the mail changes."""

import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.samples import body_text, make_content, make_context, parsed

from postroom.content.ampscript.memory import MemoryBlocks
from postroom.content.ampscript.run import Services
from postroom.content.compiler import compile_content
from postroom.content.link_tokens import LinkMessage, LinkTokens, Token
from postroom.content.links import Href, Links, Tracking, find_hrefs, read_href
from postroom.content.model import Content, Mail

BASE = "https://t.example.com"
TOKENS = LinkTokens({1: bytes(32)})
MESSAGE = LinkMessage(100001, 7, 3, 42, UUID("01890f3e-0000-7000-8000-0123456789ab"))
_TRACKED = re.compile(r"https://t\.example\.com/t/c/([\w-]+)")
_PIXEL = re.compile(r'<img src="https://t\.example\.com/t/o/([\w-]+)"[^>]*>')


def send(
    content: Content,
    attributes: dict[str, object] | None = None,
    *,
    links: bool = True,
    opens: bool = False,
    blocks: dict[str, str] | None = None,
) -> str:
    """The HTML of a mail whose links are counted."""
    context = make_context(attributes)
    context.links = Links(TOKENS, BASE, MESSAGE, counts=links)
    plan = compile_content(content, tracking=Tracking(links=links, opens=opens))
    services = Services(blocks=MemoryBlocks(blocks or {}))
    mail = plan.compose(context, services)
    assert isinstance(mail, Mail), mail
    html = body_text(parsed(mail), "html")
    assert html is not None
    return html


def clicks(html: str) -> list[Token]:
    found = [TOKENS.read("click", token) for token in _TRACKED.findall(html)]
    assert None not in found
    return [token for token in found if token is not None]


def html_of(html: str, attributes: dict[str, object] | None = None) -> list[str]:
    """Where the links of ``html`` lead."""
    return [token.target for token in clicks(send(make_content(html=html), attributes))]


@pytest.mark.parametrize(
    ("html", "written"),
    [
        ('<a href="https://a.example/">x</a>', ["https://a.example/"]),
        ("<A class=b HREF='http://a.example/?q=1'>", ["http://a.example/?q=1"]),
        ("<area shape=rect href=https://a.example/b>", ["https://a.example/b"]),
        ('<a data-href="https://no.example" href = "https://a.example">', ["https://a.example"]),
        ('<a title="a > b href=\'https://no.example\'" href="https://a.example">', ["https://a.example"]),
        ('<abbr href="https://no.example"><link href="https://no.example"><a name="x">', []),
        ('<a href="">', []),
        ('<a href="https://a.example" href="https://b.example">', ["https://a.example"]),
        ('<a\nhref="https://a.example"\n>', ["https://a.example"]),
        ('<!--[if mso]><a href="https://a.example"><![endif]-->', ["https://a.example"]),
        ('<a href="https://unclosed.example', []),
    ],
)
def test_hrefs_are_found_as_a_browser_reads_tags(html: str, written: list[str]) -> None:
    assert [html[href.begin : href.end] for href in find_hrefs(html)] == written


def test_the_alias_names_a_link() -> None:
    assert list(find_hrefs('<a alias=" Track order " href="https://a.example">')) == [Href(31, 48, "Track order")]


@settings(deadline=None)
@given(st.text(alphabet="<a href='\"=x>/ \n", max_size=60))
def test_any_text_is_searched(html: str) -> None:
    for href in find_hrefs(html):
        assert 0 <= href.begin < href.end <= len(html)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/?a=1&copy=2", "https://a.example/?a=1&copy=2"),
        ("https://a.example/&#x2F;&#47;", "https://a.example///"),
        (" https://a.example/a b\n", "https://a.example/a%20b"),
        ("https://a.ex\nample/", "https://a.example/"),
        ("https://a.example/&nosuch;&#0;", "https://a.example/&nosuch;\ufffd"),
    ],
)
def test_an_address_is_read_as_from_an_attribute(written: str, address: str) -> None:
    assert read_href(written) == address


def test_a_literal_link_leads_to_its_address() -> None:
    html = send(make_content(html='<p><a alias="Shop" href="https://shop.example/?a=1&amp;b=2">x</a></p>\n'))
    (token,) = clicks(html)
    assert token == Token("click", MESSAGE, 1, "Shop", "", "https://shop.example/?a=1&b=2")
    assert _TRACKED.sub("https://shop.example/?a=1&amp;b=2", html) == (
        '<p><a alias="Shop" href="https://shop.example/?a=1&amp;b=2">x</a></p>\n'
    )


def test_personalization_inside_a_link_is_part_of_its_address() -> None:
    html = '<a href="https://shop.example/%%Order%%?m=%%Mail%%">'
    assert html_of(html, {"Order": "A 7", "Mail": "ä@x.org"}) == ["https://shop.example/A%207?m=ä@x.org"]


def test_an_address_that_is_a_value_is_counted_when_it_is_of_the_web() -> None:
    html = '<a href="%%Link%%">'
    assert html_of(html, {"Link": "https://shop.example/7"}) == ["https://shop.example/7"]
    for other in ("mailto:a@x.org", "#top", "", "javascript:alert(1)"):
        assert send(make_content(html=html), {"Link": other}) == f'<a href="{other}">\n'


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:help@shop.example">',
        '<a href="tel:+491234">',
        '<a href="#top">',
        '<img src="https://shop.example/logo.png">',
        '<link href="https://shop.example/style.css">',
        "https://shop.example/ in the text",
    ],
)
def test_what_is_no_web_link_stays_as_it_is(html: str) -> None:
    assert send(make_content(html=html + "\n")) == html + "\n"


def test_the_text_part_and_pages_of_our_own_are_not_counted() -> None:
    content = make_content(
        html='<a href="%%view_email_url%%">w</a>', text="See https://shop.example or %%unsub_center_url%%\n"
    )
    context = make_context()
    context.links = Links(TOKENS, BASE, MESSAGE)
    mail = compile_content(content, tracking=Tracking(links=True, opens=True)).compose(context)
    assert isinstance(mail, Mail)
    message = parsed(mail)
    assert body_text(message, "plain") == f"See https://shop.example or {context.links.page('unsubscribe')}\n"
    assert f'href="{context.links.page("view")}"' in str(body_text(message, "html"))


@pytest.mark.parametrize("code", ["", "%%[ SET @x = 1 ]%%"])
def test_the_pixel_is_the_last_of_the_body(code: str) -> None:
    html = send(make_content(html=f"{code}<html><body><p>x</p></BODY></html>\n"), links=False, opens=True)
    pixel = _PIXEL.search(html)
    assert pixel is not None
    assert TOKENS.read("open", pixel[1]) == Token("open", MESSAGE)
    assert _PIXEL.sub("", html) == "<html><body><p>x</p></BODY></html>\n"
    assert html.index("<p>x</p>") < pixel.start() < html.index("</BODY>") == pixel.end()


@pytest.mark.parametrize("code", ["", "%%[ SET @x = 1 ]%%"])
def test_without_a_body_tag_the_pixel_comes_at_the_end(code: str) -> None:
    html = send(make_content(html=f"{code}<p>x</p>"), {}, links=False, opens=True)
    assert _PIXEL.sub("", html).strip() == "<p>x</p>"
    assert html.startswith("<p>x</p>")


@pytest.mark.parametrize("code", ["", "%%[ SET @x = 1 ]%%"])
def test_clicks_are_not_counted_where_only_opens_are(code: str) -> None:
    html = f'{code}<a href="https://shop.example">x</a>\n'
    assert '<a href="https://shop.example">x</a>' in send(make_content(html=html), links=False, opens=True)


def test_links_beside_code_are_numbered_in_order() -> None:
    html = (
        '%%[ SET @n = 7 ]%%<a href="https://a.example/1">1</a>%%[ IF @n == 7 THEN ]%%'
        '<a alias="two" href="https://a.example/2?n=%%=v(@n)=%%&amp;x=%%Order%%">2</a>%%[ ELSE ]%%'
        '<a href="https://a.example/3">3</a>%%[ ENDIF ]%%<a href="%%Order%%">4</a>'
    )
    found = clicks(send(make_content(html=html), {"Order": "https://a.example/O"}))
    assert [(token.number, token.name, token.target) for token in found] == [
        (1, "", "https://a.example/1"),
        (2, "two", "https://a.example/2?n=7&x=https://a.example/O"),
        (4, "", "https://a.example/O"),
    ]


@pytest.mark.parametrize("code", ["", "%%[ SET @x = 1 ]%%"])
def test_linkname_is_the_alias_of_the_link_it_stands_in(code: str) -> None:
    html = (
        f'{code}<a alias="Track &amp; trace" href="https://a.example/?c=%%LinkName%%&amp;o=%%Order%%">1</a>'
        '<a href="https://a.example/?c=%%linkname%%">2</a> (%%linkname%%)'
        '<a alias="all" href="https://a.example/?c=%%linkname%%">3</a>\n'
    )
    assert html_of(html, {"Order": "7"}) == [
        "https://a.example/?c=Track%20%26%20trace&o=7",
        "https://a.example/?c=",
        "https://a.example/?c=all",
    ]
    assert ">2</a> ()<a" in send(make_content(html=html), {"Order": "7"})


def test_redirect_to_marks_a_computed_address() -> None:
    code = "%%[ SET @u = 'https://a.example/?x=1' ]%%"
    marked = send(make_content(html=code + '<a alias="n" href="%%=RedirectTo(@u)=%%">x</a>\n'))
    assert [(token.number, token.name, token.target) for token in clicks(marked)] == [
        (1, "n", "https://a.example/?x=1")
    ]
    unmarked = send(make_content(html=code + '<a href="%%=v(@u)=%%">x</a>\n'))
    assert unmarked == '<a href="https://a.example/?x=1">x</a>\n'


def test_redirect_to_works_wherever_it_is_printed() -> None:
    code = """%%[ SET @a = Concat('<a href="', RedirectTo('https://a.example/q'), '">') ]%%%%=v(@a)=%%"""
    (token,) = clicks(send(make_content(html=code)))
    assert token.target == "https://a.example/q"
    assert token.number >= 100_000


def test_links_in_content_blocks_are_counted() -> None:
    blocks = {"footer": '<a alias="Imprint" href="https://a.example/imprint">i</a>'}
    (token,) = clicks(send(make_content(html='%%=ContentBlockByKey("footer")=%%'), blocks=blocks))
    assert (token.name, token.target) == ("Imprint", "https://a.example/imprint")


def test_impression_regions_go_with_the_click() -> None:
    html = (
        '%%=BeginImpressionRegion("hero")=%%<a href="https://a.example/1">1</a>%%=EndImpressionRegion()=%%'
        '<a href="https://a.example/2">2</a>'
    )
    assert [token.region for token in clicks(send(make_content(html=html)))] == ["hero", ""]


@pytest.mark.parametrize(
    "href",
    [
        "%%[ IF 1 == 1 THEN ]%%https://a.example%%[ ENDIF ]%%",
        "https://a.example/%%[ IF 1 == 1 THEN ]%%x%%[ ENDIF ]%%",
    ],
)
def test_an_address_that_statements_run_through_stays_as_it_is(href: str) -> None:
    html = send(make_content(html=f'<a href="{href}">1</a><a href="https://a.example/2">2</a>'))
    assert '<a href="https://a.example' in html
    assert [token.target for token in clicks(html)] == ["https://a.example/2"]


def test_code_in_a_tag_does_not_hide_its_link() -> None:
    html = '<a %%=IIf(1 > 0, "class=b", "")=%% title="%%=v(Order)=%%" href="https://a.example/1">1</a>'
    (token,) = clicks(send(make_content(html=html), {"Order": 'a" href="https://evil.example'}))
    assert token.target == "https://a.example/1"


def test_editor_markup_goes_and_the_preheader_comes_beside_links() -> None:
    html = (
        '<body><a data-linkto="https://" conversion="true" href="https://a.example/1">%%=v("x")=%%</a>'
        '<custom name="opencounter" type="tracking"></body>'
    )
    sent = send(make_content(html=html, preheader="Soon"), opens=True)
    assert [token.target for token in clicks(sent)] == ["https://a.example/1"]
    assert "data-linkto" not in sent
    assert "opencounter" not in sent
    assert ">Soon</div>" in sent
    assert _PIXEL.search(sent) is not None


hrefs = st.sampled_from(["https://a.example/x?y=1", "mailto:a@x.org", "https://b.example/%%Name%%/z", "%%Link%%", "#"])
texts = st.text(alphabet="ab <>/\n=é&;%", max_size=20).filter(lambda text: "<a" not in text and "%%" not in text)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(texts, hrefs), max_size=4), texts, st.booleans())
def test_only_addresses_differ_from_the_uncounted_mail(items: list[tuple[str, str]], end: str, code: bool) -> None:
    html = "".join(f'{text}\n<a href="{href}">l</a>' for text, href in items) + end + "\n"
    content = make_content(html=("%%[ SET @x = 1 ]%%" if code else "") + html)
    attributes: dict[str, object] = {"Name": "n", "Link": "http://c.example/"}
    plain = compile_content(content).compose(make_context(attributes))
    assert isinstance(plain, Mail)
    sent = send(content, attributes)
    back = _TRACKED.sub(lambda match: str(getattr(TOKENS.read("click", match[1]), "target", "")), sent)
    assert back == body_text(parsed(plain), "html")


def test_a_retry_prints_the_same_bytes() -> None:
    content = make_content(html='<a href="https://a.example/%%A%%">%%=v(A)=%%</a>')
    assert send(content, {"A": "1"}, opens=True) == send(content, {"A": "1"}, opens=True)


def test_a_plan_says_whether_it_needs_links() -> None:
    def needs(html: str, tracking: Tracking | None = None) -> bool:
        return compile_content(make_content(html=html), tracking=tracking).needs_links

    assert not needs('<a href="https://a.example">%%Name%%</a>')
    assert needs('<a href="https://a.example">x</a>', Tracking(links=True, opens=False))
    assert needs("x", Tracking(links=False, opens=True))
    assert needs('<a href="%%Unsub_Center_URL%%">x</a>')
    assert needs("%%=v(1)=%%")
