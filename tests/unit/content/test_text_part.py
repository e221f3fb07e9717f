"""The text that stands beside HTML whose author wrote none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.samples import body_text, make_content, make_context, parsed

from postroom.content.compiler import compile_content
from postroom.content.model import Content, Mail, NotComposed
from postroom.content.source import pieces
from postroom.content.text_part import MAX_HTML, text_of


def derived(content: Content, **attributes: object) -> Mail:
    mail = compile_content(content, derive_text=True).compose(make_context(attributes))
    assert isinstance(mail, Mail), mail
    return mail


def test_the_mail_is_an_alternative_of_text_and_html() -> None:
    html = "<h1>Your order %%Number%%</h1>\n<p>Dear %%Name%%,<br>it is on its way.</p>\n"
    message = parsed(derived(make_content("x", html), Number="A-1", Name="José"))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert body_text(message, "plain") == "Your order A-1\n\nDear José,\nit is on its way.\n"
    assert body_text(message, "html") == html.replace("%%Number%%", "A-1").replace("%%Name%%", "José")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb\n"),
        ('<a href="https://example.com/t/%%Id%%">Follow it</a>', "Follow it <https://example.com/t/%%Id%%>\n"),
        ('<a href="%%view_email_url%%">Browser</a>', "Browser <%%view_email_url%%>\n"),
        ('<a href="https://example.com/">example.com</a>', "example.com\n"),
        ('<a href="mailto:help@example.com">help@example.com</a>', "help@example.com\n"),
        ('<a href="mailto:help@example.com">Write</a>', "Write <help@example.com>\n"),
        ('<a href="https://example.com"><img src="x.png" alt="Our shop"></a>', "Our shop <https://example.com>\n"),
        ('<a href="https://example.com"><img src="x.png"></a>', "<https://example.com>\n"),
        ('<a href="#top">Up</a> <a href="javascript:alert(1)">x</a>', "Up x\n"),
        ("<title>t</title><style>p{}</style><!-- c --><script>s</script><p>a", "a\n"),
        ('<div style="display:none">%%_PreHeader%%</div><p>a</p>', "a\n"),
        ("<table><tr><td>Item</td><td>5.00</td></tr><tr><td>All of it</td><td>5.00</td></tr></table>",
         "Item  5.00\nAll of it  5.00\n"),
        ("<ul><li>a<li>b</ul>", "  * a\n  * b\n"),
        ("a &amp; b &lt;c&gt; 5&nbsp;€", "a & b <c> 5 €\n"),
        ("<td>&zwnj;&nbsp;&zwnj;&nbsp;</td><p>a</p>", "a\n"),
    ],
)  # fmt: skip
def test_what_a_reader_sees(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    "html",
    [
        '<img src="x.png">',
        "<p>&#37;%Name%%</p>",
        "<p>&#37;&#37;=Now()=%%</p>",
        "<p>\U000f0000</p>",
        "x" * (MAX_HTML + 1),
    ],
)
def test_no_text_is_better_than_a_wrong_one(html: str) -> None:
    assert text_of(html) is None
    mail = derived(make_content("x", html))
    assert parsed(mail).get_content_type() == "text/html"


def test_a_text_of_the_author_stays_as_it_is() -> None:
    content = make_content("x", "<p>a</p>", "written\n")
    assert derived(content).data == derived(content).data
    assert body_text(parsed(derived(content)), "plain") == "written\n"
    assert compile_content(content, derive_text=True).compose(make_context()) == compile_content(content).compose(
        make_context()
    )


def test_html_with_code_gets_none_and_runs_once() -> None:
    mail = derived(make_content("x", "<p>%%=Add(1,1)=%%</p>"))
    assert parsed(mail).get_content_type() == "text/html"


def test_code_in_the_subject_does_not_matter() -> None:
    mail = derived(make_content("%%=Add(1,1)=%%", "<p>%%Name%%</p>"), Name="Anna")
    assert mail.subject == "2"
    assert body_text(parsed(mail), "plain") == "Anna\n"


def test_a_missing_value_is_told_of_the_part_that_the_author_wrote() -> None:
    outcome = compile_content(make_content("x", "<p>%%Name%%</p>"), derive_text=True).compose(make_context())
    assert outcome == NotComposed(103, "html: no value for %%Name%%")


def test_a_text_only_mail_stays_one() -> None:
    assert parsed(derived(make_content("x", None, "a\n"))).get_content_type() == "text/plain"


_scraps = [
    "<p>", "</p>", "<table>", "<tr>", "<td>", "<a href='%%U%%'>", "<a href=http://x>", "</a>", "%%N%%", "&#37;", "%%",
    "<", ">", "<!--", "-->", "<style>", "&nbsp;", "\ud800", "\0", "<?xml version='1.0' encoding='utf-8'?>", "a b", "\n",
    "<li>",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(_scraps), max_size=25).map("".join))
def test_any_html_gives_a_text_with_no_other_strings_or_none(html: str) -> None:
    text = text_of(html)
    if text is not None:
        names = {piece.text for piece in pieces(html) if piece.name is not None}
        assert {piece.text for piece in pieces(text) if piece.name is not None} <= names
        assert text.strip()
        assert text.endswith("\n")


@pytest.mark.parametrize("tag", ["table><tr><td", "div", "ul><li", "a href=http://x", "blockquote"])
def test_attack_deep_nesting_ends_in_a_text_or_none(tag: str) -> None:
    text = text_of(f"<{tag}>" * (MAX_HTML // (len(tag) + 2)) + "x")
    assert text is None or len(text) < 100 * MAX_HTML
