"""Editor markup goes, the preheader comes, everything else stays byte for byte."""

import pytest
from tests.unit.content.samples import body_text, compose, make_content, make_context, parsed

from postroom.content.markup import place_preheader, strip_editor_markup


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ('a<custom name="opencounter" type="tracking">b', "ab"),
        ("a<custom name='opencounter' type='tracking' />b", "ab"),
        ('a<CUSTOM type="tracking" name="opencounter"></CUSTOM>b', "ab"),
        ('a<custom name="footer" type="content">b', 'a<custom name="footer" type="content">b'),
        ('<a href="x" data-linkto="http://" conversion="true" alias="y">', '<a href="x" alias="y">'),
        ("<a\n  data-linkto='mailto:'\n  href=x conversion=false>", "<a\n  href=x>"),
        ('<a title=" data-linkto=1 " href="?a&conversion=1">', '<a title=" data-linkto=1 " href="?a&conversion=1">'),
        ("conversion = 1 data-linkto=2 <b>", "conversion = 1 data-linkto=2 <b>"),
        ("<a <a ' \" <", "<a <a ' \" <"),
    ],
)
def test_strip_editor_markup(html: str, left: str) -> None:
    assert strip_editor_markup(html) == left


def test_hostile_markup_is_read_in_linear_time() -> None:
    for piece in ("<a ", "<custom ", "<!--", "<body '", '<a "', "<script ", "%%1", "%%"):
        html = piece * 50_000 + "conversion"
        assert strip_editor_markup(html) == html
        compose(make_content(html=html, preheader="p"), make_context())


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<html><body>x", "<html><body>"),
        ('<html><BODY class="a>b">x', '<html><BODY class="a>b">'),
        ("<!-- <body> --><body bgcolor=#fff>x", "<!-- <body> --><body bgcolor=#fff>"),
        ("<!--[if mso]><body class='mso'><![endif]--><body>x", "<!--[if mso]><body class='mso'><![endif]--><body>"),
        ("<p>no body</p>", ""),
        ("<!-- <body>", ""),
    ],
)
def test_the_preheader_opens_the_body(html: str, before: str) -> None:
    placed = place_preheader(html, "{look}")
    assert placed.startswith(f'{before}<div style="display:none')
    assert placed.endswith(f">{{look}}</div>{html[len(before) :]}")


def test_the_preheader_goes_where_the_html_asks_for_it() -> None:
    html = "<body><i>%%_PREHEADER%%</i></body>\n"
    mail = compose(make_content(html=html, preheader="Hello %%Name%%"), make_context({"name": "Anna"}))
    assert body_text(parsed(mail), "html") == "<body><i>Hello Anna</i></body>\n"
    assert place_preheader(html, "x") == html
    assert place_preheader("<body>", "") == "<body>"


def test_the_hidden_preheader_is_personal() -> None:
    content = make_content(html="<body>x</body>\n", preheader="Hello %%Name%%")
    text = body_text(parsed(compose(content, make_context({"name": "Anna"}))), "html")
    assert ">Hello Anna</div>x</body>" in text


def test_names_in_stripped_markup_are_not_asked_for() -> None:
    mail = compose(make_content(html='<a href="x" data-linkto="%%Gone%%">y</a>\n'), make_context())
    assert body_text(parsed(mail), "html") == '<a href="x">y</a>\n'
