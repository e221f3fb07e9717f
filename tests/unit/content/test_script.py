"""Mails whose parts hold code: order of parts, the wire form of what code prints, and code that ends a message."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.ampscript.rendering import ENGINE, make_run
from tests.unit.content.samples import body_text, compose, make_content, make_context, parsed, refused

from postroom.content.ampscript.memory import MemoryBlocks, MemoryData
from postroom.content.ampscript.run import Request, Response, Services
from postroom.content.compiler import compile_content
from postroom.content.model import Mail, NotComposed


def test_variables_of_the_html_reach_text_subject_and_sender() -> None:
    content = make_content(
        "Order %%=v(@n)=%%", "%%[ SET @n = Concat('A-', Number) ]%%<p>%%=v(@n)=%%</p>", "No. %%=v(@n)=%%",
        from_name="Shop %%=v(@n)=%%", cc=("%%=v(@copy)=%%",), bcc=("%%Archive%%",),
        reply_to="%%=Concat('r@','example.com')=%%",
    )  # fmt: skip
    mail = compose(content, make_context({"number": 7, "archive": "x@example.net"}))
    message = parsed(mail)
    assert mail.subject == "Order A-7"
    assert body_text(message, "html") == "<p>A-7</p>\n"
    assert body_text(message, "plain") == "No. A-7\n"
    assert str(message["From"]) == "Shop A-7 <shop@example.com>"
    assert str(message["Reply-To"]) == "r@example.com"
    assert mail.recipients == ("anna@example.org", "x@example.net")


def test_parts_without_code_stay_slots_beside_parts_with_code() -> None:
    content = make_content("Hi %%A%%", "<b>%%A%%</b>\n", "%%=v(A)=%% %%B%%\n")
    message = parsed(compose(content, make_context({"A": "ä", "B": "b"})))
    assert (body_text(message, "html"), body_text(message, "plain")) == ("<b>ä</b>\n", "ä b\n")


@pytest.mark.parametrize("html", ["<html><body>%%=v(@p)=%%!</body>", "<p>plain</p>"])
def test_a_preheader_with_code_runs_first_and_opens_the_body(html: str) -> None:
    content = make_content(html=html, preheader="%%[ SET @p = 'set' ]%%Look, %%A%%")
    text = body_text(parsed(compose(content, make_context({"A": "Anna"}))), "html")
    assert 'mso-hide:all">Look, Anna</div>' in text
    assert ("set!" in text) is ("@p" in html)


def test_a_preheader_without_code_is_shown_in_a_body_with_code() -> None:
    content = make_content(html="<body>%%=v(1)=%%</body>", preheader="Look, %%A%%")
    assert 'mso-hide:all">Look, Anna</div>1' in body_text(parsed(compose(content, make_context({"A": "Anna"}))), "html")
    asked = make_content(html="<body>%%=v(1)=%%[%%_PreHeader%%]</body>", preheader="Look, %%A%%")
    assert body_text(parsed(compose(asked, make_context({"A": "Anna"}))), "html") == "<body>1[Look, Anna]</body>\n"


def test_editor_markup_goes_and_places_stay_those_of_the_source() -> None:
    link = '<a data-linkto="http://"\n href="%%=v(1)=%%" conversion="true">x</a>'
    html = f'<body>\n{link}<custom type="tracking">\n%%=Add("x",1)=%%'
    outcome = refused(make_content(html=html, preheader="p"), make_context())
    assert outcome.reason == "html line 4 column 4: Add: 'x' is not a number [NotANumber]"
    fine = html.replace('Add("x",1)', "v(2)")
    text = body_text(parsed(compose(make_content(html=fine), make_context())), "html")
    assert text == '<body>\n<a\n href="1">x</a>\n2\n'


class Silent:
    """Sites that answer with nothing, or not at all."""

    async def fetch(self, request: Request) -> Response:
        return Response(200 if request.url.endswith("empty") else 500)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("'https://a.example/empty', false, 1", 113),
        ("'https://a.example/empty', true, 1", 113),
        ("'https://a.example/empty', false, 2", 102),
        ("'https://a.example/', false, 1", 103),
    ],
)
def test_a_site_without_an_answer_ends_the_message(arguments: str, code: int) -> None:
    content = compile_content(make_content(html=f"%%=HTTPGet({arguments})=%%"))
    outcome = content.compose(make_context(), Services(fetcher=Silent()))
    assert isinstance(outcome, NotComposed)
    assert outcome.status_code == code


def test_the_open_impression_region_is_printed_where_its_name_stands() -> None:
    name = "[%%_ImpressionRegionName%%]"
    html = (
        f"{name}%%=BeginImpressionRegion('top')=%%{name}%%=BeginImpressionRegion('offer')=%%"
        f"%%=v(_impressionregionname)=%%%%=EndImpressionRegion()=%%{name}%%=EndImpressionRegion(1)=%%{name}"
    )
    mail = compose(make_content(f"No {name}", html), make_context())
    assert (mail.subject, body_text(parsed(mail), "html").strip()) == ("No []", "[][top]offer[top][]")


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("%%[ RaiseError('no', true) ]%%", 102),
        ("%%[ RaiseError('no') ]%%", 111),
        ("%%[ RaiseError('no', 1, 'E1', 7, 1) ]%%", 102),
        ("%%=Add('x',1)=%%", 103),
        ("%%Nobody%%%%=v(1)=%%", 103),
        ("%%=ContentBlockByKey('a')=%%", 104),
    ],
)
def test_code_that_ends_the_message(html: str, code: int) -> None:
    services = Services(blocks=MemoryBlocks(by_key={"a": "%%=ContentBlockByKey('a')=%%"}))
    outcome = compile_content(make_content(html=html)).compose(make_context(), services)
    assert isinstance(outcome, NotComposed)
    assert outcome.status_code == code
    assert outcome.reason.startswith(("html line 1 column ", "content block"))


@pytest.mark.parametrize(("keeps", "flag"), [(True, "1"), (False, "0")])
def test_what_raise_error_says_of_itself_stands_in_the_reason(keeps: bool, flag: str) -> None:
    html = f"%%[ RaiseError('no stock', 1, 'E1', 7, {flag}) ]%%"
    outcome = refused(make_content(html=html), make_context())
    assert outcome.reason == "html line 1 column 5: RaiseError: no stock [Raised], code E1, number 7"
    assert outcome.keeps_writes is keeps


async def test_data_is_reached_through_the_services() -> None:
    plan = compile_content(make_content(html="%%=Lookup('Shops','City','Id', Shop)=%%"))
    services = Services(data=MemoryData.load({"Shops": [{"Id": "1", "City": "Oslo"}]}))
    assert plan.asynchronous
    mail = await plan.compose_async(make_context({"shop": 1}), services)
    assert isinstance(mail, Mail)
    assert body_text(parsed(mail), "html") == "Oslo\n"
    without = await plan.compose_async(make_context({"shop": 1}))
    assert isinstance(without, NotComposed)
    assert "there is no data extension Shops" in without.reason


class Files:
    """A fetcher that has one file."""

    async def fetch(self, request: Request) -> Response:
        if request.url == "https://files.example.com/a":
            return Response(200, bytes(range(256)) * 20, headers=[("Content-Type", "Application/PDF; x=y")])
        return Response(404)


@pytest.mark.parametrize("name", ["invoice 1.pdf", "Rechnung für „März“ " * 6 + ".pdf"])
async def test_files_are_attached(name: str) -> None:
    html = f"<p>x</p>%%[ AttachFile('HTTP', 'https://files.example.com/a', '{name}') ]%%"
    plan = compile_content(make_content(html=html, text="t"))
    assert plan.asynchronous
    mail = await plan.compose_async(make_context(), Services(fetcher=Files()))
    assert isinstance(mail, Mail)
    message = parsed(mail)
    assert message.get_content_type() == "multipart/mixed"
    assert body_text(message, "html") == "<p>x</p>\n"
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == name
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_payload(decode=True) == bytes(range(256)) * 20
    assert max(len(line) for line in mail.data.split(b"\r\n")) <= 78


async def test_a_file_that_is_not_there_fails_the_message() -> None:
    plan = compile_content(make_content(html="%%[ AttachFile('HTTP', 'https://files.example.com/b', 'b') ]%%"))
    outcome = await plan.compose_async(make_context(), Services(fetcher=Files()))
    assert isinstance(outcome, NotComposed)
    assert "AttachmentMissing" in outcome.reason


PIECES = ("%%=v(A)=%%", "%%[ IF A == 'x' THEN ]%%", "%%[ ELSE ]%%", "%%[ FOR @i = 1 TO 3 DO ]%%", "{{A}}", "%%A%%",
          "%%[ OutputLine(v(A)) ]%%", "%%[ SET @x = A ]%%",
          ".", "a", " ", "\n", "=", "word " * 30, "ü", "\t")  # fmt: skip


def closed(pieces: list[str]) -> str:
    """The pieces with every structure closed, innermost first."""
    text: list[str] = []
    opened: list[str] = []
    for piece in pieces:
        if "IF" in piece:
            opened.append("ENDIF")
        elif "FOR" in piece:
            opened.append("NEXT")
        elif "ELSE" in piece and (not opened or opened[-1] != "ENDIF"):
            continue
        elif "ELSE" in piece:
            opened[-1] = "ENDIF "
        text.append(piece)
        if len(opened) > 4:
            text.append(f"%%[ {opened.pop()} ]%%")
    return "".join([*text, *(f"%%[ {end} ]%%" for end in reversed(opened))])


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.text(max_size=100), st.booleans())
def test_what_code_prints_arrives_whole_in_lines_mail_allows(pieces: list[str], value: str, wide: bool) -> None:
    html = closed(pieces) + ("字" * 400 if wide else "")
    content = make_content(html=html + "%%=v(1)=%%")
    mail = compose(content, make_context({"A": value}))
    lines = mail.data.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert not any(line.startswith(b".") for line in lines)
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", mail.data) is None
    run = make_run(attributes={"A": value})
    printed = ENGINE.compile({"html": content.html or ""}).render(run)["html"]
    wanted = re.sub("[\0\ud800-\udfff]", "\ufffd", printed.replace("\r\n", "\n").replace("\r", "\n"))
    assert body_text(parsed(mail), "html").removesuffix("\n") == wanted
