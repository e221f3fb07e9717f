"""Every metric: name, labels, and what it counts. The page docs/metrics.md is generated from this table."""

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """``values`` says what each label can be, in the order of the labels; ``buckets`` are the upper bounds of a
    histogram's."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    sentence: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


ACCEPTED = Metric("postroom_accepted_total", "counter", "Messages committed by requests that were answered 202.")
OUTCOMES = Metric(
    "postroom_outcomes_total",
    "counter",
    "Outcomes of messages as they are written to the event log.",
    ("kind",),
    ("`sent`, `not_sent`, `deferred` (to be tried again), `unknown` (no answer after the final dot)",),
)
NOT_SENT = Metric(
    "postroom_not_sent_total",
    "counter",
    "Messages that ended as not sent.",
    ("status_code",),
    ("a number of [statuses](statuses.md)",),
)
VERDICTS = Metric(
    "postroom_verdicts_total",
    "counter",
    "Verdicts on refusals and bounces, one for each message that is over or bounced.",
    ("source", "fault", "permanence", "category"),
    (
        "`smtp` (refused at once, or too old after its last attempt), `report` (a bounce)",
        "`recipient`, `sender`, `policy`, `infrastructure`",
        "`hard`, `soft`, `block`, `technical`",
        "a category of the rule file ([bounces](bounces.md))",
    ),
)
REPORTS = Metric(
    "postroom_bounce_mails_total",
    "counter",
    "Mails that came to the server for bounces and complaints, by what became of them.",
    ("kind", "result"),
    (
        "`bounce`, `complaint`, `other` (no report: vacation notes, replies, delays)",
        "`recorded`, `known` (reported before), `unknown-message` (kept no more), `unmatched` (names no mail of this "
        "server), `ignored` (no report), `failed` (the sender comes again)",
    ),
)
REFUSED_RECIPIENTS = Metric(
    "postroom_bounce_recipients_refused_total",
    "counter",
    "Recipients refused by the server for bounces.",
    ("reason",),
    ("`forged` (a return path that this server did not sign), `address`, `domain` (not of this server)",),
)
SUPPRESSED_MESSAGES = Metric(
    "postroom_suppressed_messages_total",
    "counter",
    "Messages not sent because their address is suppressed. It is looked at when a message is sent, not when it is "
    "accepted.",
    ("cause",),
    ("a cause of [suppression](suppression.md)",),
)
SUPPRESSED_COPIES = Metric(
    "postroom_suppressed_copies_total",
    "counter",
    "Copies (cc, bcc) left out because their address is suppressed, at each attempt.",
    ("cause",),
    ("the same",),
)
SUPPRESSING = Metric(
    "postroom_suppressing_total",
    "counter",
    "What refusals, bounces and complaints meant for an address.",
    ("consequence",),
    ("`bounce` and `complaint` (suppressed with that cause), `soft-bounce` (counted)",),
)
TLS_REPORTS = Metric(
    "postroom_tls_reports_total",
    "counter",
    "Reports of TLS that were due (RFC 8460), by what came of each attempt.",
    ("outcome",),
    ("`sent`, `not-asked` (the domain wants none), `waiting` (to be tried again), `failed` (given up)",),
)
SUPPRESSIONS = Metric(
    "postroom_suppressions",
    "gauge",
    "Suppressions that are stored, looked at every five minutes at the most.",
    ("cause", "state"),
    ("a cause of suppression", "`in-force`, `expired`"),
)
QUEUE = Metric(
    "postroom_queue_messages",
    "gauge",
    "Messages in slices of the queue. Of a slice that is being sent, those already sent count until it is over.",
    ("state",),
    ("`due`, `leased` (with a delivery process), `waiting` (for its next attempt), `held` (for a decision)",),
)
QUEUE_OLDEST = Metric(
    "postroom_queue_oldest_seconds",
    "gauge",
    "How long ago the oldest message was accepted that is still in the queue and not held. Of the 20 definitions that "
    "have the oldest, active ones first, and of the 20 that have most.",
    ("mid", "definition"),
    ("the business unit", "a definition's key"),
)
QUEUE_DEFINITION = Metric(
    "postroom_queue_definition_messages",
    "gauge",
    "Messages of a definition in slices of the queue, held ones too. Of the same definitions.",
    ("mid", "definition"),
    ("the same", "the same"),
)
DELIVERY_SECONDS = Metric(
    "postroom_delivery_seconds",
    "histogram",
    "Time from a message's accept to the 250 of its receiver or relay, of messages that were sent. Whatever held a "
    "message up is in it: retries, pauses, slow sites.",
    ("lane",),
    ("`small` (requests of up to ten recipients, such as one-time codes), `batch`",),
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400),
)
PUT_OFFS = Metric(
    "postroom_put_offs_total",
    "counter",
    "Messages that a delivery process gave back to the queue without an attempt, each time.",
    ("reason",),
    (
        "`siteBusy` (more waits for the site than goes there), `dns`, `tooManySites`, `copies`, `relayAway`, `warmUp`, "
        "`database`",
    ),
)
REFUSALS = Metric(
    "postroom_database_refusals_total",
    "counter",
    "What the database refused on the way of a message and no waiting mends; the log says what to do.",
    ("where", "meaning"),
    (
        "`claim`, `load`, `settle`",
        "`value` (one message's rows: it ends, and the others go on), `setup` (a statement, a table or a right: work "
        "is put off until somebody mends it)",
    ),
)
SITE_MESSAGES = Metric(
    "postroom_site_messages",
    "gauge",
    "Messages that delivery processes have in hand for a busy site, at most five seconds ago. Of each process the 100 "
    "sites that have most.",
    ("site", "state"),
    (
        "one of its hosts, or a relay; empty for messages whose hosts are being looked up in the DNS",
        "`waiting` (for a connection), `under-way`",
    ),
)
SITE_PACE = Metric(
    "postroom_site_per_minute",
    "gauge",
    "Messages a minute that a busy site has shown itself to take. Nothing before it had to work for 5 s.",
    ("site",),
    ("the same",),
)
SITE_NEXT_TURN = Metric(
    "postroom_site_next_turn_seconds",
    "gauge",
    "Seconds until the last message comes again that was given back because more waits for a site than goes there.",
    ("site",),
    ("the same",),
)

METRICS = (
    ACCEPTED,
    QUEUE,
    QUEUE_OLDEST,
    QUEUE_DEFINITION,
    DELIVERY_SECONDS,
    OUTCOMES,
    NOT_SENT,
    VERDICTS,
    REPORTS,
    REFUSED_RECIPIENTS,
    SUPPRESSED_MESSAGES,
    SUPPRESSED_COPIES,
    SUPPRESSING,
    SUPPRESSIONS,
    PUT_OFFS,
    REFUSALS,
    SITE_MESSAGES,
    SITE_PACE,
    SITE_NEXT_TURN,
    TLS_REPORTS,
)
