"""The demo with 200 recipients, as a new user runs it: everything arrives, and nothing stays behind."""

from tests.scenarios.demo.conftest import Start


def test_two_hundred_emails_from_post_to_mailbox(start_demo: Start) -> None:
    demo = start_demo("--recipients", "200")
    code = demo.ended()
    assert demo.lines[-1] == "demo: 200 accepted, 200 delivered, 0 lost, 0 twice", demo.output
    assert code == 0
    figures = {name.strip(): value for name, _, value in (line.rpartition("  ") for line in demo.lines) if name.strip()}
    assert figures["accepted"] == figures["sent"] == figures["mails with every value right"] == "200"
    assert figures["not sent"] == "0"
    assert figures["values compared"] == "2,600"
    assert "Subject: Käthe, your order LL-26100037 is on its way" in demo.output
    assert list(demo.folder.iterdir()) == []
    assert demo.server_processes == []
