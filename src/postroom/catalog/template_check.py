"""Looking at templates before anything is sent with them: what an asset holds, and which names a send may use."""

import msgspec

from postroom.audience.directory import declared_attributes
from postroom.catalog.assets import EMAIL_TYPES, FILE_TYPES, AssetDraft
from postroom.catalog.data_extensions import DataExtension
from postroom.content.ampscript.engine import Engine
from postroom.content.attributes import fold_name
from postroom.content.compiler import compile_content
from postroom.content.model import ContentRejected, Problem
from postroom.content.names import SYSTEM_NAMES
from postroom.content.views import content_from_views, flatten_view
from postroom.store.database import Database

_NO_TEMPLATES = frozenset({5, 230, *FILE_TYPES})

_views = msgspec.json.Decoder(dict[str, object])


async def names_known(database: Database, account_id: int, extension: DataExtension) -> frozenset[str]:
    """The names, folded, that a template may use in sends that write rows of ``extension`` (contract §4.3): its
    columns, the profile attributes of the business unit, and the system's own."""
    declared = await declared_attributes(database, account_id)
    return SYSTEM_NAMES | {fold_name(name) for name in (*declared, *(column.name for column in extension.columns))}


def diagnose_asset(draft: AssetDraft, engine: Engine) -> list[Problem]:
    """What is wrong or doubtful in the templates of an asset, errors and warnings; nothing for an asset without any.

    An email is looked at as a definition would send it, any other asset as a content block is evaluated.
    """
    if draft.asset_type in _NO_TEMPLATES:
        return []
    try:
        if draft.asset_type in EMAIL_TYPES:
            return list(compile_content(content_from_views(_views.decode(draft.views)), engine=engine).warnings)
        source = block_source(draft.content, draft.views)
    except ContentRejected as rejected:
        return sorted([*rejected.problems, *rejected.warnings], key=_place)
    return [found.problem() for found in engine.diagnose({"html": source})]


def block_source(content: str | None, views: str) -> str:
    """What a content block evaluates: its html view where it has one, else its content. ``views`` is JSON.

    Raises ContentRejected for a view that can't be flattened.
    """
    view = _views.decode(views).get("html")
    if isinstance(view, dict) and view.get("content"):
        return flatten_view(view)
    return content or ""


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.part, problem.line, problem.column
