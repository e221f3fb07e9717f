"""The example: its file of recipients is what its generator makes, and it is as awkward as it says."""

import csv
import importlib.util
import json
import shutil
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from postroom.cli.demo_check import CapturedMail, MailCheck
from postroom.cli.demo_example import Example, ExampleUnusable, example_folder, load_example
from postroom.cli.demo_order import money
from postroom.content.attributes import merge_attributes
from postroom.content.compiler import compile_content
from postroom.content.model import Context, Mail
from postroom.content.views import content_from_views

FOLDER = Path(__file__).parents[3] / "examples" / "order-shipped"


@pytest.fixture(scope="module")
def example() -> Example:
    return load_example(FOLDER)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_recipients", FOLDER / "make_recipients.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recipients_csv_is_what_the_generator_makes(generator: ModuleType) -> None:
    made = generator.csv_text(generator.make_rows())
    assert (FOLDER / "recipients.csv").read_bytes().decode("utf-8") == made, (
        "run examples/order-shipped/make_recipients.py"
    )


def test_two_thousand_different_people_and_orders(example: Example) -> None:
    assert len(example.recipients) == 2000
    for distinct in (
        {recipient.contact_key.lower() for recipient in example.recipients},
        {recipient.wire_address.lower() for recipient in example.recipients},
        {recipient.message_key.lower() for recipient in example.recipients},
        {recipient.attributes["FullName"] for recipient in example.recipients},
        {recipient.attributes["OrderNumber"] for recipient in example.recipients},
        {recipient.attributes["TrackingNumber"] for recipient in example.recipients},
    ):
        assert len(distinct) == 2000


def test_every_address_is_under_a_name_reserved_for_examples(example: Example) -> None:
    hosts = {recipient.wire_address.rpartition("@")[2] for recipient in example.recipients}
    reserved = ("example", "example.com", "example.net", "example.org")
    assert [host for host in hosts if not any(host == name or host.endswith(f".{name}") for name in reserved)] == []
    assert len([host for host in hosts if "xn--" in host]) >= 10


@pytest.mark.parametrize(
    "script", ["LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "CJK", "HANGUL", "THAI", "DEVANAGARI"]
)
def test_names_in_every_script(example: Example, script: str) -> None:
    found = [
        recipient.attributes["FullName"]
        for recipient in example.recipients
        if any(unicodedata.name(letter, "").startswith(script) for letter in recipient.attributes["FullName"])
    ]
    assert len(found) >= 50


@pytest.mark.parametrize(
    "awkward", ["=", "%%FirstName%%", "<", "&", '"', "'", "\n.", "\n..", "\n\t", "🎂", "\\", "=?utf-8?B?"]
)
def test_values_hold_what_a_mail_format_could_take_for_its_own(example: Example, awkward: str) -> None:
    assert any(awkward in value for recipient in example.recipients for value in recipient.attributes.values())


def test_values_are_long_end_in_blanks_and_begin_with_dots(example: Example) -> None:
    values = [value for recipient in example.recipients for value in recipient.attributes.values()]
    assert sum(len(value) == 300 for value in values) >= 100
    assert any(value.endswith("   ") for value in values)
    assert any(value.startswith(".") for value in values)


def test_addresses_with_plus_signs_apostrophes_and_letters_of_all_kinds(example: Example) -> None:
    locals_ = [recipient.to.rpartition("@")[0] for recipient in example.recipients]
    assert sum("+" in local for local in locals_) >= 500
    assert sum("'" in local for local in locals_) >= 20
    assert sum(not local.isascii() for local in locals_) >= 20


def test_every_column_is_shown_in_both_bodies_and_every_string_is_a_column(example: Example) -> None:
    for view in ("html", "text"):
        shown: set[str] = set()
        for each in example.recipients[:20]:
            shown |= {piece.name for piece in example.expected(view, each) if piece.name}
        plain = set(example.attribute_names) - {"Lines", "ShippingCost", "Culture", "Shipping"}
        made = {"Item", "Quantity", "Price", "Amount", "ShippingCharge", "Total", "OrderDay", "DeliveryDay"}
        assert shown == (plain - {"OrderDate", "DeliveryDate"}) | made | {"emailaddr"}
    assert len(example.attribute_names) >= 12


def test_orders_differ_in_everything_the_template_decides_by(example: Example) -> None:
    assert {recipient.attributes["Shipping"] for recipient in example.recipients} == {"home", "pickup"}
    assert len({recipient.attributes["Culture"] for recipient in example.recipients}) == 17
    lines = [json.loads(recipient.attributes["Lines"]) for recipient in example.recipients]
    assert {len(order) for order in lines} == {1, 2, 3, 4}
    assert {line["quantity"] for order in lines for line in order} == {1, 2, 3, 12}
    assert {recipient.attributes["ShippingCost"] == "0" for recipient in example.recipients} == {True, False}


def test_the_engine_and_plain_python_make_the_same_of_every_order(example: Example) -> None:
    content = content_from_views(example.asset["views"], from_name="Shop", from_address="shop@example.com")
    plan = compile_content(content)
    assert plan.warnings == ()
    check = MailCheck(example, example.recipients)
    for number, recipient in enumerate(example.recipients):
        attributes = merge_attributes(recipient.attributes, None)
        mail = plan.compose(
            Context(
                recipient.to, "", "", attributes, {}, {}, datetime(2026, 11, 23, tzinfo=UTC), f"{number}@example.com"
            )
        )
        assert isinstance(mail, Mail)
        check.take(CapturedMail(number, (recipient.wire_address,), mail.data))
    assert check.verdict().differences == []
    assert check.verdict().good


@pytest.mark.parametrize(
    ("amount", "culture", "written"),
    [
        ("0", "en-GB", "£0.00"), ("1234567.5", "de-DE", "1.234.567,50 €"), ("999.995", "en-GB", "£1,000.00"),
        ("1234567.5", "ja-JP", "¥1,234,568"), ("12345678", "hi-IN", "₹1,23,45,678.00"), ("2.5", "vi-VN", "3 ₫"),
    ],
)  # fmt: skip
def test_amounts_by_plain_python(amount: str, culture: str, written: str) -> None:
    assert money(Decimal(amount), culture) == written


def test_values_are_put_in_once_and_not_evaluated_again(example: Example) -> None:
    recipient = next(each for each in example.recipients if "%%FirstName%%" in each.attributes["DeliveryNote"])
    text = "".join(piece.text for piece in example.expected("text", recipient))
    assert 'Print "%%FirstName%%" on the card' in text
    assert f"Good news, {recipient.attributes['FirstName']}: " in text


def test_wire_addresses_have_ascii_domains_and_local_parts_as_written(example: Example) -> None:
    for recipient in example.recipients:
        local, _, domain = recipient.wire_address.rpartition("@")
        assert recipient.to.startswith(f"{local}@")
        assert domain.isascii()
        assert domain.encode("ascii").decode("idna") == recipient.to.rpartition("@")[2]


def test_the_request_carries_every_recipient_once(example: Example) -> None:
    body = example.send_body()
    assert body["definitionKey"] == "order_shipped"
    recipients = body["recipients"]
    assert isinstance(recipients, list)
    assert [entry["messageKey"] for entry in recipients] == [each.message_key for each in example.recipients]
    assert set(recipients[0]) == {"contactKey", "to", "messageKey", "attributes"}


def test_fewer_recipients_are_the_first_ones(example: Example) -> None:
    assert load_example(FOLDER, 3).recipients == example.recipients[:3]


def test_the_example_is_found_from_the_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert example_folder() == FOLDER


class TestUnusable:
    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        return Path(shutil.copytree(FOLDER, tmp_path / "copy"))

    def refusal(self, folder: Path) -> str:
        with pytest.raises(ExampleUnusable) as refused:
            load_example(folder)
        return str(refused.value)

    def test_a_missing_file_is_named(self, copy: Path) -> None:
        (copy / "order-shipped.txt").unlink()
        assert self.refusal(copy) == f"{copy / 'order-shipped.txt'}: No such file or directory"

    def test_a_missing_column_is_named(self, copy: Path) -> None:
        text = (copy / "recipients.csv").read_text(encoding="utf-8")
        (copy / "recipients.csv").write_text(text.replace("messageKey", "key", 1), encoding="utf-8")
        assert "'messageKey' is missing" in self.refusal(copy)

    def test_a_short_row_is_named(self, copy: Path) -> None:
        with (copy / "recipients.csv").open("a", encoding="utf-8") as file:
            file.write("customer-1,short@example.com,key-1\n")
        assert "the row of short@example.com has not as many fields" in self.refusal(copy)

    def test_two_rows_with_one_address_are_refused(self, copy: Path) -> None:
        with (copy / "recipients.csv").open(encoding="utf-8", newline="") as file:
            row = list(csv.reader(file))[1]
        with (copy / "recipients.csv").open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(row)
        assert f"{row[1]} is there 2 times" in self.refusal(copy)

    def test_a_file_without_recipients_is_refused(self, copy: Path) -> None:
        header = (copy / "recipients.csv").read_text(encoding="utf-8").split("\n", 1)[0]
        (copy / "recipients.csv").write_text(f"{header}\n", encoding="utf-8")
        assert self.refusal(copy).endswith("it holds no recipient")

    def test_json_that_is_none_is_refused(self, copy: Path) -> None:
        (copy / "definition.json").write_text("{", encoding="utf-8")
        assert str(copy) in self.refusal(copy)

    def test_a_string_without_a_column_is_named(self, copy: Path) -> None:
        with (copy / "order-shipped.expected.txt").open("a", encoding="utf-8") as file:
            file.write("%%Nickname%%\n")
        example = load_example(copy)
        with pytest.raises(ExampleUnusable, match="text has %%Nickname%%"):
            example.expected("text", example.recipients[0])
