"""What the TLS of an MX host has to prove, by the rule that was found for it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from postroom.delivery.routing.dane import Tlsa, tlsa_judge
from postroom.delivery.smtp.target import TlsMode
from postroom.delivery.smtp.trust import CLEAR_TEXT, Trust, any_certificate


class RuleKind(StrEnum):
    """Where a rule comes from and what it wants; the first three are the values of POSTROOM_MX_TLS."""

    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    VERIFY = "verify"
    STS = "sts"
    STS_TESTING = "sts-testing"
    DANE = "dane"


@dataclass(frozen=True, slots=True)
class TlsRule:
    """One rule. Hosts of equal name and rule are one site, whatever domains they serve."""

    kind: RuleKind
    tlsa: tuple[Tlsa, ...] = ()
    """The usable records, for DANE."""
    base: str = ""
    """The name that they are for, without port and protocol: the host's, or what it is an alias of."""


NO_RULE = TlsRule(RuleKind.OPPORTUNISTIC)


class Trusts:
    """Makes the ``Trust`` of each rule. ``verifying`` is a context that checks authorities and host names."""

    def __init__(self, verifying: ssl.SSLContext) -> None:
        self._verifying = verifying
        self._any = any_certificate()
        self._opportunistic = Trust(TlsMode.OPPORTUNISTIC, "none", self._any, gives_way_to=CLEAR_TEXT)

    def trust(self, rule: TlsRule, host: str) -> Trust:
        """The trust for a host with this rule."""
        match rule.kind:
            case RuleKind.OPPORTUNISTIC:
                return self._opportunistic
            case RuleKind.REQUIRED:
                return Trust(TlsMode.REQUIRED, "none", self._any)
            case RuleKind.VERIFY:
                return Trust(TlsMode.VERIFY, "webpki", self._verifying)
            case RuleKind.STS:
                return Trust(TlsMode.VERIFY, "sts", self._verifying)
            case RuleKind.STS_TESTING:
                return Trust(TlsMode.OPPORTUNISTIC, "sts", self._verifying, gives_way_to=self._opportunistic)
            case RuleKind.DANE:
                judge = tlsa_judge(rule.tlsa, tuple(dict.fromkeys((rule.base, host))), lambda: datetime.now(UTC))
                return Trust(TlsMode.REQUIRED, "dane", self._any, judge, server_name=rule.base)
