"""The OpenAPI document tells the truth: schemathesis makes requests from it, and no reply is outside of it.

A short run here; `make schemathesis` makes at least 20,000 requests.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from tests.wire.examples import contents_of, make_examples, operations_of
from tests.wire.live import LiveApi, Unit

from postroom.api.errors import Code
from postroom.intake.request import RecipientError

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "3")
LEAST_REQUESTS = int(os.environ.get("SCHEMATHESIS_LEAST_REQUESTS", "500"))
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


HOOKS = """
import schemathesis

@schemathesis.serializer("text/csv", "application/x-ndjson")
def as_text(context, value):
    return str(value).encode("utf-8", "replace")
"""


@pytest.fixture
def document(live_api: LiveApi) -> dict[str, Any]:
    reply = live_api.http.get("/schema")
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    body: dict[str, Any] = reply.json()
    return body


def test_every_route_says_what_it_takes_and_gives(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for name, operation in operations_of(document).items():
        if "requestBody" in operation:
            for request in contents_of(operation["requestBody"]):
                assert request["schema"], f"{name} takes any JSON: give its route a shape, as postroom.api.shape says"
                assert "example" in request, f"{name}: its shape has no example"
        for status, reply in operation["responses"].items():
            if "content" in reply:
                for content in contents_of(reply):
                    assert content["schema"], f"{name} gives any JSON with {status}: give its route a shape"


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    components = {"components": document["components"]}
    for name, operation in operations_of(document).items():
        parts = [operation["requestBody"]] if "requestBody" in operation else []
        parts += [reply for reply in operation["responses"].values() if "content" in reply]
        for shown in (shown for part in parts for shown in contents_of(part)):
            examples = [each["value"] for each in shown.get("examples", {}).values()]
            for example in (*([shown["example"]] if "example" in shown else []), *examples):
                problem = next(
                    jsonschema_rs.Draft202012Validator(shown["schema"] | components).iter_errors(example), None
                )
                assert problem is None, f"{name}: {problem}"


def test_the_compatibility_pages_name_every_route_of_the_vendor(document: dict[str, Any]) -> None:
    pages = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("compatibility.md", "webhooks.md"))
    for name in operations_of(document):
        path = name.partition(" ")[2]
        if path.startswith(("/messaging/v1/email", "/asset", "/platform/v1/t", "/platform/v1/endp")):
            assert f"`{name}`" in pages or f"`{name}?type=notSent`" in pages
        elif path.startswith(("/v2", "/v1/requestToken")):
            assert f" {path}`" in pages


def test_every_error_is_there(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    shown = {
        name for response in responses.values() for name in response["content"]["application/json"].get("examples", {})
    }
    assert shown == {code.name for code in Code if code.row.status >= 400} | {error.name for error in RecipientError}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_operations_have_names_of_their_own_and_a_summary(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


def test_the_page_runs_no_script_and_names_every_route(live_api: LiveApi, document: dict[str, Any]) -> None:
    reply: httpx.Response = live_api.http.get("/schema/page")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "<script" not in reply.text
    assert "color-scheme:light dark" in reply.text  # links are readable in the dark
    assert "name=viewport" in reply.text
    for path in document["paths"]:
        assert f"<code>{path}</code>" in reply.text


def test_generated_requests_get_no_500_and_no_reply_outside_the_document(unit: Unit, tmp_path: Path) -> None:
    make_examples(unit)
    hooks = tmp_path / "hooks.py"
    # Files are made of bytes like any other body; schemathesis itself knows no serializer for them.
    hooks.write_text(HOOKS, encoding="utf-8")
    words = [
        *(sys.executable, "-m", "schemathesis.cli", "run", unit.api.url + "/schema"),
        *("--header", f"Authorization: Bearer {unit.token}"),
        *("--checks", CHECKS, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing"),
        *("--seed", "1", "--workers", "1", "--no-color", "--generation-database", "none"),
    ]
    environ = os.environ | {"SCHEMATHESIS_HOOKS": str(hooks)}
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False, env=environ)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    generated = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert generated, done.stdout[-2000:]
    assert int(generated[1].replace(",", "")) >= LEAST_REQUESTS
