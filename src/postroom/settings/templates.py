"""How templates are read."""

from dataclasses import dataclass
from typing import Annotated, Literal

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class TemplateSettings:
    """Templates."""

    missing_name: Annotated[
        Literal["fail", "empty", "keep"],
        doc(
            "What a personalization string without a value does: `fail` the message, stay `empty`, or `keep` "
            "the string as it stands."
        ),
    ] = "fail"
