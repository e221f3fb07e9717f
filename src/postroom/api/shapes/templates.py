"""Shapes of the routes that try templates."""

from postroom.api.errors import Code
from postroom.api.shape import Shape
from postroom.api.wire.templates import Judged, RenderBody, Rendered, TemplateBody

_WRONG = (Code.REQUIRED, Code.EMAIL_INVALID)
_EXAMPLE = {
    "subject": "Order %%OrderNumber%%",
    "html": "<p>Hello %%=ProperCase(FirstName)=%%, it is %%[IF Total > 50 THEN]%%free%%[ENDIF]%%.</p>",
    "attributes": {"FirstName": "ann", "OrderNumber": "LL-1", "Total": 64.9},
}

LINT = Shape(
    TemplateBody,
    {200: Judged},
    _WRONG,
    example=_EXAMPLE | {"html": "<p>%%=Propercas(FirstName)=%%</p>"},
    answer={
        "valid": False,
        "diagnostics": [
            {
                "severity": "error",
                "code": "UnknownFunction",
                "part": "html",
                "line": 1,
                "column": 7,
                "function": "Propercas",
                "message": "there is no function Propercas",
                "fix": "did you mean ProperCase?",
            }
        ],
    },
)
RENDER = Shape(
    RenderBody,
    {200: Rendered},
    (*_WRONG, Code.GENERIC, Code.BAD_FORMAT),
    example=_EXAMPLE,
    answer={"subject": "Order LL-1", "html": "<p>Hello Ann, it is free.</p>\n", "diagnostics": []},
)
