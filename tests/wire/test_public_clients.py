"""Clients that other people wrote, from their registries, unchanged: token, assets, definitions, sends, status, errors.

Each runs as a program of its own (`tests/wire/clients`, `tests/wire/node`) and prints what it got.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.node import CLIENTS, NODE, install_clients, npm
from tests.python_clients import PACKAGES, install_packages
from tests.wire.live import HTML, Unit, definition_body

HERE = Path(__file__).parent
PYTHON = [sys.executable, "-W", "ignore"]
NEEDS_NPM = pytest.mark.skipif(npm() is None, reason="npm is not installed (make ready)")


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The Node clients: installed by `make node-clients`, or now."""
    if not all((CLIENTS / "node_modules" / name).is_dir() for name in ("sfmc-sdk", "sfmc-fuelsdk-node")):
        install_clients()


def story(unit: Unit, words: list[str], *, legacy: bool = False, cwd: Path | None = None) -> dict[str, Any]:
    """What the client's program prints."""
    given = {
        "url": unit.api.url,
        "client_id": unit.client_id,
        "client_secret": unit.client_secret,
        "account_id": unit.account_id,
        "legacy": legacy,
        "messageKey": "Key-1",
        "asset": {
            "name": "order-email",
            "customerKey": "order-email",
            "assetType": {"id": 208, "name": "htmlemail"},
            "views": {"html": {"content": HTML}, "subjectline": {"content": "Your order"}},
        },
        "definition": definition_body(),
        "send": {
            "definitionKey": "order",
            "recipients": [
                {"contactKey": "ann", "to": "ann@example.org", "messageKey": "Key-1"},
                {"contactKey": "bob"},
            ],
        },
    }
    done = subprocess.run(
        [*words, json.dumps(given)], capture_output=True, text=True, timeout=120, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def check_send(body: dict[str, Any]) -> None:
    assert body["errorcode"] == 109001
    first, second = body["responses"]
    assert first == {"messageKey": "Key-1"}
    assert second["errorcode"] == 109106


def check_replies(seen: dict[str, Any]) -> None:
    """Status and body of each call, as clients see them that show both."""
    assert {name: status for name, (status, _) in seen.items() if name != "refreshed"} == {
        "asset": 201,
        "definition": 201,
        "list": 200,
        "send": 202,
        "status": 200,
        "patch": 200,
        "unknown": 404,
        "deleted": 200,
    }
    assert [entry["definitionKey"] for entry in seen["list"][1]["definitions"]] == ["order"]
    check_send(seen["send"][1])
    assert seen["status"][1]["eventCategoryType"] == "TransactionalSendEvents.EmailQueued"
    assert seen["patch"][1]["description"] == "x"
    assert seen["unknown"][1]["errorcode"] == 30003
    assert seen["deleted"][1]["message"] == "Success"


@pytest.mark.parametrize("legacy", [False, True])
def test_fuelsdk_for_python(unit: Unit, tmp_path: Path, legacy: bool) -> None:
    words = [*PYTHON, str(HERE / "clients" / "fuelsdk.py")]
    check_replies(story(unit, words, legacy=legacy, cwd=tmp_path))


@pytest.fixture(scope="session")
def python_packages() -> None:
    """The Python clients that can't be in the environment: installed by an earlier run, or now."""
    if not (PACKAGES / "FuelSDKWrapper.py").exists():
        install_packages()


@pytest.mark.usefixtures("python_packages")
def test_fuelsdkwrapper(unit: Unit, tmp_path: Path) -> None:
    fields = [
        {"name": "Id", "type": "Text", "length": 10, "isPrimaryKey": True},
        {"name": "Total", "type": "Decimal", "length": 10, "scale": 2},
        {"name": "City", "type": "Text", "length": 50},
    ]
    unit.call("POST", "/data/v1/customobjects", json={"name": "Orders", "key": "orders", "fields": fields})
    unit.make_asset()
    unit.make_definition()
    seen = story(unit, [*PYTHON, str(HERE / "clients" / "fuelsdk_wrapper.py")], cwd=tmp_path)
    assert seen["rows"] == [200, 3]
    assert seen["async"] == [["Complete", False], ["Complete", True]]
    ids = [[row["keys"]["id"] for row in rows] for rows, _ in seen["found"]]
    assert ids == [["a", "c"], ["b"], ["a", "b"], ["d", "c", "b", "a"]]
    assert [count for _, count in seen["found"]] == [2, 1, 2, 4]
    assert seen["found"][0][0][0] == {"keys": {"id": "a"}, "values": {"total": "1.00"}}
    (made, updated), (folder, again) = seen["emails"], seen["folders"]
    assert (made[0], updated[0], made[1]) == (201, 200, updated[1])
    assert folder == again
    status, reply = seen["triggered"]
    assert (status, reply["responses"][0]["hasErrors"]) == (202, False)


@pytest.mark.usefixtures("python_packages")
def test_django_exact_target(unit: Unit, tmp_path: Path) -> None:
    unit.make_asset()
    unit.make_definition()
    seen = story(unit, [*PYTHON, str(HERE / "clients" / "django_exact_target.py")], cwd=tmp_path)
    (sent,) = seen["sent"]["responses"]
    assert (sent["hasErrors"], sent["messages"]) == (False, ["Queued"])
    status = unit.call("GET", f"/messaging/v1/email/messages/{sent['recipientSendId']}").json()
    assert status["eventCategoryType"] == "TransactionalSendEvents.EmailQueued"
    assert seen["refused"] == "InvalidOrMissingToAddress"


def test_pysfmc(unit: Unit) -> None:
    seen = story(unit, [sys.executable, str(HERE / "clients" / "pysfmc_story.py")])
    assert seen["asset"][1:] == ["order-email", "htmlemail"]
    assert seen["read"] == "order-email"
    assert seen["found"] == [1, ["order-email"]]
    assert seen["folder"] == ["Mails", "OK"]
    assert seen["categories"] == ["Content Builder"]
    assert seen["definition"]["definitionKey"] == "order"
    check_send(seen["send"])
    assert seen["status"]["eventCategoryType"] == "TransactionalSendEvents.EmailQueued"
    assert seen["unknown"][0] == "SFMCNotFoundError"
    assert seen["invalid"][1].startswith("MCMS_UTM_Validation_MissingRequiredField_definitionKey: ")
    assert seen["removed"] == "OK"
    assert seen["refused"] == "SFMCAuthenticationError"


@NEEDS_NPM
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.usefixtures("node_modules")
def test_fuel_rest_for_node(unit: Unit, legacy: bool) -> None:
    seen = story(unit, [NODE, "--no-deprecation", str(CLIENTS / "fuel_rest.cjs")], legacy=legacy)
    check_replies(seen)
    # In its OAuth2 mode a repeated request finds its path behind `.com/`, which only the vendor's hosts have.
    assert seen["refreshed"][0] == (200 if legacy else 404)
    if legacy:
        assert seen["refreshed"][1]["organization"] == {"id": unit.account_id}


@NEEDS_NPM
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.usefixtures("node_modules")
def test_fuelsdk_for_node(unit: Unit, legacy: bool) -> None:
    check_replies(story(unit, [NODE, "--no-deprecation", str(CLIENTS / "fuelsdk.cjs")], legacy=legacy))


@NEEDS_NPM
@pytest.mark.usefixtures("node_modules")
def test_sfmc_sdk_for_node(unit: Unit) -> None:
    seen = story(unit, [NODE, str(CLIENTS / "sfmc_sdk.mjs")])
    assert seen["asset"]["customerKey"] == "order-email"
    assert [entry["definitionKey"] for entry in seen["bulk"]["definitions"]] == ["order"]
    assert [item["id"] for item in seen["assets"]["items"]] == [seen["asset"]["id"]]
    check_send(seen["send"])
    assert seen["status"]["eventCategoryType"] == "TransactionalSendEvents.EmailQueued"
    assert seen["patch"]["description"] == "x"
    assert seen["unknown"]["status"] == 404
    assert seen["unknown"]["body"]["errorcode"] == 30003
    assert seen["refreshed"]["organization"] == {"id": unit.account_id}
    assert seen["deleted"]["message"] == "Success"


@NEEDS_NPM
@pytest.mark.usefixtures("node_modules")
def test_sfmc_sdk_lives_through_cut_connections_and_an_expired_token(unit: Unit) -> None:
    rules = [
        {"method": "POST", "path": "/messaging/v1/email/messages", "cut": "before"},
        {"method": "GET", "path": "/messaging/v1/email/messages/*", "status": 401},
        {"method": "GET", "path": "/messaging/v1/email/definitions", "cut": "after"},
    ]
    chaos = f"{unit.api.url}/sandbox/chaos?accountId={unit.account_id}"
    assert unit.api.http.put(chaos, json={"rules": rules}).status_code == 200
    seen = story(unit, [NODE, str(CLIENTS / "sfmc_sdk.mjs")])
    check_send(seen["send"])
    assert seen["status"]["eventCategoryType"] == "TransactionalSendEvents.EmailQueued"
    assert [rule["hits"] for rule in unit.api.http.get(chaos).json()["rules"]] == [1, 1, 1]
    assert unit.api.http.delete(chaos).json() == {"deleted": 3}
