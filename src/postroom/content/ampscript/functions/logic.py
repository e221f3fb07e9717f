"""Conditions, variables and the end of a rendering (ampscript.md §14, Utility).

V, IIf, Output and OutputLine are forms: the compiler writes their code. What stands here says how they read.
"""

from postroom.content.ampscript.faults import Raised, ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import DATABASE_NULL, is_empty, is_null, to_flag, to_text, truth


@function(
    "V",
    minimum=1,
    maximum=1,
    params="x",
    doc="Prints a variable, literal, attribute or the result of a call.",
    category="Utility",
    form=True,
)
def v(run: Run, value: object) -> object:
    return value


@function(
    "IIf",
    minimum=3,
    maximum=3,
    params="condition, a, b",
    doc="a when the condition is true, else b; the other one is not evaluated.",
    kind="Any",
    category="Utility",
    form=True,
)
def iif(run: Run, condition: object, chosen: object, other: object) -> object:
    return chosen if truth(condition) else other


@function(
    "Output",
    minimum=1,
    params="call[, …]",
    doc="Prints the results of calls within a block; a bare literal or variable prints nothing.",
    differences="The vendor's preview refuses it in email, old content has it: accepted.",
    kind="None",
    category="Utility",
    form=True,
)
def output(run: Run, *values: object) -> None:
    return None


@function(
    "OutputLine",
    params="call[, …]",
    doc="As Output, then a line break (CR LF).",
    kind="None",
    category="Utility",
    form=True,
)
def output_line(run: Run, *values: object) -> None:
    return None


@function(
    "Empty",
    minimum=1,
    maximum=1,
    params="x",
    doc="Whether x is null, unset, the empty text or an empty row; blanks, 0 and false are not empty.",
    kind="Boolean",
    category="Utility",
)
def empty(run: Run, value: object) -> bool:
    return is_empty(value)


@function(
    "IsNull",
    minimum=1,
    maximum=1,
    params="x",
    doc="Whether x is the null of a data extension or what a Lookup without a match gives.",
    differences="Whether an unset variable is null is contested: it is not; setting `template_null_when_unset`.",
    kind="Boolean",
    category="Utility",
)
def is_null_value(run: Run, value: object) -> bool:
    return value is DATABASE_NULL or (value is None and run.dialect.null_when_unset)


@function(
    "IsNullDefault",
    minimum=2,
    maximum=2,
    params="x, default",
    doc="x; an empty text when x is missing.",
    differences="The vendor gives the default in its forms only, of which there are none; setting "
    "`template_null_default`.",
    kind="Any",
    category="Utility",
)
def is_null_default(run: Run, value: object, default: object) -> object:
    if not is_null(value):
        return value
    return default if run.dialect.null_default else ""


@function(
    "AttributeValue",
    minimum=1,
    maximum=1,
    params="name",
    doc="The attribute of that name, in any case; null when there is none.",
    kind="Any",
    category="Utility",
)
def attribute_value(run: Run, name: object) -> object:
    text = to_text(name)
    if not text.strip():
        raise ValueFault("the name of the attribute is empty", code="EmptyName")
    found, value = run.attribute(text)
    return value if found else None


@function(
    "RaiseError",
    minimum=1,
    maximum=5,
    params="message[, skipSubscriber[, apiCode[, apiNumber[, keepWrites]]]]",
    doc="Ends the rendering: with skipSubscriber this recipient gets nothing, on purpose; else the message fails.",
    differences="Without the flag the vendor stops a whole bulk job; here every message stands for itself. apiCode and "
    "apiNumber stand in the reason of the event. With keepWrites the rows written before it are kept.",
    kind="None",
    category="Utility",
)
def raise_error(
    run: Run,
    message: object,
    skip: object = False,
    api_code: object = "",
    api_number: object = "",
    keep_writes: object = False,
) -> None:
    raise Raised(
        to_text(message),
        skip=to_flag(skip),
        api_code=to_text(api_code),
        api_number=to_text(api_number),
        keep_writes=to_flag(keep_writes),
    )


@function(
    "GetValue",
    minimum=1,
    maximum=1,
    params="variableName",
    doc="The variable of that name, with or without @.",
    kind="Any",
    category="Utility",
)
def get_value(run: Run, name: object) -> object:
    return run.variables.get(_variable(name))


@function(
    "SetValue",
    minimum=2,
    maximum=2,
    params="variableName, value",
    doc="Sets the variable of that name, with or without @.",
    kind="None",
    category="Utility",
)
def set_value(run: Run, name: object, value: object) -> str:
    run.variables[_variable(name)] = value
    return ""


def _variable(name: object) -> str:
    text = to_text(name).strip().removeprefix("@").casefold()
    if not text.replace("_", "a").isalnum():
        raise ValueFault(f"{to_text(name)!r} is no name of a variable", code="EmptyName")
    return text
