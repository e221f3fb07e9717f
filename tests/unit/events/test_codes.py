import re

from postroom.events.codes import NAMES, StatusCode, status_message


def test_every_code_we_give_is_in_the_vendors_table_under_its_name() -> None:
    for code in StatusCode:
        # SUBSCRIBER_QUEUE_CLEARED against SubscriberQueueCleared, and so on.
        assert code.name.replace("_", "").lower() == NAMES[code].lower()


def test_names_are_single_words_and_the_table_is_in_order() -> None:
    assert list(NAMES) == sorted(NAMES)
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) for name in NAMES.values())


def test_a_number_outside_the_table_still_has_a_name() -> None:
    assert status_message(101) == "Failure"
    assert status_message(7777) == "UnspecifiedError"
