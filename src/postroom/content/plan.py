"""The byte plan of one definition version: everything fixed is already in wire form, composing fills the holes.

A message's values are resolved once, each distinct name one slot, then encoded once for the body and picked into
every place that shows them. Header fields, MIME headers and body parts stay apart until the last join, so that a
signer can prepare what is fixed in each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

from .address import Address, parse_address
from .ampscript.run import Services
from .attachment import mixed
from .attributes import value_text
from .header import date_text, field_text, is_message_id, mailbox, unstructured
from .model import (
    EMPTY_SUBJECT,
    INVALID_BCC_ADDRESS,
    INVALID_CC_ADDRESS,
    INVALID_EMAIL_ADDRESS,
    MESSAGE_BUILD_ERROR,
    Context,
    File,
    Mail,
    NotComposed,
    Problem,
)
from .names import PAGES
from .script import Script
from .transfer import TransferEncoding, is_relaxed, relaxed

_MISSING = object()

LINK = "LINK"
"""The name of slots that print a link; no attribute has it, since names of attributes are folded."""

Fallback = Callable[[Context, Sequence[str]], str | None]
"""What a name stands for when the message does not say: from the context and the texts of earlier slots."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One distinct value of a message.

    ``name`` is folded, ``written`` as the author wrote it first. Looked up in attributes, profile and system, then
    ``fallback``, then ``default``; without any the message is not composed, with ``status_code`` and a reason that
    names ``part``.
    """

    name: str
    written: str
    part: str
    status_code: int
    fallback: Fallback | None
    default: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A template of one line (subject, name, address): texts and slot numbers in order."""

    pieces: tuple[str | int, ...]

    @property
    def fixed(self) -> bool:
        return not any(isinstance(piece, int) for piece in self.pieces)

    def render(self, texts: Sequence[str]) -> str:
        return "".join([texts[piece] if isinstance(piece, int) else piece for piece in self.pieces])


class BodyPart:
    """One body part: static pieces in their transfer encoding and the values between them."""

    __slots__ = ("_forms", "_order", "_pick", "_statics", "encoding", "head")

    def __init__(self, head: str, encoding: TransferEncoding, pieces: Sequence[str | int]) -> None:
        """``head`` is what stands before the part: delimiter and MIME header. A piece is encoded static text or
        the number of a body value."""
        self.head = head
        self.encoding = encoding
        self._statics = [piece for piece in pieces if isinstance(piece, str)]
        forms = [relaxed(piece) for piece in self._statics]
        self._forms = forms if encoding.finish is None and forms != self._statics else None
        self._order: list[int] = []
        static = 0
        for piece in pieces:
            if isinstance(piece, str):
                self._order.append(static)
                static += 1
            else:
                self._order.append(len(self._statics) + piece)
        # picks every piece in one call; a part without values has nothing to pick
        self._pick = itemgetter(*self._order) if len(self._order) > 1 else None

    def lines(self, values: list[str]) -> Sequence[str]:
        """The part for the wire, in pieces to be joined; ``values`` are the plan's body values in this part's
        encoding."""
        pieces = self._statics if self._pick is None else self._pick(self._statics + values)
        finish = self.encoding.finish
        return pieces if finish is None else (finish("".join(pieces)),)

    @property
    def reformed(self) -> bool:
        """Whether the relaxed form of the static text is another than the text."""
        return self._forms is not None

    def form(self, values: list[str]) -> Sequence[str] | None:
        """As ``lines``, in the relaxed form that is signed; None where that is the same. Right for values that
        are ``is_relaxed``."""
        if self._forms is None:
            return None
        return self._forms if self._pick is None else self._pick(self._forms + values)


class CodePart:
    """One body part that code prints; ``name`` is its name in the script."""

    __slots__ = ("encoding", "head", "name")

    def __init__(self, head: str, encoding: TransferEncoding, name: str) -> None:
        self.head = head
        self.encoding = encoding
        self.name = name


@dataclass(frozen=True, slots=True)
class Fields:
    """The header fields a content decides; ``fixed`` holds those about the body, which never vary:
    its last lines."""

    subject: Line
    from_name: Line
    from_address: Line
    reply_to: Line
    cc: tuple[Line, ...]
    bcc: tuple[Line, ...]
    fixed: str


class Plan:
    """A compiled definition version; ``compose`` is pure, so a retry sends the very same bytes."""

    def __init__(
        self,
        slots: Sequence[Slot],
        body_slots: Sequence[int],
        fields: Fields,
        parts: Sequence[BodyPart | CodePart],
        tail: str,
        script: Script | None = None,
        headers: str = "",
        warnings: Sequence[Problem] = (),
    ) -> None:
        """``body_slots`` lists the slots the parts show, in the numbering of their values; ``tail`` ends the body.
        A message's texts are those of ``script``, then those of ``slots``. ``headers`` are further header fields of
        every message, as lines for the wire; those of one message alone are ``Context.headers``. ``warnings`` is
        what is doubtful in the content it was made from."""
        self.warnings = tuple(warnings)
        self.slots = tuple(slots)
        self.body_slots = tuple(body_slots)
        self.fields = fields
        self.parts = tuple(parts)
        self.tail = tail
        self.script = script
        self._headers = f"{headers}MIME-Version: 1.0\r\n"
        texts_only = [part for part in self.parts if isinstance(part, BodyPart)]
        self._prepared = len(texts_only) == len(self.parts)
        self._reformed = self._prepared and any(part.reformed for part in texts_only)
        self._names = [(slot.name, slot) for slot in self.slots]
        self._needs_links = script is not None or any(slot.name == LINK or slot.name in PAGES for slot in self.slots)
        self._dated = (datetime.min.replace(tzinfo=UTC), "")
        fixed_sender = fields.from_name.fixed and fields.from_address.fixed
        self._fixed_sender = self._sender([]) if fixed_sender else None
        self._fixed_reply = self._reply_to([]) if fields.reply_to.fixed else None

    @property
    def needs_links(self) -> bool:
        """Whether a context must have ``links`` for all that this plan may print."""
        return self._needs_links

    @property
    def asynchronous(self) -> bool:
        """Whether composing has to wait for data extensions, content blocks or HTTP: then use ``compose_async``."""
        return self.script is not None and self.script.asynchronous

    def copies(self, context: Context) -> tuple[str, ...] | None:
        """The cc and bcc recipients of one message, in wire form, without composing it; None where only composing
        tells them, since code prints them. Empty for a message that can't be composed."""
        entries = (*self.fields.cc, *self.fields.bcc)
        if not entries:
            return ()
        printed = 0 if self.script is None else len(self.script.fields)
        if any(isinstance(piece, int) and piece < printed for entry in entries for piece in entry.pieces):
            return None
        texts = [] if all(entry.fixed for entry in entries) else self._resolve(context, [""] * printed)
        if isinstance(texts, NotComposed):
            return ()
        found = _copies("", INVALID_CC_ADDRESS, entries, texts)
        return () if isinstance(found, NotComposed) else tuple(dict.fromkeys(copy.wire for copy in found))

    def compose(self, context: Context, services: Services | None = None) -> Mail | NotComposed:
        """The mail for one message, or why there is none (contract §0.3 codes 102, 103, 104, 110, 111, 127, 132,
        133). ``services`` are what code reaches outside the template."""
        to = _recipient(context)
        if isinstance(to, NotComposed):
            return to
        if self.script is None:
            return self._mail(context, to, [], {}, ())
        printed = self.script.run(context, services)
        if isinstance(printed, NotComposed):
            return printed
        return self._mail(context, to, printed.texts, printed.bodies, printed.files)

    async def compose_async(self, context: Context, services: Services | None = None) -> Mail | NotComposed:
        """As ``compose``, for any plan."""
        if self.script is None:
            return self.compose(context)
        to = _recipient(context)
        if isinstance(to, NotComposed):
            return to
        printed = await self.script.run_async(context, services)
        if isinstance(printed, NotComposed):
            return printed
        return self._mail(context, to, printed.texts, printed.bodies, printed.files)

    def _mail(
        self,
        context: Context,
        to: Address,
        printed: list[str],
        bodies: Mapping[str, Sequence[str]],
        files: Sequence[File],
    ) -> Mail | NotComposed:
        texts = self._resolve(context, printed)
        if isinstance(texts, NotComposed):
            return texts
        subject = field_text(self.fields.subject.render(texts))
        if not subject:
            return NotComposed(EMPTY_SUBJECT, "subject: nothing is left of it for this message")
        sender = self._fixed_sender or self._sender(texts)
        if isinstance(sender, NotComposed):
            return sender
        from_line, from_address = sender
        reply_to = self._fixed_reply or self._reply_to(texts)
        if isinstance(reply_to, NotComposed):
            return reply_to
        reply_line, reply_utf8 = reply_to
        recipients: tuple[str, ...] = (to.wire,)
        smtputf8 = to.smtputf8 or from_address.smtputf8 or reply_utf8
        copy_line = ""
        if self.fields.cc or self.fields.bcc:
            cc = _copies("cc", INVALID_CC_ADDRESS, self.fields.cc, texts)
            if isinstance(cc, NotComposed):
                return cc
            bcc = _copies("bcc", INVALID_BCC_ADDRESS, self.fields.bcc, texts)
            if isinstance(bcc, NotComposed):
                return bcc
            if cc:
                copy_line = f"Cc: {_address_list(cc)}\r\n"
            recipients = tuple(dict.fromkeys((to.wire, *(copy.wire for copy in (*cc, *bcc)))))
            smtputf8 = smtputf8 or any(copy.smtputf8 for copy in (*cc, *bcc))
        header = (
            f"Date: {self._date(context.accepted_at)}\r\n{from_line}To: {to.wire}\r\n{copy_line}{reply_line}"
            f"Subject: {unstructured(subject, 9)}\r\nMessage-ID: <{context.message_id}>\r\n"
            f"{context.headers}{self._headers}"
        )
        fixed = self.fields.fixed
        body, form = self._body(texts, bodies)
        if files:
            fixed, body = mixed(fixed, body, files)
            form = None
        wire = body.encode("ascii")
        # ASCII but for addresses that need SMTPUTF8, whose header is UTF-8 by RFC 6532
        data = f"{header}{fixed}\r\n".encode() + wire
        body_form = wire if form is body else form.encode("ascii") if form is not None else None
        return Mail(from_address.wire, recipients, data, smtputf8, subject, body_form)

    def _date(self, moment: datetime) -> str:
        # the messages of a request were accepted at one moment
        if moment != self._dated[0]:
            self._dated = (moment, date_text(moment))
        return self._dated[1]

    def _resolve(self, context: Context, texts: list[str]) -> list[str] | NotComposed:
        """The texts of the slots after ``texts``, which it takes over."""
        attributes = context.attributes
        for name, slot in self._names:
            value = attributes.get(name, _MISSING)
            if value is _MISSING:
                value = context.profile.get(name, _MISSING)
                if value is _MISSING:
                    value = context.system.get(name)
                    if value is None and slot.fallback is not None:
                        value = slot.fallback(context, texts)
                    if value is None:
                        value = slot.default
                    if value is None:
                        return NotComposed(slot.status_code, f"{slot.part}: no value for {slot.written}")
            texts.append(value if type(value) is str else value_text(value))
        return texts

    def _sender(self, texts: Sequence[str]) -> tuple[str, Address] | NotComposed:
        text = field_text(self.fields.from_address.render(texts))
        address = parse_address(text)
        if address is None:
            reason = f"{_shown(text)} is not a mail address" if text else "no address is set"
            return NotComposed(MESSAGE_BUILD_ERROR, f"from address: {reason}")
        name = field_text(self.fields.from_name.render(texts))
        return f"From: {mailbox(name, address, 6)}\r\n", address

    def _reply_to(self, texts: Sequence[str]) -> tuple[str, bool] | NotComposed:
        text = field_text(self.fields.reply_to.render(texts))
        if not text:
            return "", False
        address = parse_address(text)
        if address is None:
            return NotComposed(MESSAGE_BUILD_ERROR, f"reply-to: {_shown(text)} is not a mail address")
        return f"Reply-To: {address.wire}\r\n", address.smtputf8

    def _body(self, texts: list[str], bodies: Mapping[str, Sequence[str]]) -> tuple[str, str | None]:
        """The body, and what it is in its relaxed form if that is known."""
        shown = [texts[number] for number in self.body_slots]
        lines: list[str] = []
        forms: list[str] = []
        encoding: TransferEncoding | None = None
        values: list[str] = []
        prepared = self._prepared
        for part in self.parts:
            if isinstance(part, CodePart):
                lines.append(part.head)
                finish = part.encoding.finish
                lines.extend(bodies[part.name] if finish is None else (finish("".join(bodies[part.name])),))
                continue
            if part.encoding is not encoding:
                encoding = part.encoding
                values = list(map(encoding.value, shown))
                if prepared and encoding.finish is None:
                    prepared = is_relaxed(values)
            lines.append(part.head)
            found = part.lines(values)
            lines.extend(found)
            if self._reformed:
                forms.append(part.head)
                forms.extend(part.form(values) or found)
        lines.append(self.tail)
        body = "".join(lines)
        if not prepared:
            return body, None
        if not self._reformed:
            return body, body
        forms.append(self.tail)
        return body, "".join(forms)


def _recipient(context: Context) -> Address | NotComposed:
    to = parse_address(context.address)
    if to is None:
        return NotComposed(INVALID_EMAIL_ADDRESS, f"to: {_shown(context.address)} is not a mail address")
    if not is_message_id(context.message_id):
        return NotComposed(
            MESSAGE_BUILD_ERROR, f"message id: {_shown(context.message_id)} is not an id of RFC 5322 §3.6.4"
        )
    return to


def _copies(part: str, status_code: int, entries: Sequence[Line], texts: Sequence[str]) -> list[Address] | NotComposed:
    """The addresses of cc or bcc, several in one value separated by ``;``; an empty value adds none."""
    found: list[Address] = []
    for entry in entries:
        for text in entry.render(texts).split(";"):
            text = text.strip(" \t")
            if not text:
                continue
            address = parse_address(text)
            if address is None:
                return NotComposed(status_code, f"{part}: {_shown(text)} is not a mail address")
            found.append(address)
    return found


def _address_list(addresses: Sequence[Address]) -> str:
    return ",\r\n ".join([address.wire for address in addresses])


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:80]}…")
