"""Content Builder's tree of slots and blocks becomes one text."""

import pytest

from postroom.content.model import ContentRejected
from postroom.content.views import content_from_views, flatten_view


def block(key: str, tag: str = "div") -> str:
    return f'<{tag} data-type="block" data-key="{key}"></{tag}>'


def test_slots_and_blocks_take_the_place_of_their_elements() -> None:
    view = {
        "content": "<body><div data-type='slot' data-key='main'>drop a block here</div><p>end</p></body>",
        "slots": {
            "main": {
                "content": f"<h1>{block('a')}</h1>{block('b')}",
                "blocks": {"a": {"content": "Hello %%Name%%"}, "b": {"content": "old", "superContent": "new"}},
            }
        },
    }
    assert flatten_view(view) == "<body><h1>Hello %%Name%%</h1>new<p>end</p></body>"


@pytest.mark.parametrize(
    ("element", "result"),
    [
        ('<DIV class="x" DATA-KEY="k" style="a" data-type="block"><div>old</div></DIV>', "[new]"),
        ("<div data-type=block data-key=k><div><div></div></div></div>", "[new]"),
        ("<div data-type='block' data-key='k'/>", "[new]"),
        ("<span data-type='block' data-key='k'>x</span>", "[new]"),
        ("<td width=1 data-type='block' data-key='k'>old</td>", "[<td width=1>new</td>]"),
        ("<div data-type='block' data-key='other'>own</div>", "[own]"),
        ("<div data-type='block'>no key</div>", "[<div data-type='block'>no key</div>]"),
        ("<div data-type='chart' data-key='k'>x</div>", "[<div data-type='chart' data-key='k'>x</div>]"),
        ("<div data-type='block' data-key='k'>never closed", "[newnever closed]"),
    ],
)
def test_placeholder_elements(element: str, result: str) -> None:
    assert flatten_view({"content": f"[{element}]", "blocks": {"k": {"content": "new"}}}) == result


def test_super_content_beats_content_and_the_template_stands_in() -> None:
    assert flatten_view({"content": "a", "superContent": "b"}) == "b"
    assert flatten_view({"content": "a", "superContent": ""}) == "a"
    template = {"content": f"<p>{block('x')}</p>", "blocks": {"x": {"content": "from template"}}}
    assert flatten_view({"template": template}) == "<p>from template</p>"
    assert flatten_view({"template": template, "blocks": {"x": {"content": "own"}}}) == "<p>own</p>"
    assert flatten_view({}) == ""


def test_a_block_may_use_blocks_around_it() -> None:
    view = {
        "content": block("a"),
        "blocks": {"a": {"content": block("b"), "blocks": {}}, "b": {"content": "deep"}},
    }
    assert flatten_view(view) == "deep"


def test_a_block_that_contains_itself_is_rejected() -> None:
    blocks = {"a": {"content": block("b")}, "b": {"content": "x\n" + block("a")}}
    with pytest.raises(ContentRejected, match='html line 2 column 1: block "a" contains itself'):
        flatten_view({"content": block("a"), "blocks": blocks})


def test_deep_nesting_is_rejected() -> None:
    blocks = {f"b{n}": {"content": block(f"b{n + 1}")} for n in range(50)}
    with pytest.raises(ContentRejected, match="levels deep"):
        flatten_view({"content": block("b0"), "blocks": blocks})
    unknown = "<div data-type='block' data-key='k'>" * 3000 + "</div>" * 3000
    with pytest.raises(ContentRejected, match="levels deep"):
        flatten_view({"content": unknown})


def test_an_expansion_bomb_is_rejected() -> None:
    blocks = {f"b{n}": {"content": block(f"b{n + 1}") * 10} for n in range(15)}
    with pytest.raises(ContentRejected, match="more than 2,000 slots and blocks"):
        flatten_view({"content": block("b0"), "blocks": blocks})
    big = {"content": block("x") * 10, "blocks": {"x": {"content": "y" * 1_000_000}}}
    with pytest.raises(ContentRejected, match="more than 5,000,000 characters"):
        flatten_view(big)


@pytest.mark.parametrize(
    "view", [{"content": 7}, {"content": block("x"), "blocks": {"x": "text"}}, {"content": "", "superContent": []}]
)
def test_a_tree_of_another_shape_is_rejected(view: dict[str, object]) -> None:
    with pytest.raises(ContentRejected) as caught:
        flatten_view(view)
    assert caught.value.problems[0].code == "WrongType"


def test_content_of_an_email_asset() -> None:
    views = {
        "html": {"content": block("a"), "blocks": {"a": {"content": "<p>x</p>"}}},
        "text": {"content": "x"},
        "subjectline": {"content": "Hi %%Name%%"},
        "preheader": {"content": " look "},
    }
    content = content_from_views(
        views, from_name="Shop", from_address="s@example.com", reply_to="r@example.com", cc=["c@example.com"]
    )
    assert (content.subject, content.html, content.text, content.preheader) == ("Hi %%Name%%", "<p>x</p>", "x", "look")
    assert (content.from_name, content.from_address, content.reply_to) == ("Shop", "s@example.com", "r@example.com")
    assert (content.cc, content.bcc) == (("c@example.com",), ())


def test_a_text_only_asset_has_no_html() -> None:
    content = content_from_views({"text": {"content": "x"}, "html": {"content": " "}, "subjectline": None})
    assert (content.html, content.text, content.subject) == (None, "x", "")
    with pytest.raises(ContentRejected, match="preheader line 1 column 1"):
        content_from_views({"preheader": 3})
