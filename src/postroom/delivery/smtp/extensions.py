"""What a peer said it can do in its answer to EHLO (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

from postroom.delivery.smtp.envelope import Mail
from postroom.delivery.smtp.reply import Reply


class Lack(NamedTuple):
    """Why a mail can't be handed to this peer, with the codes that the peer would say."""

    code: int
    enhanced: str
    text: str


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions this client makes use of; all absent after a HELO."""

    pipelining: bool = False
    """RFC 2920."""
    size: bool = False
    """RFC 1870: the size may be said with MAIL."""
    size_limit: int = 0
    """Largest message in bytes; 0: no limit known."""
    eight_bit: bool = False
    """8BITMIME, RFC 6152."""
    smtputf8: bool = False
    """RFC 6531."""
    enhanced_codes: bool = False
    """ENHANCEDSTATUSCODES, RFC 2034."""
    starttls: bool = False
    """RFC 3207."""
    recipient_limit: int = 0
    """Most recipients of one mail, RCPTMAX of LIMITS (RFC 9422); 0: not said."""
    auth: frozenset[str] = frozenset()
    """Names of the login mechanisms (RFC 4954), in capitals."""

    @classmethod
    def of(cls, reply: Reply) -> Self:
        """Read the reply to EHLO. Lines that make no sense are passed over."""
        words: dict[str, list[str]] = {}
        auth: set[str] = set()
        for line in reply.lines[1:]:
            # "AUTH=LOGIN" is what servers wrote before the standard was one; some still do, beside AUTH.
            keyword, *arguments = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ").split() or [""]
            if keyword == "AUTH":
                auth.update(arguments)
            words[keyword] = arguments
        size = words.get("SIZE")
        limits = dict(limit.partition("=")[::2] for limit in words.get("LIMITS", ()))
        return cls(
            pipelining="PIPELINING" in words,
            size=size is not None,
            size_limit=_number(size[0]) if size else 0,
            eight_bit="8BITMIME" in words,
            smtputf8="SMTPUTF8" in words,
            enhanced_codes="ENHANCEDSTATUSCODES" in words,
            starttls="STARTTLS" in words,
            recipient_limit=_number(limits.get("RCPTMAX", "")),
            auth=frozenset(auth),
        )

    def lack(self, mail: Mail) -> Lack | None:
        """What the peer does not offer and the mail needs; None when all is there."""
        data = mail.data
        if self.size_limit and len(data) > self.size_limit:
            return Lack(552, "5.3.4", f"{len(data)} bytes, and the peer takes at most {self.size_limit}")
        if mail.smtputf8 and not self.smtputf8:
            return Lack(550, "5.6.7", "the message needs SMTPUTF8 and the peer does not offer it")
        if not self.eight_bit and not data.isascii():
            return Lack(554, "5.6.3", "the message is 8-bit and the peer does not offer 8BITMIME")
        return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
