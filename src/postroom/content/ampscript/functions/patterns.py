"""RegExMatch: .NET regular expressions within a time limit (ampscript.md §14)."""

from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.net_pattern import compile_pattern
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import to_text


@function(
    "RegExMatch",
    minimum=3,
    params="text, pattern, group[, option …]",
    doc="What a group (number or name) of a regular expression holds in its first match; empty when nothing matches.",
    differences="Limited in time and length of the pattern; .NET's balancing and numbered-by-name groups are errors.",
    category="String",
)
def reg_ex_match(run: Run, text: object, pattern: object, group: object, *options: object) -> str:
    compiled = compile_pattern(to_text(pattern), [to_text(option) for option in options])
    run.check_time()
    return compiled.first(to_text(text), to_text(group).strip(), run.dialect.limits.pattern_seconds)
