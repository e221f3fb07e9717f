"""What is written for Postfix and read from smtp-sink and wrk."""

import re
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.mx import DOMAINS, HOSTS, domains, zone
from benchmarks.postfix import main_settings
from benchmarks.sends import BATCH, Recipients, single_template
from benchmarks.sink import last_count
from benchmarks.wrk import WrkReport, parse_report

from postroom.cli.demo_postfix import services

DISTRIBUTED = """\
# comment
smtp      inet  n       -       y       -       -       smtpd
qmgr      unix  n       -       n       300     1       qmgr
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def test_the_sink_count_is_the_last_complete_one() -> None:
    assert last_count(b"") == 0
    assert last_count(b"sess=0 quit=0 mesg=9\rsess=1 quit=0 mesg=12\r") == 12
    assert last_count(b"sess=0 quit=0 mesg=9\rsess=1 quit=0 mesg=1") == 9
    assert last_count(b"=0 mesg=41\rsess=0 quit=0 mesg=42\r") == 42


def test_postfix_listens_where_it_is_told_and_runs_nothing_external() -> None:
    written = services(DISTRIBUTED, 2525).splitlines()
    assert written == [
        "127.0.0.1:2525 inet n - n - - smtpd",
        "qmgr unix n - n 300 1 qmgr",
        "relay unix - - n - - smtp",
        "        -o syslog_name=postfix/$service_name",
        "postlog unix-dgram n - n - 1 postlogd",
    ]


def test_postfix_keeps_everything_in_its_folder_and_relays_to_loopback() -> None:
    text = main_settings(Path("/somewhere"), 2526)
    assert "relayhost = [127.0.0.1]:2526" in text
    folders = [line.partition(" = ")[2] for line in text.splitlines() if "directory" in line or "log" in line]
    assert folders
    assert all(folder.startswith("/somewhere/") for folder in folders)


def test_the_report_of_wrk_is_found_in_its_output() -> None:
    line = '{"requests":10,"microseconds":5,"p50":1,"p99":2,"most":3,"refused":0,"broken":0}'
    assert parse_report(f"Running 1s test\nRESULT {line}\n") == WrkReport(10, 5, 1, 2, 3, 0, 0)
    with pytest.raises(ValueError, match="unable to connect"):
        parse_report("unable to connect to 127.0.0.1")


def test_requests_cover_every_recipient_once_with_keys_of_the_run() -> None:
    people = Recipients(5)
    made = people.requests("r1", 5, batch=2, host="h", token="t", new_contacts=True)
    assert len(made) == 3
    assert [sum(one.count(b'"messageKey":"r1-%d"' % place) for one in made) for place in range(6)] == [1] * 5 + [0]
    assert b'"contactKey":"r1-4"' in made[2]
    assert b'"contactKey":"c-4"' in people.requests("r1", 5, batch=BATCH, host="h", token="t")[0]


def test_every_host_has_ten_domains_and_a_place_tells_the_host() -> None:
    names, records = domains(), zone([f"127.0.0.{11 + host}" for host in range(HOSTS)])
    people = Recipients(2 * DOMAINS, names)
    (made,) = people.requests("r1", 2 * DOMAINS, batch=2 * DOMAINS, host="h", token="t")
    sent = [to.partition("@")[2] for to in re.findall(r'"to":"([^"]*)"', made.decode())]
    assert sent == [*names, *names]
    hosts = [records[domain, "MX"][0].partition(" ")[2].rstrip(".") for domain in sent]
    assert [records[host, "A"] for host in hosts[:2]] == [["127.0.0.11"], ["127.0.0.12"]]
    assert all(host == hosts[place % HOSTS] for place, host in enumerate(hosts))
    assert set(Counter(hosts).values()) == {2 * DOMAINS // HOSTS}


def test_a_single_send_has_twelve_values_and_keeps_its_length() -> None:
    template = single_template("########")
    assert len(single_template("12345678")) == len(template)
    assert template.count(b"########") == 4
