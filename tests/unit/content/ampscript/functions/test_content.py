"""Stored content, regions, images, attachments."""

import pytest
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import LimitFault, MissingFault, Refused, ValueFault
from postroom.content.ampscript.functions.registry import Reference
from postroom.content.ampscript.run import Account, Attachment, Image, Limits

BLOCKS = {"foot": "bye", "42": "forty-two", "A\\B\\Main": "main"}


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("ContentBlockByKey", " FOOT ", "[bye]"),
        ("ContentBlockByID", 42, "[forty-two]"),
        ("ContentArea", "42", "[forty-two]"),
        ("ContentBlockByName", "a\\b\\main", "[main]"),
        ("ContentAreaByName", "A\\B\\Main", "[main]"),
    ],
)
def test_a_block_is_evaluated(name: str, key: object, text: str) -> None:
    assert call(name, key, run=make_run(blocks=BLOCKS)) == text


def test_a_missing_block_is_an_error_or_its_default_as_it_is() -> None:
    run = make_run(blocks=BLOCKS)
    with pytest.raises(MissingFault, match="no content block with the key 'nope'"):
        call("ContentBlockByKey", "nope", run=run)
    with pytest.raises(MissingFault):
        call("ContentBlockByKey", "", run=run)
    assert call("ContentBlockByKey", "nope", "", 0, run=run) == ""
    assert call("ContentBlockByKey", "nope", "", "false", "%%x%%", run=run) == "%%x%%"


def test_the_status_says_whether_it_was_found() -> None:
    run = make_run(blocks=BLOCKS)
    status = Reference(run.variables, "s")
    call("ContentBlockByKey", "foot", "", 0, "", status, run=run)
    assert status.get() == 0
    call("ContentBlockByKey", "nope", "", 0, "", status, run=run)
    assert status.get() == -1


def test_a_region_is_open_while_its_block_is_evaluated() -> None:
    run = make_run(blocks=BLOCKS)
    assert call("BeginImpressionRegion", "outer", run=run) == ""
    call("ContentBlockByKey", "foot", "inner", run=run)
    call("TreatAsContentArea", "k", "x", "area", run=run)
    assert run.notes == ["content block foot within outer/inner", "TreatAsContentArea k within outer/area"]
    assert run.regions == ["outer"]
    call("BeginImpressionRegion", "second", run=run)
    assert call("EndImpressionRegion", run=run) == ""
    assert run.regions == ["outer"]
    call("EndImpressionRegion", True, run=run)
    call("EndImpressionRegion", run=run)
    assert run.regions == []
    assert call("BeginAssetBlock", "x") == call("EndAssetBlock") == ""


def test_exhaustion_regions_without_end_are_stopped() -> None:
    run = make_run()
    run.regions = ["x"] * 10_000
    with pytest.raises(ValueFault, match="10,000"):
        call("BeginImpressionRegion", "y", run=run)


def test_treat_as_content_evaluates_what_could_be_a_template() -> None:
    assert call("TreatAsContent", "%%x%%") == "[%%x%%]"
    assert call("TreatAsContent", "plain") == "plain"
    assert call("TreatAsContent", None) == ""


def test_images_are_stored_ones() -> None:
    images = {
        "logo": Image("12", "https://x/l.png?a&b", 'the "logo"'),
        "own": Image("7", "/files/5/k/own.png", "own"),
    }
    run = make_run(account=Account(public_url="https://mail.example"), images=images)
    tag = (
        '<img src="https://x/l.png?a&amp;b" title="the &quot;logo&quot;" alt="the &quot;logo&quot;" border="0" '
        'thid="12">'
    )
    assert call("ContentImageByKey", "Logo", run=run) == tag
    assert call("Image", "nope", "logo", run=run) == call("ContentImageByID", "nope", "logo", run=run) == tag
    assert 'src="https://mail.example/files/5/k/own.png"' in str(call("ContentImageByID", "own", run=run))
    with pytest.raises(MissingFault, match="no image with the id 'nope'"):
        call("ContentImageByID", "nope", run=run)


def test_option_list() -> None:
    result = call("BuildOptionList", "B", "a", "A & co", "b", "B")
    assert result == '<option value="a">A &amp; co</option>\r\n<option value="b" selected="selected">B</option>\r\n'


def test_files_are_named_for_delivery_to_fetch() -> None:
    run = make_run(limits=Limits(attachments=1))
    assert call("AttachFile", "http", "https://x.example/a.pdf", "a.pdf", run=run) == ""
    assert run.attachments == [Attachment("HTTP", "https://x.example/a.pdf", "a.pdf")]
    with pytest.raises(LimitFault):
        call("AttachFile", "HTTP", "https://x.example/b.pdf", "b.pdf", run=run)


@pytest.mark.parametrize(
    ("kind", "location", "name"),
    [
        ("FTP", "https://x/a", "a"),
        ("HTTP", "file:///etc/passwd", "a"),
        ("HTTP", "//x/a", "a"),
        ("HTTP", "https://x/a", ""),
        ("HTTP", "https://x/a", "../a"),
        ("HTTP", "https://x/a", "a\r\nBcc: b"),
    ],
)
def test_header_injection_and_other_bad_files_are_refused(kind: str, location: str, name: str) -> None:
    with pytest.raises((ValueFault, Refused)):
        call("AttachFile", kind, location, name)


def test_web_analytics_come_from_the_account() -> None:
    run = make_run(account=Account(web_analytics="utm_source=mail"))
    assert call("WAT", "key", 1, run=run) == call("WATP", 1, run=run) == "utm_source=mail"
