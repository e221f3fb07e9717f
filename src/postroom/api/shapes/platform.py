"""Shapes of what clients ask about the installation and their token, and of the authentication host's routes."""

from postroom.api.errors import Code
from postroom.api.legacy_token import RequestTokenBody, RequestTokenReply
from postroom.api.shape import Shape, object_of
from postroom.api.token import TokenBody

_STRING = {"type": "string"}
_NUMBER = {"type": "integer"}
_OBJECT = {"type": "object"}
_UNIT = object_of(id=_NUMBER)
_ENDPOINT = object_of(type=_STRING, url=_STRING)
_REST = {"type": "rest", "url": "https://mail.example.org/"}
_HOST = "https://mail.example.org/"

TOKEN_CONTEXT = Shape(
    replies={200: object_of(enterprise=_UNIT, organization=_UNIT, user=_UNIT)},
    answer={"enterprise": {"id": 1}, "organization": {"id": 1}, "user": {"id": 1}},
)
ENDPOINTS = Shape(
    replies={
        200: object_of(page=_NUMBER, pageSize=_NUMBER, count=_NUMBER, items={"type": "array", "items": _ENDPOINT}),
    },
    answer={"page": 1, "pageSize": 50, "count": 1, "items": [_REST]},
)
ENDPOINT = Shape(replies={200: _ENDPOINT}, errors=(Code.NOT_FOUND,), answer=_REST)

TOKEN = Shape(
    TokenBody,
    {
        200: object_of(
            access_token=_STRING,
            token_type={"const": "Bearer"},
            expires_in=_NUMBER,
            scope=_STRING,
            soap_instance_url=_STRING,
            rest_instance_url=_STRING,
        )
    },
    required=("grant_type", "client_id", "client_secret"),
    example={"grant_type": "client_credentials", "client_id": "…", "client_secret": "…"},
    answer={
        "access_token": "…",
        "token_type": "Bearer",
        "expires_in": 1079,
        "scope": "email_read email_send",
        "soap_instance_url": _HOST,
        "rest_instance_url": _HOST,
    },
)
USER_INFO = Shape(
    replies={
        200: object_of(
            exp=_NUMBER,
            iss=_STRING,
            user=_OBJECT,
            organization=_OBJECT,
            rest=object_of(rest_instance_url=_STRING, soap_instance_url=_STRING),
            application=_OBJECT,
            permissions={"type": "array"},
        )
    }
)
DISCOVERY = Shape(
    replies={
        200: object_of(subject=_STRING, links={"type": "array", "items": object_of(rel=_STRING, href=_STRING)}),
    },
    answer={"subject": _HOST, "links": [{"rel": "rest_instance_url", "href": _HOST}]},
)
REQUEST_TOKEN = Shape(
    RequestTokenBody,
    {200: RequestTokenReply},
    (
        *(Code.NOT_AUTHORIZED, Code.REQUIRED, Code.MEDIA_TYPE, Code.BODY_TOO_LARGE, Code.UNPARSEABLE),
        *(Code.WRONG_TYPE, Code.BAD_FORMAT),
    ),
    required=("clientId", "clientSecret"),
    query=("legacy",),
    example={"clientId": "…", "clientSecret": "…"},
    answer={"accessToken": "…", "expiresIn": 1079},
)
