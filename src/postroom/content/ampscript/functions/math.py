"""Functions on numbers (ampscript.md §14, Math): doubles, as the vendor computes."""

import math

from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import to_number, to_whole


@function(
    "Add",
    minimum=2,
    maximum=2,
    params="a, b",
    doc="a plus b; numbers or texts that are numbers.",
    kind="Number",
    category="Math",
)
def add(run: Run, a: object, b: object) -> float:
    return to_number(a) + to_number(b)


@function(
    "Subtract",
    minimum=2,
    maximum=2,
    params="a, b",
    doc="a minus b; numbers or texts that are numbers.",
    kind="Number",
    category="Math",
)
def subtract(run: Run, a: object, b: object) -> float:
    return to_number(a) - to_number(b)


@function(
    "Multiply",
    minimum=2,
    maximum=2,
    params="a, b",
    doc="a times b; numbers or texts that are numbers.",
    kind="Number",
    category="Math",
)
def multiply(run: Run, a: object, b: object) -> float:
    return to_number(a) * to_number(b)


@function(
    "Divide",
    minimum=2,
    maximum=2,
    params="a, b",
    doc="a divided by b; by zero it is ∞, -∞ or NaN and no error.",
    kind="Number",
    category="Math",
)
def divide(run: Run, a: object, b: object) -> float:
    dividend, divisor = to_number(a), to_number(b)
    if divisor == 0:
        return math.nan if dividend == 0 or math.isnan(dividend) else math.copysign(math.inf, dividend)
    return dividend / divisor


@function(
    "Mod",
    minimum=2,
    maximum=2,
    params="a, b",
    doc="The remainder of a divided by b, with the sign of a; NaN when b is 0.",
    kind="Number",
    category="Math",
)
def mod(run: Run, a: object, b: object) -> float:
    dividend, divisor = to_number(a), to_number(b)
    if divisor == 0 or math.isinf(dividend):
        return math.nan
    return math.fmod(dividend, divisor)


@function(
    "Random",
    minimum=2,
    maximum=2,
    params="low, high",
    doc="A whole number between both, ends included, in either order.",
    kind="Number",
    category="Math",
)
def random(run: Run, low: object, high: object) -> int:
    return run.random_int(to_whole(low, "the lower end"), to_whole(high, "the upper end"))
