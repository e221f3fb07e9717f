"""A report of RFC 8460 §4.4 from what was counted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from postroom.delivery.routing.tls_counts import Counted


def tls_report(
    domain: str, day: date, counts: Sequence[tuple[Counted, int]], *, organization: str, contact: str, submitter: str
) -> dict[str, Any]:
    """The report about one recipient domain and day, ready to be written as JSON; ``submitter`` is our domain."""
    policies: dict[tuple[str, tuple[str, ...]], list[tuple[Counted, int]]] = {}
    for counted, sessions in counts:
        policies.setdefault((counted.policy_type, counted.policy), []).append((counted, sessions))
    return {
        "organization-name": organization,
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": contact,
        "report-id": f"{day}T00:00:00Z_{domain}@{submitter}",
        "policies": [_policy(domain, kind, lines, found) for (kind, lines), found in policies.items()],
    }


def _policy(domain: str, kind: str, lines: tuple[str, ...], found: list[tuple[Counted, int]]) -> dict[str, Any]:
    policy: dict[str, Any] = {"policy-type": kind}
    if lines:
        policy["policy-string"] = list(lines)
    policy["policy-domain"] = domain
    hosts = [line.removeprefix("mx: ") for line in lines if line.startswith("mx: ")]
    if hosts:
        policy["mx-host"] = hosts
    failed = [(counted, sessions) for counted, sessions in found if counted.failure]
    told: dict[str, Any] = {
        "policy": policy,
        "summary": {
            "total-successful-session-count": sum(sessions for counted, sessions in found if not counted.failure),
            "total-failure-session-count": sum(sessions for _, sessions in failed),
        },
    }
    if failed:
        told["failure-details"] = [_failure(counted, sessions) for counted, sessions in failed]
    return told


def _failure(counted: Counted, sessions: int) -> dict[str, Any]:
    known = {
        "receiving-mx-hostname": counted.mx_host,
        "receiving-ip": counted.address,
        "failure-reason-code": counted.reason,
    }
    return {
        "result-type": counted.failure,
        **{name: value for name, value in known.items() if value},
        "failed-session-count": sessions,
    }
