"""`postroom apply`: a business unit brought to the shape of a file, seen through the API."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner

from postroom.cli.main import app

BLUEPRINT = """
profile_attributes = ["FirstName", "Shoe Size"]
lists = ["All Subscribers", "News"]

[account]
mid = {mid}
name = "The shop"

[[classification]]
key = "Shop"
from_name = "The shop"
from_address = "shop@example.org"

[[data_extension]]
key = "orders"
subscriber_column = "SubscriberKey"
field = [
    {{ name = "SubscriberKey", length = 100 }},
    {{ name = "OrderId", length = 20, primary_key = true }},
    {{ name = "Total", type = "Decimal", length = 10, scale = 2, default = "0" }},
    {{ name = "Made", type = "Date", default = "GetDate()" }},
]

[[asset]]
key = "order-email"
subject = "Your order %%OrderId%%"
html_file = "order.html"

[[definition]]
key = "order"
name = "Order"
asset = "order-email"
list = "News"
classification = "Shop"
data_extension = "orders"
bcc = ["archive@example.org"]
"""

PLAN = [
    "+ profile attribute 'Shoe Size'",
    "+ list 'News'",
    "+ classification 'Shop'",
    "+ data extension 'orders'",
    "+ asset 'order-email'",
    "+ definition 'order'",
]


class Shop:
    """A business unit and the folder with its blueprint."""

    def __init__(self, unit: Unit, folder: Path) -> None:
        self.unit = unit
        self.file = folder / "account.toml"
        self.page = folder / "order.html"
        self.page.write_text("<p>Order %%OrderId%%</p>")
        self.text = BLUEPRINT.format(mid=unit.account_id)

    def apply(self, *words: str) -> list[str]:
        """The lines that `postroom apply` prints."""
        result = self.run(*words)
        assert result[0] == 0, result[1]
        return result[1].splitlines()

    def files(self) -> list[tuple[str, str, bytes, str]]:
        """Name, type, bytes and content id of each file that the definition's newest version carries."""
        (row,) = self.unit.api.rows(
            "select content::jsonb -> 'files' as files from definition_version where account_id = $1 "
            "order by version_id desc limit 1",
            self.unit.account_id,
        )
        return [
            (each["name"], each["media_type"], b64decode(each["data"]), each.get("content_id", ""))
            for each in json.loads(row["files"] or "[]")
        ]

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and everything printed."""
        self.file.write_text(self.text)
        arguments = ["apply", "-f", str(self.file), *words, "--database-url", self.unit.api.dsn]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        return result.exit_code, result.output


@pytest.fixture
def shop(unit: Unit, tmp_path: Path) -> Shop:
    """A business unit that its blueprint was never applied to."""
    return Shop(unit, tmp_path)


def name_line(shop: Shop) -> str:
    mid = shop.unit.account_id
    return f"~ business unit {mid}: name 'Unit {mid}' becomes 'The shop'"


def test_a_file_makes_everything_and_a_second_time_nothing(shop: Shop) -> None:
    assert shop.apply() == [name_line(shop), *PLAN]
    made = shop.unit.call("GET", "/messaging/v1/email/definitions/order").json()
    assert (made["status"], made["classification"], made["content"]) == (
        "Active",
        "Shop",
        {"customerKey": "order-email"},
    )
    assert made["subscriptions"]["dataExtension"] == "orders"
    assert made["subscriptions"]["list"].startswith("News - ")
    assert made["options"]["bcc"] == ["archive@example.org"]
    assert shop.apply() == [f"business unit {shop.unit.account_id} is as {shop.file} states; nothing to do"]


def test_what_is_doubtful_in_a_template_is_told_when_it_is_published(shop: Shop) -> None:
    shop.page.write_text("<p>%%[ SET @a = 1; ]%%Order %%OrderId%%</p>")
    warning = shop.apply()[-1]
    assert warning.startswith("warning: definition 'order': html line 1 column 18: ; means nothing")
    assert "nothing to do" in shop.apply()[0]


def test_a_dry_run_prints_the_plan_and_changes_nothing(shop: Shop) -> None:
    before = shop.unit.stored()
    assert shop.apply("--dry-run") == [name_line(shop), *PLAN]
    assert shop.unit.stored() == before
    assert shop.apply() == [name_line(shop), *PLAN]


def test_what_changed_in_the_file_changes_and_what_was_made_from_it_is_published_anew(shop: Shop) -> None:
    shop.apply()
    shop.page.write_text("<p>Thank you for %%OrderId%%</p>")
    shop.text = shop.text.replace('"shop@example.org"', '"hello@example.org"').replace("length = 20", "length = 30")
    shop.text = shop.text.replace('bcc = ["archive@example.org"]', "track_links = false")
    assert shop.apply() == [
        "~ classification 'Shop': from_address",
        "~ data extension 'orders': columns",
        "~ asset 'order-email'",
        "~ definition 'order': track_links, bcc, content, sender",
    ]
    (version,) = shop.unit.api.rows(
        "select content::jsonb ->> 'from_address' as sender, content::jsonb ->> 'html' as html "
        "from definition_version where account_id = $1 order by version_id desc limit 1",
        shop.unit.account_id,
    )
    assert dict(version) == {"sender": "hello@example.org", "html": "<p>Thank you for %%OrderId%%</p>"}
    assert "nothing to do" in shop.apply()[0]


def test_what_templates_know_of_the_business_unit_follows_the_file(shop: Shop) -> None:
    shop.apply()
    shop.text = shop.text.replace(
        'name = "The shop"',
        'name = "The shop"\ntime_zone = "Europe/Berlin"\ncity = "Berlin"\npages = { "12" = "https://shop.example/12" }',
        1,
    )
    mid = shop.unit.account_id
    assert shop.apply() == [
        f"~ business unit {mid}: time_zone 'America/Chicago' becomes 'Europe/Berlin', city '' becomes 'Berlin', "
        "page '12' leads to https://shop.example/12"
    ]
    assert "nothing to do" in shop.apply()[0]
    shop.text = shop.text.replace("Europe/Berlin", "Europe/Berlyn")
    code, output = shop.run()
    assert code == 2
    assert "time zone 'Europe/Berlyn' is unknown" in " ".join(output.split())


def test_sending_options_follow_the_file(shop: Shop) -> None:
    shop.text += '\n[definition.sending]\ndeliver_before = 300\non_unknown = "hold"\n'
    assert shop.apply() == [name_line(shop), *PLAN]
    definition = "/messaging/v1/email/definitions/order"
    assert shop.unit.call("GET", definition).json()["postroom"] == {"deliverBefore": 300, "onUnknown": "hold"}
    assert "nothing to do" in shop.apply()[0]
    shop.text = shop.text.replace("deliver_before = 300", "")
    assert shop.apply() == ["~ definition 'order': sending"]
    assert shop.unit.call("GET", definition).json()["postroom"] == {"onUnknown": "hold"}
    shop.text = shop.text.replace('on_unknown = "hold"', "")
    assert shop.apply() == ["~ definition 'order': sending"]
    assert "postroom" not in shop.unit.call("GET", definition).json()


def test_the_example_is_applied_as_it_stands(shop: Shop) -> None:
    example = Path(__file__).parents[2] / "examples" / "account.toml"
    shop.text = example.read_text(encoding="utf-8").replace("100001", str(shop.unit.account_id))
    assert shop.apply()[-1] == "+ definition 'order'"
    assert "nothing to do" in shop.apply()[0]


def test_a_new_business_unit_is_made_whole(shop: Shop) -> None:
    shop.text = shop.text.replace(str(shop.unit.account_id), str(shop.unit.account_id + 5_000_000))
    first, *others = shop.apply()
    assert first == f"+ business unit {shop.unit.account_id + 5_000_000} 'The shop'"
    assert others == PLAN
    assert "nothing to do" in shop.apply()[0]
    assert shop.unit.stored()["definition"] == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[account]", "[account", "not TOML"),
        ("mid = ", "mid = -", "MID -"),
        ("subject =", "subjekt =", "subjekt"),
        ('"order.html"', '"../order.html"', "outside"),
        ('"order.html"', '"missing.html"', "can't be read"),
        ('html_file = "order.html"', "", "html_file"),
        ('type = "Decimal"', 'type = "Money"', "'Money'"),
        ("scale = 2", "scale = 20", "scale"),
        ('key = "Shop"', 'key = ""', "key is empty"),
        ('list = "News"', 'list = "News"\nsending = {on_unknown = "drop"}', "sending.on_unknown: 'drop' is unknown"),
        ('list = "News"', 'list = "News"\nsending = {onUnknown = "hold"}', "onUnknown"),
        ("[[definition]]", '[[asset]]\nkey = "ORDER-email"\nsubject = "x"\ntext = "x"\n[[definition]]', "twice"),
    ],
)
def test_a_file_that_can_not_be_understood_changes_nothing(shop: Shop, old: str, new: str, words: str) -> None:
    before = shop.unit.stored()
    shop.text = shop.text.replace(old, new, 1)
    code, output = shop.run()
    assert code == 2
    assert words in " ".join(output.split())
    assert shop.unit.stored() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('asset = "order-email"', 'asset = "nothing"', "content.customerKey"),
        ('list = "News"', 'list = "Olds"', "subscriptions.list"),
        ('data_extension = "orders"', 'data_extension = "nothing"', "subscriptions.dataExtension"),
        ("<p>Order", "<p>%%[ IF", "html line 1"),
    ],
)
def test_a_definition_that_can_not_be_published_is_told(shop: Shop, old: str, new: str, words: str) -> None:
    shop.text = shop.text.replace(old, new, 1)
    shop.page.write_text(shop.page.read_text().replace(old, new))
    code, output = shop.run()
    assert code == 2
    assert words in " ".join(output.split())
    assert shop.unit.stored()["definition"] == 0


def test_suppressions_of_the_file_are_added_and_others_left_alone(shop: Shop) -> None:
    (shop.file.parent / "gone.csv").write_text("address,cause\nben@example.com,bounce\n'=cid@example.com,\n")
    shop.text = 'suppression_file = "gone.csv"\n' + shop.text
    shop.text += '\n[[suppression]]\naddress = "Ann@example.com"\nexpires = "2999-01-05"\n'
    shop.unit.call("POST", "/postroom/v1/suppressions", json={"address": "dan@example.com"})
    assert shop.apply()[-2:] == ["+ suppression of 3 addresses", "+ definition 'order'"]
    items = shop.unit.call("GET", "/postroom/v1/suppressions").json()["items"]
    assert {(item["address"], item["cause"]) for item in items} == {
        ("ann@example.com", "manual"),
        ("ben@example.com", "bounce"),
        ("=cid@example.com", "import"),
        ("dan@example.com", "manual"),
    }
    assert "nothing to do" in shop.apply()[0]
    shop.text = shop.text.replace("2999-01-05", "2999-02-05")
    assert shop.apply() == ["+ suppression of 'Ann@example.com'"]
    shop.text = shop.text.replace("2999-02-05", "2020-02-05")
    assert "nothing to do" in shop.apply()[0]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ('address = "ann"', "suppression 1: 'ann' is not an email address"),
        ('address = "ann@example.com"\ncause = "x"', "suppression 1: cause is 'x'; it must be one of"),
        ('address = "ann@example.com"\nadress = "x"', "unknown field `adress`"),
    ],
)
def test_a_suppression_that_can_not_be_is_named(shop: Shop, part: str, words: str) -> None:
    shop.text += f"\n[[suppression]]\n{part}\n"
    code, output = shop.run()
    assert code == 2
    assert words in " ".join(output.split())


ATTACHED = """attachments = [
    {{ file = "files/terms.pdf", file_name = "Terms of sale.pdf" }},
    {{ file = "logo.png", content_id = "logo" }},{more}
]
"""


@pytest.fixture
def attaching(shop: Shop) -> Shop:
    """A blueprint whose email has two files beside it."""
    (shop.file.parent / "files").mkdir()
    (shop.file.parent / "files" / "terms.pdf").write_bytes(b"%PDF-1.7 terms")
    (shop.file.parent / "logo.png").write_bytes(b"\x89PNG logo")
    shop.page.write_text('<p>Order %%OrderId%%<img src="cid:logo"></p>')
    shop.text = shop.text.replace('html_file = "order.html"\n', 'html_file = "order.html"\n' + ATTACHED.format(more=""))
    return shop


def test_attachments_are_the_files_beside_the_blueprint_and_follow_them(attaching: Shop) -> None:
    shop = attaching
    assert shop.apply() == [name_line(shop), *PLAN]
    assert shop.files() == [
        ("Terms of sale.pdf", "application/pdf", b"%PDF-1.7 terms", ""),
        ("logo.png", "image/png", b"\x89PNG logo", "logo"),
    ]
    assert "nothing to do" in shop.apply()[0]
    (shop.file.parent / "files" / "terms.pdf").write_bytes(b"%PDF-1.7 other terms")
    assert shop.apply() == ["~ asset 'order-email'", "~ definition 'order': content"]
    assert shop.files()[0][2] == b"%PDF-1.7 other terms"
    stated, shop.text = shop.text, shop.text.replace(ATTACHED.format(more=""), "")
    assert "nothing to do" in shop.apply()[0]
    shop.text = stated.replace(ATTACHED.format(more=""), "attachments = []\n")
    assert shop.apply() == ["~ asset 'order-email'", "~ definition 'order': content"]
    assert shop.files() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('{ file = "../secret.pdf" }', "lies outside"),
        ('{ file = "missing.pdf" }', "asset 'order-email': attachment 3: file 'missing.pdf' can't be read"),
        ('{ file = "files" }', "file 'files' can't be read"),
        ('{ file = "empty.pdf" }', "file 'empty.pdf' is empty"),
        ('{ file = "large.pdf" }', "file 'large.pdf' the attachments have more than the 10,000,000 bytes together"),
        ('{ file = "notes.unknown" }', "give content_type, such as application/pdf"),
        ('{ file = "logo.png", customer_key = "logo" }', "and not both"),
        ('{ content_id = "logo" }', "attachment 3: give file"),
        ('{ file = "logo.png", content_id = "logo" }', "content_id 'logo' is there twice"),
        ('{ file = "logo.png", content_id = "a b" }', "asset 'order-email': attachments[2].content_id: use letters"),
        ('{ file = "logo.png", contentId = "a" }', "contentId"),
        (", ".join(['{ file = "logo.png" }'] * 9), "there are 11 attachments; POSTROOM_TEMPLATE_ATTACHMENTS allows 10"),
    ],
)
def test_an_attachment_that_can_not_be_is_told_and_nothing_changes(attaching: Shop, more: str, words: str) -> None:
    shop = attaching
    folder = shop.file.parent
    (folder / "empty.pdf").touch()
    (folder / "notes.unknown").write_text("?")
    with (folder / "large.pdf").open("wb") as large:
        large.truncate(10_000_000)
    before = shop.unit.stored()
    shop.text = shop.text.replace(ATTACHED.format(more=""), ATTACHED.format(more=f"\n    {more}"))
    code, output = shop.run()
    assert code == 2
    assert words in " ".join(output.split())
    assert shop.unit.stored() == before
