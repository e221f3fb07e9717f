"""The header fields that every mail of a definition version carries for receivers, beside those its content decides."""

from dataclasses import dataclass

from postroom.catalog.versions import Version
from postroom.content.header import field


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """``feedback_sender`` is the SenderId of Feedback-ID; empty leaves the field out."""

    feedback_sender: str = ""
    auto_submitted: bool = False

    def lines(self, version: Version) -> str:
        """The fields for the wire; the same for all mails of the version, and Feedback-ID for all of the definition.

        Feedback-ID is ``definition:account:transactional:sender``, the four parts that Google counts complaints by.
        Auto-Submitted is RFC 3834 §5: no person wrote the mail, and it answers none.
        """
        lines = ""
        if self.feedback_sender:
            parts = (version.definition_id.hex, str(version.account_id), "transactional", self.feedback_sender)
            lines += field("Feedback-ID", ":".join(parts))
        if self.auto_submitted:
            lines += field("Auto-Submitted", "auto-generated")
        return lines


NO_HEADERS = MailHeaders()
