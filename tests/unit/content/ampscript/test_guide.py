"""The Guide Template Language: values, sections, helpers, what the editor stores, and braces that are only text."""

import pytest
from tests.unit.content.ampscript.rendering import render

from postroom.content.ampscript.faults import Fault
from postroom.content.ampscript.run import Dialect

VALUES = {
    "Name": "a <b>",
    "Person": {"First": "Ada", "Address": {"City": "Oslo", "Post Code": "0150"}},
    "Items": [{"n": "one", "tags": ["x", "y"]}, {"n": "two", "tags": []}],
    "Words": ["a", "b"],
    "Yes": True,
    "No": False,
    "Zero": 0,
    "Blank": "",
    "None": None,
    "Json": '[{"t": "j1"}, {"t": "j2"}]',
    "Tier": "gold",
}


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("{{Name}} {{{Name}}} {{&Name}} {{ name }}", "a &lt;b&gt; a <b> a <b> a &lt;b&gt;"),
        ("[{{Nope}}{{Nope.Deeper}}]", "[]"),
        ("{{Person.First}} {{person.address.city}} {{Person.Address.[Post Code]}}", "Ada Oslo 0150"),
        ("{{Items.1.n}} {{Words.length}}", "two 2"),
        ("a{{! note }}b{{!-- {{no}} --}}c", "abc"),
        ("a {{~! note ~}} b", "ab"),
        ("a {{~Tier~}} b", "agoldb"),
        ("{{#Yes}}y{{/Yes}}{{#No}}n{{/No}}{{^No}}N{{/No}}", "yN"),
        ("{{#Zero}}0{{/Zero}}{{#Blank}}b{{/Blank}}{{#None}}n{{/None}}{{#Nope}}x{{/Nope}}", ""),
        ("{{#Person}}{{First}} of {{Tier}}{{/Person}}", "Ada of gold"),
        ("{{#Items}}{{n}}:{{#tags}}{{.}}{{/tags}};{{/Items}}", "one:xy;two:;"),
        ("{{#each Words}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", "0a,1b"),
        ("{{#each Items}}{{n}}{{else}}none{{/each}}|{{#each Nope}}x{{else}}none{{/each}}", "onetwo|none"),
        ("{{#each Items}}{{#with ../Person}}{{First}}{{/with}}{{/each}}", "AdaAda"),
        ("{{#if Zero}}a{{else if Yes}}b{{else}}c{{/if}}", "b"),
        ("{{#if Zero}}a{{else if No}}b{{else}}c{{/if}}d", "cd"),
        ("{{#unless No}}a{{else}}b{{/unless}}", "a"),
        ("{{#with Nope}}x{{else}}y{{/with}}", "y"),
        ('{{#switch Tier}}{{#case "x"}}x{{/case}}{{#case "gold"}}g{{/case}}{{#default}}d{{/default}}{{/switch}}', "g"),
        ('{{#switch Zero}}{{#case "silver"}}s{{/case}}{{#default}}d{{/default}}{{/switch}}', "d"),
        ("{{> foot}}{{>missing}}!", "<hr>Ada!"),
        ("{{.slot a}}{{.block b htmlemail}}{{.data}}{\"x\": 1}{{/data}}%%=v('q')=%%{{/block}}{{/slot}}", "q"),
        ("{{#=if (([Tier] == 'gold') && ([Zero] == '0'))}}y{{.else}}n{{/if}}", "y"),
        ("{{#=if [Tier] == 'x' || [Tier] == 'y'}}y{{.else}}n{{/if}}", "n"),
        ("{{= Uppercase([Tier]) }}{{=v(Zero)}}", "GOLD0"),
        ("%%[ SET @v = 'set' ]%%{{@v}}", "set"),
        (
            "%%[ SET @j = Json ]%%{{.datasource d type=variable maxRows = 1}}"
            '{{.data}}{"target": "@j"}{{/data}}{{t}};{{/datasource}}', "j1;",
        ),
        ("{{.datasource d type=nested}}{{.data}}{\"target\": \"Items\"}{{/data}}{{n}};{{/datasource}}",
         "one;two;"),
        ("{{.datasource d type=de}}{{.data}}{\"target\": \"Shops\"}{{/data}}{{City}};{{/datasource}}",
         "Oslo;Rome;"),
        ("{{.datasource d}}{{.data}}[{\"a\": 1}, {\"a\": 2.5}]{{/data}}{{a}};{{/datasource}}", "1;2.5;"),
        ("{{#each Words}}%%=v(@i)=%%%%[ SET @i = Add(@i0, 1) ]%%{{this}}{{/each}}", None),
        ("a { b } {{ two words }} {{}} {{1}} {{#}} }} {{", "a { b } {{ two words }} {{}} {{1}} {{#}} }} {{"),
        ("@media{a{b:c}}{{\n}}", "@media{a{b:c}}{{\n}}"),
    ],
)  # fmt: skip
def test_guide(source: str, printed: str | None) -> None:
    given = {"data": {"Shops": [{"City": "Oslo"}, {"City": "Rome"}]}, "blocks": {"foot": "<hr>{{Person.First}}"}}
    if printed is None:
        with pytest.raises(Fault) as caught:
            render(source, VALUES, **given)  # type: ignore[arg-type]
        assert caught.value.code == "NotANumber"
    else:
        assert render(source, VALUES, **given) == printed  # type: ignore[arg-type]


def test_the_language_can_be_switched_off() -> None:
    assert render("{{Name}}{{#if x}}", VALUES, dialect=Dialect(guide_language=False)) == "{{Name}}{{#if x}}"


def test_a_source_that_is_no_json() -> None:
    with pytest.raises(Fault) as caught:
        render("{{.datasource d}}{{.data}}{nope{{/data}}x{{/datasource}}")
    assert caught.value.code == "BadJson"
