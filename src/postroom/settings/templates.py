"""How templates are read, and what one message's template may use up."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from postroom.settings.option import KiB, MiB, doc

YesNo: TypeAlias = Literal["no", "yes"]


@dataclass(frozen=True, kw_only=True)
class TemplateSettings:
    """Templates."""

    missing_name: Annotated[
        Literal["fail", "empty", "keep"],
        doc(
            "What a personalization string without a value does: `fail` the message, stay `empty`, or `keep` "
            "the string as it stands."
        ),
    ] = "fail"

    template_source: Annotated[
        int, doc("Longest template: one part, or one content block.", unit="characters", ge=KiB, le=50_000_000)
    ] = 5_000_000
    template_nodes: Annotated[
        int,
        doc("Most statements, values and calls of one template.", unit="statements", ge=100, le=1_000_000),
    ] = 100_000
    template_nesting: Annotated[
        int,
        doc("How deep statements stand within statements, and expressions in expressions.", unit="levels", ge=5, le=50),
    ] = 50
    template_loop_nesting: Annotated[int, doc("How deep loops stand within loops.", unit="levels", ge=1, le=15)] = 15
    template_steps: Annotated[
        int,
        doc(
            "Most loop iterations of one message, all loops together; more fail it with StepLimit.",
            unit="iterations",
            ge=1,
            le=10_000_000,
        ),
    ] = 100_000
    template_output: Annotated[
        int,
        doc(
            "Most characters one message may print, all parts together; more fail it with OutputLimit.",
            unit="characters",
            ge=KiB,
            le=100_000_000,
        ),
    ] = 10_000_000
    template_text: Annotated[
        int,
        doc(
            "Longest single value a template may build; a longer one fails the message with TextLimit.",
            unit="characters",
            ge=KiB,
            le=50_000_000,
        ),
    ] = 5_000_000
    template_blocks: Annotated[
        int,
        doc(
            "Most content blocks and TreatAsContent calls of one message; more fail it with BlockLimit.",
            unit="blocks",
            ge=0,
            le=10_000,
        ),
    ] = 200
    template_block_depth: Annotated[
        int,
        doc(
            "How deep content blocks stand within content blocks; deeper fails the message with BlockDepthLimit.",
            unit="levels",
            ge=1,
            le=20,
        ),
    ] = 20
    template_lookups: Annotated[
        int,
        doc(
            "Most reads of data extensions by one message; more fail it with LookupLimit.",
            unit="reads",
            ge=0,
            le=10_000,
        ),
    ] = 200
    template_writes: Annotated[
        int,
        doc(
            "Most writes to data extensions by one message; more fail it with WriteLimit.",
            unit="writes",
            ge=0,
            le=10_000,
        ),
    ] = 100
    template_rows: Annotated[
        int,
        doc("Most rows of one rowset; those beyond are left out, as the vendor does.", unit="rows", ge=1, le=2_000),
    ] = 2_000
    template_http: Annotated[
        int,
        doc("Most HTTP requests of one message; more fail it with HttpLimit.", unit="requests", ge=0, le=100),
    ] = 5
    template_http_hosts: Annotated[
        str,
        doc(
            "Hosts that HTTPGet, the HTTPPost functions and AttachFile may reach when a message is sent, separated by "
            "commas: `api.example.com` on the usual ports, `api.example.com:8443` on that one. Templates of every "
            "business unit may. Empty turns these functions off.",
            unit="hosts",
        ),
    ] = ""
    template_http_private: Annotated[
        YesNo,
        doc(
            "Whether those hosts may have private addresses. Whoever writes templates then reads what these servers "
            "answer."
        ),
    ] = "no"
    template_http_seconds: Annotated[
        float,
        doc(
            "How long one HTTP request of a template may take, redirects included. Waiting for its turn is not: "
            "a delivery process makes 40 requests to one host at a time.",
            unit="seconds",
            gt=0,
            le=60,
        ),
    ] = 5.0
    template_http_bytes: Annotated[
        int,
        doc(
            "Longest answer to one HTTP request of a template; a longer one has failed.",
            unit="bytes",
            ge=KiB,
            le=100 * MiB,
        ),
    ] = 1_000_000
    template_attachments: Annotated[
        int,
        doc("Most files one message attaches; more fail it with AttachmentLimit.", unit="files", ge=0, le=100),
    ] = 10
    template_attached_bytes: Annotated[
        int,
        doc("Most bytes of all files attached to one message.", unit="bytes", ge=KiB, le=100 * MiB),
    ] = 10_000_000
    template_seconds: Annotated[
        float,
        doc(
            "How long the template of one message may run, what it waits for left out; a longer one fails it with "
            "TimeLimit.",
            unit="seconds",
            gt=0,
            le=60,
        ),
    ] = 5.0
    template_pattern_seconds: Annotated[
        float,
        doc(
            "How long one regular expression, XPath or JSONPath may run; a longer one fails the message.",
            unit="seconds",
            gt=0,
            le=10,
        ),
    ] = 0.2

    template_null_when_unset: Annotated[
        YesNo, doc("Whether IsNull is true of a variable that was never set (contested; so is all that follows).")
    ] = "no"
    template_null_default: Annotated[YesNo, doc("Whether IsNullDefault gives its default outside of forms.")] = "no"
    template_digits_start_words: Annotated[
        YesNo, doc("Whether ProperCase takes a letter after a digit for the first of a word.")
    ] = "no"
    template_blank_booleans: Annotated[
        YesNo, doc("Whether a literal `true` or `false` in a string function prints nothing.")
    ] = "yes"
    template_and_before_or: Annotated[
        YesNo, doc("Whether AND binds tighter than OR; else both bind alike, from left to right.")
    ] = "no"
    template_hour_24: Annotated[YesNo, doc("Whether DatePart counts hours to 24 rather than to 12.")] = "no"
    template_offset_in_round_trip: Annotated[
        YesNo, doc("Whether FormatDate ends its round-trip form (`o`) with the offset.")
    ] = "no"
    template_rowset_flag_raises: Annotated[
        YesNo,
        doc("Whether the flag 1 of BuildRowSetFromXML and -JSON raises an error; else it gives an empty rowset."),
    ] = "no"
    template_lenient_markup: Annotated[
        YesNo,
        doc("Whether entities are decoded and tags dropped in blocks, outside strings; else they are mistakes."),
    ] = "no"
    template_repair_keywords: Annotated[
        YesNo, doc("Whether keywords that stick to a call are parted: `ELSEInsertDE(` as `ELSE InsertDE(`.")
    ] = "no"
    template_escape_html: Annotated[
        YesNo,
        doc(
            "Whether values are HTML-escaped where HTML parts print them. The vendor's are not, and templates rely "
            "on it."
        ),
    ] = "no"
    template_guide_language: Annotated[
        YesNo, doc("Whether `{{…}}` is read as the Guide Template Language; else it is text.")
    ] = "yes"
