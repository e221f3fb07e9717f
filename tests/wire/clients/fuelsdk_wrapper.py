"""FuelSDKWrapper, a program of its own: what came back is printed as JSON. Rows, emails, folders, a triggered send."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(sys.prefix) / "clients"))

import requests
from FuelSDKWrapper import ET_API, Operator, complex_filter, simple_filter

VENDOR = "https://www.exacttargetapis.com"


def lead_here(here: str) -> None:
    """Triggered sends go to a host that the client names itself; as a proxy would, send what goes there here."""
    request = requests.Session.request

    def led(self: requests.Session, method: str, url: str, **named: Any) -> requests.Response:
        return request(self, method, url.replace(VENDOR, here), **named)

    requests.Session.request = led  # type: ignore[assignment]


def state(reply: requests.Response) -> list[Any]:
    """How an asynchronous call went."""
    status = reply.json()["status"]
    return [status["requestStatus"], status["hasErrors"]]


def main(given: dict[str, Any]) -> dict[str, Any]:
    lead_here(given["url"])
    api = ET_API(
        params={
            "clientid": given["client_id"],
            "clientsecret": given["client_secret"],
            "authenticationurl": given["url"],
            "useOAuth2Authentication": "True",
            "accountId": str(given["account_id"]),
            "wsdl_file_local_loc": str(Path(__file__).with_name("soap.wsdl")),
        }
    )
    seen: dict[str, Any] = {}
    keys = [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}]
    rows = api.create_data_extension_rows("orders", keys, [{"Total": 1}, {"Total": 2, "City": "Oslo"}, {"Total": 3}])
    seen["rows"] = [rows.status_code, len(rows.json())]
    seen["async"] = [
        state(api.upsert_data_extension_rows_async("orders", [{"Id": "d", "Total": "4.5", "City": "Bergen"}])),
        state(api.create_data_extension_rows_async("orders", [{"Id": "d"}])),
    ]
    no_city, few = simple_filter("City", Operator.IS_NULL, ""), simple_filter("Total", Operator.LESS_THAN, "4")
    seen["found"] = [
        api.get_data_extension_rows_rest("orders", complex_filter(no_city, "AND", few), property_list=["Id", "Total"]),
        api.get_data_extension_rows_rest("orders", simple_filter("City", Operator.LIKE, "O%")),
        api.get_data_extension_rows_rest("orders", simple_filter("Id", Operator.IN, ["a", "b"])),
        api.get_data_extension_rows_rest("orders", order_by="Total DESC", page_size=3),
    ]
    email = (1, "Order", "Your order", "<p>Hello</p>")
    made = [api.create_or_update_html_paste_email(*email, customer_key="pasted") for _ in range(2)]
    seen["emails"] = [[reply.status_code, reply.json()["id"]] for reply in made]
    seen["folders"] = [api.get_or_create_content_builder_folder("Mails") for _ in range(2)]
    sent = api.send_trigger_email("order", "ann@example.org", "ann", {"FirstName": "Ann"})
    seen["triggered"] = [sent.status_code, sent.json()]
    return seen


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
