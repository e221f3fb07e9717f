"""The pages of recipients: every language whole, everything from outside escaped, the style allowed by its hash."""

import base64
import hashlib
import re
import tomllib
from importlib.resources import files

import pytest

from postroom.api.recipient_layout import PAGE_HEADERS, Languages, check, links, page, paragraph, text_field
from postroom.audience.preferences import ListChoice
from postroom.tenancy.accounts import LANGUAGES

TEXTS = tomllib.loads(files("postroom.api").joinpath("recipient_texts.toml").read_text(encoding="utf-8"))
EVIL = "<script>alert(1)</script>\"'&"


def test_every_language_that_can_be_chosen_has_every_text_with_the_same_values() -> None:
    assert tuple(TEXTS) == LANGUAGES
    values = {
        language: {name: set(re.findall(r"\{\w+\}", text)) for name, text in texts.items()}
        for language, texts in TEXTS.items()
    }
    assert values["de"] == values["fr"] == values["es"] == values["en"]


def test_a_language_nobody_knows_is_english() -> None:
    assert Languages().of("xx").language == "en"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_whole_and_says_its_language(language: str) -> None:
    words = Languages().of(language)
    html = page(words, "unsubscribe_title", "Shop", [paragraph("x")]).decode()
    assert html.startswith(f'<!doctype html>\n<html lang="{language}">')
    assert html.count("<h1>") == html.count("<main>") == html.count("<title>") == 1
    assert TEXTS[language]["unsubscribe_title"] in html


def test_attack_script_in_whatever_comes_from_outside() -> None:
    words = Languages().of("en")
    html = "".join(
        [
            page(words, "profile_title", EVIL, []).decode(),
            words.say("unsubscribe_list_question", address=EVIL, unit=EVIL, list=EVIL),
            words.value(EVIL),
            check(ListChoice(1, EVIL, "Active")),
            text_field(EVIL, EVIL, EVIL, 10),
            links([(EVIL, "x")]),
        ]
    )
    assert "<script" not in html
    assert "alert(1)" in html
    assert not re.search(r'value="[^"]*[<>]', html)


def test_braces_in_a_value_are_no_place_for_another() -> None:
    said = Languages().of("en").say("unsubscribed_all", address="{unit}", unit="{address}")
    assert said == "<b>{unit}</b> is unsubscribed from the mails of <b>{address}</b>."


def test_the_policy_allows_the_style_of_the_page_and_no_script() -> None:
    html = page(Languages().of("en"), "gone_title", "", []).decode()
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = dict(PAGE_HEADERS)[b"content-security-policy"].decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "script" not in policy
