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
import pytest
from tests.wire.live import LiveApi, Unit

from postroom.api.errors import Code
from postroom.api.shapes import AUTH_SHAPES, SHAPES

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "3")
LEAST_REQUESTS = int(os.environ.get("SCHEMATHESIS_LEAST_REQUESTS", "500"))
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture
def document(live_api: LiveApi) -> dict[str, Any]:
    reply = live_api.http.get("/schema")
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    body: dict[str, Any] = reply.json()
    return body


def test_every_shape_is_of_a_route_and_every_error_is_there(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert set(SHAPES) <= described
    assert set(AUTH_SHAPES) <= {path for _, path in described}
    responses = document["components"]["responses"]
    shown = {
        name for response in responses.values() for name in response["content"]["application/json"].get("examples", {})
    }
    assert shown == {code.name for code in Code if code.row.status >= 400}


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
    for path in document["paths"]:
        assert f"<code>{path}</code>" in reply.text


def test_generated_requests_get_no_500_and_no_reply_outside_the_document(unit: Unit, tmp_path: Path) -> None:
    unit.make_asset()
    unit.make_definition()
    words = [
        *(sys.executable, "-m", "schemathesis.cli", "run", unit.api.url + "/schema"),
        *("--header", f"Authorization: Bearer {unit.token}"),
        *("--checks", CHECKS, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing"),
        *("--seed", "1", "--workers", "1", "--no-color", "--generation-database", "none"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    generated = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert generated, done.stdout[-2000:]
    assert int(generated[1].replace(",", "")) >= LEAST_REQUESTS
