"""Every route of data extensions, audience and legacy sends asks for a token and for its scope, before all else."""

from collections.abc import Callable

import pytest
from tests.wire.live import LiveApi, Unit

from postroom.tenancy.scopes import SCOPES

DATA, AUDIENCE = "data_extensions", "audiences"
ROUTES = [
    ("POST", "/data/v1/customobjects", f"{DATA}_write"),
    ("GET", "/data/v1/customobjects", f"{DATA}_read"),
    ("GET", "/data/v1/customobjects/k", f"{DATA}_read"),
    ("DELETE", "/data/v1/customobjects/k", f"{DATA}_write"),
    ("GET", "/data/v1/customobjects/k/fields", f"{DATA}_read"),
    ("PATCH", "/data/v1/customobjects/k", f"{DATA}_write"),
    ("POST", "/data/v1/customobjects/k/cleardata", f"{DATA}_write"),
    ("GET", "/data/v1/customobjects/category/1", f"{DATA}_read"),
    ("POST", "/data/v1/customobjectsasync/k/fields", f"{DATA}_write"),
    ("PATCH", "/data/v1/customobjectsasync/k/fields", f"{DATA}_write"),
    ("GET", "/postroom/v1/data-extensions", f"{DATA}_read"),
    ("GET", "/postroom/v1/data-extensions/k", f"{DATA}_read"),
    ("DELETE", "/postroom/v1/data-extensions/k", f"{DATA}_write"),
    ("POST", "/hub/v1/dataevents/k/rowset", f"{DATA}_write"),
    ("PUT", "/hub/v1/dataevents/k/rows/a:b", f"{DATA}_write"),
    ("DELETE", "/hub/v1/dataevents/k/rows/a:b", f"{DATA}_write"),
    ("PUT", "/hub/v1/dataevents/k/rows/a:b/column/c/increment", f"{DATA}_write"),
    ("POST", "/hub/v1/dataeventsasync/k/rowset", f"{DATA}_write"),
    ("PUT", "/hub/v1/dataeventsasync/k/rows/a:b", f"{DATA}_write"),
    ("PUT", "/hub/v1/dataeventsasync/k/rows/a:b/column/c/increment", f"{DATA}_write"),
    ("POST", "/data/v1/async/dataextensions/k/rows", f"{DATA}_write"),
    ("PUT", "/data/v1/async/dataextensions/k/rows", f"{DATA}_write"),
    ("DELETE", "/data/v1/async/dataextensions/k/rows", f"{DATA}_write"),
    ("GET", "/data/v1/async/k/status", f"{DATA}_read"),
    ("GET", "/data/v1/async/k/results", f"{DATA}_read"),
    ("GET", "/data/v1/customobjectdata/key/k/rowset", f"{DATA}_read"),
    ("GET", "/data/v1/customobjectdata/k/rowset", f"{DATA}_read"),
    ("GET", "/data/v1/customobjectdata/token/k/rowset", f"{DATA}_read"),
    ("GET", "/v1/customobjectdata/token/k/rowset", f"{DATA}_read"),
    ("POST", "/contacts/v1/contacts", f"{AUDIENCE}_write"),
    ("PATCH", "/contacts/v1/contacts", f"{AUDIENCE}_write"),
    ("POST", "/contacts/v1/contacts/actions/delete", f"{AUDIENCE}_write"),
    ("GET", "/contacts/v1/contacts/actions/delete/status", f"{AUDIENCE}_read"),
    ("POST", "/contacts/v1/addresses/email/search", f"{AUDIENCE}_read"),
    ("GET", "/postroom/v1/contacts/k", f"{AUDIENCE}_read"),
    ("PATCH", "/postroom/v1/contacts/k", f"{AUDIENCE}_write"),
    ("DELETE", "/postroom/v1/contacts/k", f"{AUDIENCE}_write"),
    ("GET", "/postroom/v1/lists", f"{AUDIENCE}_read"),
    ("POST", "/postroom/v1/lists", f"{AUDIENCE}_write"),
    ("DELETE", "/postroom/v1/lists/1", f"{AUDIENCE}_write"),
    ("GET", "/postroom/v1/lists/1/members", f"{AUDIENCE}_read"),
    ("PUT", "/postroom/v1/lists/1/members/k", f"{AUDIENCE}_write"),
    ("DELETE", "/postroom/v1/lists/1/members/k", f"{AUDIENCE}_write"),
    ("GET", "/postroom/v1/profile-attributes", f"{AUDIENCE}_read"),
    ("PUT", "/postroom/v1/profile-attributes/k", f"{AUDIENCE}_write"),
    ("GET", "/postroom/v1/suppressions", f"{AUDIENCE}_read"),
    ("POST", "/postroom/v1/suppressions", f"{AUDIENCE}_write"),
    ("DELETE", "/postroom/v1/suppressions", f"{AUDIENCE}_write"),
    ("POST", "/postroom/v1/suppressions/import", f"{AUDIENCE}_write"),
    ("GET", "/postroom/v1/suppressions/export?format=xml", f"{AUDIENCE}_read"),
    ("GET", "/postroom/v1/suppressions/1", f"{AUDIENCE}_read"),
    ("DELETE", "/postroom/v1/suppressions/1", f"{AUDIENCE}_write"),
    ("POST", "/postroom/v1/erasures", f"{AUDIENCE}_write"),
    ("GET", "/postroom/v1/erasures", f"{AUDIENCE}_read"),
    ("GET", "/postroom/v1/erasures/k", f"{AUDIENCE}_read"),
    ("GET", "/postroom/v1/messages/k/timeline", "email_read"),
    ("GET", "/postroom/v1/messages", "email_read"),
    ("GET", "/postroom/v1/queue", "email_read"),
    ("POST", "/postroom/v1/jobs", "email_send"),
    ("GET", "/postroom/v1/account", "email_read"),
    ("PATCH", "/postroom/v1/account", "email_write"),
    ("GET", "/postroom/v1/jobs", "email_read"),
    ("GET", "/postroom/v1/jobs/k", "email_read"),
    ("POST", "/postroom/v1/jobs/k/confirm", "email_send"),
    ("DELETE", "/postroom/v1/jobs/k", "email_send"),
    ("GET", "/postroom/v1/jobs/k/resent", "email_read"),
    ("GET", "/postroom/v1/classifications", "email_read"),
    ("GET", "/postroom/v1/classifications/k", "email_read"),
    ("PUT", "/postroom/v1/classifications/k", "email_write"),
    ("POST", "/postroom/v1/templates/lint", "email_read"),
    ("POST", "/postroom/v1/templates/render", "email_write"),
    ("POST", "/messaging/v1/messageDefinitionSends/k/send", "email_send"),
    ("POST", "/messaging/v1/messageDefinitionSends/k/sendBatch", "email_send"),
    ("GET", "/messaging/v1/messageDefinitionSends/k/deliveryRecords/k", "email_read"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_without_a_token_it_is_401(live_api: LiveApi, method: str, path: str, scope: str) -> None:
    reply = live_api.http.request(method, path)
    assert (reply.status_code, reply.json()["errorcode"]) == (401, 0)


def test_with_every_scope_but_its_own_it_is_403(new_unit: Callable[..., Unit]) -> None:
    unit = new_unit()
    for needed in sorted({scope for _, _, scope in ROUTES}):
        # Contacts and lists may be managed with either family of scopes.
        twin = needed.replace("audiences", "list_and_subscribers")
        token = unit.new_token(scope=" ".join(scope for scope in SCOPES if scope not in (needed, twin)))
        for method, path, scope in ROUTES:
            reply = unit.call(method, path, headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"})
            if scope == needed:
                assert (reply.status_code, reply.json()["errorcode"]) == (403, 20002), (method, path)
            else:
                assert reply.status_code in (200, 400, 404, 415), (method, path)


def test_paths_in_any_case_and_with_slashes(unit: Unit) -> None:
    for path in ("/DATA/V1/CustomObjects/", "//contacts//v1/Addresses/Email/Search", "/postroom/v1/LISTS/"):
        assert unit.call("GET", path).status_code in (200, 405), path
