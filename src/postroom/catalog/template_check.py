"""Looking at templates before anything is sent with them: what an asset holds, and which names a send may use."""

import asyncio
import re

import msgspec

from postroom.audience.directory import declared_attributes
from postroom.catalog.assets import EMAIL_TYPES, FILE_TYPES, AssetDraft
from postroom.catalog.data_extensions import DataExtension
from postroom.content.ampscript.block_names import NamedBlock
from postroom.content.ampscript.engine import Engine
from postroom.content.attributes import fold_name
from postroom.content.compiler import compile_content
from postroom.content.model import Content, ContentRejected, Problem
from postroom.content.names import SYSTEM_NAMES
from postroom.content.views import content_from_views, flatten_view
from postroom.store.database import Database

_NO_TEMPLATES = frozenset({5, 230, *FILE_TYPES})

_PARTS = ("html", "text", "preheader", "subject")
_ID = re.compile(r"[1-9][0-9]{0,17}")

_STORED_BLOCKS = """
select asset_id, lower(customer_key collate "C") as customer_key from asset
 where account_id = $1 and lower(customer_key collate "C") in (
       select lower(wanted collate "C") from unnest($2::text[]) as given (wanted))
union
select asset_id, null from asset where account_id = $1 and asset_id = any($3::bigint[])
"""

_views = msgspec.json.Decoder(dict[str, object])


async def names_known(database: Database, account_id: int, extension: DataExtension) -> frozenset[str]:
    """The names, folded, that a template may use in sends that write rows of ``extension`` (contract §4.3): its
    columns, the profile attributes of the business unit, and the system's own."""
    declared = await declared_attributes(database, account_id)
    return SYSTEM_NAMES | {fold_name(name) for name in (*declared, *(column.name for column in extension.columns))}


async def diagnose_asset(database: Database, account_id: int, draft: AssetDraft, engine: Engine) -> list[Problem]:
    """What is wrong or doubtful in the templates of an asset, errors and warnings; nothing for an asset without any.

    An email is looked at as a definition would send it, any other asset as a content block is evaluated. Content
    blocks that are named literally and that the business unit does not have are doubtful.
    """
    found, named = await asyncio.to_thread(_diagnose, draft, engine)
    return [*found, *await _unknown(database, account_id, named)]


def _diagnose(draft: AssetDraft, engine: Engine) -> tuple[list[Problem], list[NamedBlock]]:
    if draft.asset_type in _NO_TEMPLATES:
        return [], []
    named: list[NamedBlock] = []
    try:
        if draft.asset_type in EMAIL_TYPES:
            content = content_from_views(_views.decode(draft.views))
            named = engine.named_blocks(_parts(content))
            return list(compile_content(content, engine=engine).warnings), named
        source = block_source(draft.content, draft.views)
    except ContentRejected as rejected:
        return sorted([*rejected.problems, *rejected.warnings], key=_place), named
    return [found.problem() for found in engine.diagnose({"html": source})], engine.named_blocks({"html": source})


def block_source(content: str | None, views: str) -> str:
    """What a content block evaluates: its html view where it has one, else its content. ``views`` is JSON.

    Raises ContentRejected for a view that can't be flattened.
    """
    view = _views.decode(views).get("html")
    if isinstance(view, dict) and view.get("content"):
        return flatten_view(view)
    return content or ""


async def unknown_blocks(database: Database, account_id: int, content: Content, engine: Engine) -> list[Problem]:
    """A warning for each content block that ``content`` names literally and the business unit does not have."""
    return await _unknown(database, account_id, await asyncio.to_thread(engine.named_blocks, _parts(content)))


def _parts(content: Content) -> dict[str, str]:
    return {part: getattr(content, part) for part in _PARTS if getattr(content, part)}


async def _unknown(database: Database, account_id: int, named: list[NamedBlock]) -> list[Problem]:
    if not named:
        return []
    rows = await database.fetch(
        _STORED_BLOCKS,
        account_id,
        [block.name for block in named if block.kind == "key" and "\0" not in block.name],
        [int(block.name) for block in named if block.kind == "id" and _ID.fullmatch(block.name)],
    )
    keys, ids = {row["customer_key"] for row in rows}, {str(row["asset_id"]) for row in rows}
    return [
        Problem(
            block.part,
            block.line,
            block.column,
            "UnknownContentBlock",
            f"there is no content block with the {block.kind} {block.name[:100]!r}",
            "save it before the first send, or say in argument 3 that it may be missing",
            block.function,
            "warning",
        )
        for block in named
        if (block.name.lower() not in keys if block.kind == "key" else block.name not in ids)
    ]


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.part, problem.line, problem.column
