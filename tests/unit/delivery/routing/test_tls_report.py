"""The report of RFC 8460 from counts."""

from datetime import date

from postroom.delivery.routing.tls_counts import Counted
from postroom.delivery.routing.tls_report import tls_report

LINES = ("version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400")


def test_a_report_as_the_example_of_the_rfc() -> None:
    counts = [
        (Counted("sts", LINES), 5326),
        (Counted("sts", LINES, "certificate-expired", "mx1.mail.company-y.example", "2001:db8::1", "expired"), 100),
        (Counted("sts", LINES, "starttls-not-supported", "mx2.mail.company-y.example", "203.0.113.5"), 200),
        (Counted("no-policy-found", ()), 7),
    ]
    report = tls_report(
        "company-y.example",
        date(2016, 4, 1),
        counts,
        organization="Company-X",
        contact="sts@company-x.example",
        submitter="company-x.example",
    )
    assert report == {
        "organization-name": "Company-X",
        "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
        "contact-info": "sts@company-x.example",
        "report-id": "2016-04-01T00:00:00Z_company-y.example@company-x.example",
        "policies": [
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": list(LINES),
                    "policy-domain": "company-y.example",
                    "mx-host": ["*.mail.company-y.example"],
                },
                "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 300},
                "failure-details": [
                    {
                        "result-type": "certificate-expired",
                        "receiving-mx-hostname": "mx1.mail.company-y.example",
                        "receiving-ip": "2001:db8::1",
                        "failure-reason-code": "expired",
                        "failed-session-count": 100,
                    },
                    {
                        "result-type": "starttls-not-supported",
                        "receiving-mx-hostname": "mx2.mail.company-y.example",
                        "receiving-ip": "203.0.113.5",
                        "failed-session-count": 200,
                    },
                ],
            },
            {
                "policy": {"policy-type": "no-policy-found", "policy-domain": "company-y.example"},
                "summary": {"total-successful-session-count": 7, "total-failure-session-count": 0},
            },
        ],
    }


def test_a_day_without_sessions_has_no_policies() -> None:
    assert (
        tls_report("a.test", date(2026, 1, 1), [], organization="x", contact="y", submitter="x.test")["policies"] == []
    )
