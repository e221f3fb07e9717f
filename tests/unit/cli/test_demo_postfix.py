"""What the demo's Postfix is told, and whom its mails are counted for."""

from pathlib import Path

from postroom.cli.demo_postfix import main_settings, original_recipients


def test_recipients_are_those_before_the_mail_and_not_in_its_text() -> None:
    raw = "Return-Path: <>\r\nX-Original-To: 凛.63@example.com\r\nTo: x\r\n\r\nX-Original-To: b@example.com\r\n"
    assert original_recipients(raw.encode()) == ("凛.63@example.com",)


def test_all_files_are_in_the_folder_and_only_loopback_is_listened_on() -> None:
    lines = dict(line.split(" =", 1) for line in main_settings(Path("/somewhere"), 65534, 65533).splitlines())
    for name in ("queue_directory", "data_directory", "maillog_file", "smtpd_tls_key_file", "virtual_mailbox_base"):
        assert lines[name].strip().startswith("/somewhere"), name
    assert lines["inet_interfaces"] == " 127.0.0.1"
    assert lines["smtpd_tls_security_level"] == " encrypt"
    assert lines["virtual_uid_maps"] == " static:65534"
