"""Stored content, texts that are templates, and what marks regions of a mail (ampscript.md §14, Content)."""

from html import escape

from postroom.content.ampscript.faults import MissingFault, Refused, ValueFault
from postroom.content.ampscript.functions.registry import Reference, function
from postroom.content.ampscript.run import Attachment, BlockKind, ImageKind, Run
from postroom.content.ampscript.values import compare, to_flag, to_text

_BLOCK_PARAMS = "[, impressionRegion[, errorIfMissing[, default[, @status]]]]"
_BLOCK_DOC = (
    "evaluated in the same scope. Missing is an error unless the flag is false; then the default is printed as it is, "
    "and @status is -1 instead of 0."
)
_MAX_REGIONS = 10_000
_IMAGE_NOTE = "Title and alternative text are the asset's name, and the address is that of its file on this server."


async def _stored(run: Run, kind: BlockKind, name: object, options: tuple[object, ...]) -> str:
    given: list[object] = [*options, *("", True, "", None)[len(options) :]]
    region, must, default, status = given
    wanted = to_text(name).strip()
    run.check_time()
    block = await run.blocks.find(kind, wanted) if wanted else None
    if isinstance(status, Reference):
        status.set(0 if block is not None else -1)
    if block is None:
        if to_flag(must):
            raise MissingFault(f"there is no content block with the {kind} {wanted!r}", code="UnknownContentBlock")
        return to_text(default)
    label = to_text(region)
    if label:
        _begin(run, label)
    text = await run.render_text(block.source, f"content block {wanted}", block.identity)
    if label:
        _end(run, everything=False)
    return text


@function(
    "ContentBlockByKey",
    minimum=1,
    maximum=5,
    params=f"key{_BLOCK_PARAMS}",
    doc=f"The content block with that customer key, {_BLOCK_DOC}",
    category="Content",
    needs="blocks",
    references=(4,),
)
async def content_block_by_key(run: Run, key: object, *options: object) -> str:
    return await _stored(run, "key", key, options)


@function(
    "ContentBlockByID",
    minimum=1,
    maximum=5,
    params=f"id{_BLOCK_PARAMS}",
    doc=f"The content block with that id, {_BLOCK_DOC}",
    category="Content",
    needs="blocks",
    references=(4,),
)
@function(
    "ContentArea",
    minimum=1,
    maximum=5,
    params=f"id{_BLOCK_PARAMS}",
    doc=f"Classic content by id: the content block with that id, {_BLOCK_DOC}",
    category="Content",
    needs="blocks",
    references=(4,),
)
async def content_block_by_id(run: Run, identity: object, *options: object) -> str:
    return await _stored(run, "id", identity, options)


@function(
    "ContentBlockByName",
    minimum=1,
    maximum=5,
    params=f"path{_BLOCK_PARAMS}",
    doc=f"The content block at folder\\path\\name, in any case, {_BLOCK_DOC}",
    category="Content",
    needs="blocks",
    references=(4,),
)
@function(
    "ContentAreaByName",
    minimum=1,
    maximum=5,
    params=f"path{_BLOCK_PARAMS}",
    doc=f"Classic content by name: the content block at folder\\path\\name, {_BLOCK_DOC}",
    category="Content",
    needs="blocks",
    references=(4,),
)
async def content_block_by_name(run: Run, path: object, *options: object) -> str:
    return await _stored(run, "name", path, options)


async def _image(run: Run, kind: ImageKind, name: object, fallback: object) -> str:
    run.check_time()
    for wanted in (to_text(name).strip(), to_text(fallback).strip()):
        image = await run.blocks.image(kind, wanted) if wanted else None
        if image is not None:
            source = run.account.public_url + image.source if image.source.startswith("/") else image.source
            title, identity = escape(image.title), escape(image.identity)
            return f'<img src="{escape(source)}" title="{title}" alt="{title}" border="0" thid="{identity}">'
    raise MissingFault(
        f"there is no image with the {kind} {to_text(name)!r}; upload it or name a fallback", code="UnknownImage"
    )


@function(
    "ContentImageByKey",
    minimum=1,
    maximum=2,
    params="key[, fallbackKey]",
    doc="An <img> tag for the image asset with that customer key, or else for the fallback.",
    differences=_IMAGE_NOTE,
    category="Content",
    needs="blocks",
)
@function(
    "Image",
    minimum=1,
    maximum=2,
    params="key[, fallbackKey]",
    doc="The older name of ContentImageByKey.",
    differences=_IMAGE_NOTE,
    category="Content",
    needs="blocks",
)
async def content_image_by_key(run: Run, key: object, fallback: object = "") -> str:
    return await _image(run, "key", key, fallback)


@function(
    "ContentImageByID",
    minimum=1,
    maximum=2,
    params="id[, fallbackId]",
    doc="An <img> tag for the image asset with that id, or else for the fallback.",
    differences=_IMAGE_NOTE,
    category="Content",
    needs="blocks",
)
async def content_image_by_id(run: Run, identity: object, fallback: object = "") -> str:
    return await _image(run, "id", identity, fallback)


@function(
    "TreatAsContent",
    minimum=1,
    maximum=1,
    params="text",
    doc="Evaluates a text as a template now, in the same scope. Never feed it what a recipient wrote.",
    category="Content",
    needs="blocks",
)
async def treat_as_content(run: Run, text: object) -> str:
    source = to_text(text)
    return (
        await run.render_text(source, "TreatAsContent") if "%%" in source or "{{" in source or "<" in source else source
    )


@function(
    "TreatAsContentArea",
    minimum=2,
    maximum=3,
    params="key, text[, impressionRegion]",
    doc="As TreatAsContent; the key names a cache at the vendor.",
    differences="Nothing is cached: every call evaluates its text.",
    category="Content",
    needs="blocks",
)
async def treat_as_content_area(run: Run, key: object, text: object, region: object = "") -> str:
    label = to_text(region)
    if label:
        _begin(run, label)
    result = await run.render_text(to_text(text), f"TreatAsContentArea {to_text(key)}")
    if label:
        _end(run, everything=False)
    return result


def _begin(run: Run, name: str) -> None:
    if len(run.regions) >= _MAX_REGIONS:
        raise ValueFault(f"more than {_MAX_REGIONS:,} impression regions are open", code="TooManyRegions")
    run.regions.append(name)


def _end(run: Run, *, everything: bool) -> None:
    if everything:
        run.regions.clear()
    elif run.regions:
        run.regions.pop()


@function(
    "BeginImpressionRegion",
    minimum=1,
    maximum=1,
    params="name",
    doc="Opens a region for the attribution of clicks; prints nothing.",
    category="Content",
)
def begin_impression_region(run: Run, name: object) -> str:
    _begin(run, to_text(name))
    return ""


@function(
    "EndImpressionRegion",
    maximum=1,
    params="[all]",
    doc="Closes the innermost region, or all of them; prints nothing.",
    category="Content",
)
def end_impression_region(run: Run, everything: object = False) -> str:
    _end(run, everything=to_flag(everything))
    return ""


@function(
    "BeginAssetBlock",
    minimum=1,
    maximum=1,
    params="name",
    doc="A mark the editor writes; prints nothing.",
    category="Content",
)
def begin_asset_block(run: Run, name: object) -> str:
    return ""


@function("EndAssetBlock", maximum=1, doc="A mark the editor writes; prints nothing.", category="Content")
def end_asset_block(run: Run, name: object = "") -> str:
    return ""


@function(
    "BuildOptionList",
    minimum=3,
    params="selected, value1, text1[, value2, text2 …]",
    doc="An <option> line for every pair, the selected one marked.",
    differences="Values and texts are HTML-escaped.",
    category="Content",
    pairs=1,
)
def build_option_list(run: Run, selected: object, *pairs: object) -> str:
    lines: list[str] = []
    for value, text in zip(pairs[::2], pairs[1::2], strict=True):
        mark = ' selected="selected"' if compare("==", selected, value) else ""
        lines.append(f'<option value="{escape(to_text(value))}"{mark}>{escape(to_text(text))}</option>\r\n')
    run.check_text(sum(map(len, lines)))
    return "".join(lines)


@function(
    "AttachFile",
    minimum=3,
    maximum=6,
    params="type, location, fileName[, …]",
    doc="Attaches the file at an address to the mail.",
    differences='Only the type "HTTP" with an https or http address on an allowed host; the file is fetched when the '
    "mail is built, within limits on size and time.",
    kind="None",
    category="Content",
    needs="http",
)
def attach_file(run: Run, kind: object, location: object, file_name: object, *rest: object) -> str:
    source, address, name = to_text(kind).strip().upper(), to_text(location).strip(), to_text(file_name).strip()
    if source != "HTTP":
        raise Refused(f"files of the type {to_text(kind)!r} cannot be attached here; use HTTP")
    if not address.lower().startswith(("https://", "http://")):
        raise ValueFault(f"{address!r} is no address; write https://…", code="BadUrl")
    if not name or any(letter in name for letter in "/\\\r\n\0"):
        raise ValueFault(f"{name!r} is no name of a file", code="BadFileName")
    run.count("attachments")
    run.attachments.append(Attachment(source, address, name))
    return ""


@function(
    "WAT",
    minimum=1,
    params="key[, v …]",
    doc="The web-analytics parameters of the account.",
    differences="What `postroom account change --web-analytics` set, whatever the key.",
    category="Content",
)
@function(
    "WATP",
    minimum=1,
    maximum=1,
    params="ordinal",
    doc="A web-analytics parameter of the account.",
    differences="As WAT.",
    category="Content",
)
def web_analytics(run: Run, key: object, *values: object) -> str:
    return run.account.web_analytics
