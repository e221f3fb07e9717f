"""AMPscript: median microseconds from a message's attributes to the bytes of its mail, beside Jinja2 and minijinja.

    python -m benchmarks.ampscript [--json] [--rounds N]

The template is a typical order mail of about 6 KB of HTML: twelve values, two IFs, one loop of five rows. Ours gives a
whole mail (header, quoted-printable HTML part, ready for SMTP); the other two render the equivalent HTML and stop
there, from the same values as Python objects. One core, one process, rounds alternate.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import jinja2
import minijinja

from postroom.content.ampscript.engine import Engine
from postroom.content.compiler import compile_content
from postroom.content.model import Content, Context, Mail

ROWS = (("Coffee beans, 1 kg", 2, "34.90"), ("Filter papers", 1, "4.50"), ("Kettle", 1, "59.00"),
        ("Grinder brush", 3, "2.95"), ("Mug, blue", 6, "7.25"))  # fmt: skip
FILLER = (
    '<tr><td style="padding:8px 12px;border-bottom:1px solid #e4e4e4;font-family:Arial,sans-serif;font-size:14px">\n'
    "Thank you for shopping with us. Your parcel is on its way and can be followed online at any time.\n</td></tr>\n"
)
HEAD = (
    '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"><title>Order</title></head>\n<body bgcolor="#ffffff">\n'
    '<table role="presentation" width="600">\n'
)
TAIL = "</table>\n</body>\n</html>\n"


def ampscript_template() -> str:
    return (
        "%%[\nVAR @rows, @row, @i, @name\nSET @name = ProperCase(FirstName)\n"
        'SET @rows = BuildRowSetFromString(Items, ";")\n]%%'
        + HEAD + FILLER * 8
        + "<tr><td>Dear %%=v(@name)=%% %%LastName%%, order %%OrderNumber%% of %%OrderDate%%</td></tr>\n"
        + '%%[ IF Tier == "gold" THEN ]%%<tr><td>Your gold discount: %%Discount%%</td></tr>\n%%[ ENDIF ]%%'
        + "%%[ FOR @i = 1 TO RowCount(@rows) DO\n"
        "SET @row = Field(Row(@rows, @i), 1) ]%%<tr><td>%%=v(@i)=%%.</td><td>%%=v(@row)=%%</td></tr>\n%%[ NEXT @i ]%%"
        + "<tr><td>Total %%Total%% %%Currency%%</td></tr>\n" + FILLER * 8
        + "%%[ IF NOT Empty(Tracking) THEN ]%%<tr><td>%%Carrier%%: %%Tracking%%</td></tr>\n"
        "%%[ ELSE ]%%<tr><td>We write again when it leaves.</td></tr>\n%%[ ENDIF ]%%"
        + FILLER * 8 + "<tr><td>%%Street%%, %%City%%</td></tr>\n" + TAIL
    )  # fmt: skip


def jinja_template() -> str:
    return (
        HEAD + FILLER * 8
        + "<tr><td>Dear {{ firstname|title }} {{ lastname }}, order {{ ordernumber }} of {{ orderdate }}</td></tr>\n"
        + '{% if tier == "gold" %}<tr><td>Your gold discount: {{ discount }}</td></tr>\n{% endif %}'
        + "{% for row in items.split(';') %}<tr><td>{{ loop.index }}.</td><td>{{ row }}</td></tr>\n{% endfor %}"
        + "<tr><td>Total {{ total }} {{ currency }}</td></tr>\n" + FILLER * 8
        + "{% if tracking %}<tr><td>{{ carrier }}: {{ tracking }}</td></tr>\n"
        "{% else %}<tr><td>We write again when it leaves.</td></tr>\n{% endif %}"
        + FILLER * 8 + "<tr><td>{{ street }}, {{ city }}</td></tr>\n" + TAIL
    )  # fmt: skip


def contexts(count: int) -> list[Context]:
    made = []
    for number in range(count):
        attributes: dict[str, object] = {
            "firstname": ("anna", "josé", "emily", "lukas")[number % 4],
            "lastname": ("Meyer", "Nuñez Ibáñez", "O'Connor-Smith", "Weber")[number % 4],
            "ordernumber": f"A-{100000 + number}",
            "orderdate": "11/23/2026",
            "tier": ("gold", "silver")[number % 2],
            "discount": "10%",
            "items": ";".join(f"{quantity} x {name}, {price}" for name, quantity, price in ROWS),
            "total": f"{number % 500}.95",
            "currency": "EUR",
            "carrier": "DHL",
            "tracking": f"JD0146000{number:08d}",
            "street": "Lindenstr. 12",
            "city": ("Hamburg", "Málaga", "London", "Linz")[number % 4],
        }
        made.append(
            Context(
                address=f"person.{number}@mail{number % 50}.example.com",
                contact_key=f"c{number}",
                message_key=f"m{number}",
                attributes=attributes,
                profile={},
                system={},
                accepted_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
                message_id=f"018f{number:08d}.1@shop.example.com",
            )
        )
    return made


def microseconds(work: Callable[[Context], object], batch: Sequence[Context]) -> float:
    begin = time.process_time()
    for context in batch:
        work(context)
    return (time.process_time() - begin) / len(batch) * 1e6


def compiling(content: Content, engine: Engine) -> float:
    """Median milliseconds of compiling ``content``."""
    found = []
    for _ in range(9):
        begin = time.process_time()
        compile_content(content, engine=engine)
        found.append((time.process_time() - begin) * 1e3)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Median time to compose one AMPscript mail of about 6 KB")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of 1,000 mails (default 15)")
    options = parser.parse_args()
    source = ampscript_template()
    content = Content("Your order %%OrderNumber%%, %%FirstName%%", source, None, from_address="orders@example.com")
    engine = Engine()
    plan = compile_content(content, engine=engine)
    large = "".join(source.replace("@", f"@x{number}") for number in range(100_000 // len(source)))
    compile_ms = compiling(content, engine)
    large_ms = compiling(Content("s", large, None, from_address="orders@example.com"), engine)
    batch = contexts(1000)
    mail = plan.compose(batch[0])
    if not isinstance(mail, Mail):
        raise SystemExit(f"not composed: {mail.reason}")
    jinja = jinja2.Environment(autoescape=False).from_string(jinja_template())
    mini = minijinja.Environment(templates={"order": jinja_template()})
    mini.auto_escape_callback = lambda name: False
    works: dict[str, Callable[[Context], object]] = {
        "postroom_mail": plan.compose,
        "jinja2_html": lambda context: jinja.render(context.attributes).encode(),
        "minijinja_html": lambda context: mini.render_template("order", **context.attributes).encode(),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.rounds):
        for name, work in works.items():
            times[name].append(microseconds(work, batch))
    figures: dict[str, float] = {f"{name}_us": round(statistics.median(found), 1) for name, found in times.items()}
    figures |= {
        "template_kb": round(len(source) / 1000, 1),
        "mail_kb": round(len(mail.data) / 1000, 1),
        "compile_ms": round(compile_ms, 1),
        "compile_100kb_ms": round(large_ms, 1),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value:10,.1f}")


if __name__ == "__main__":
    main()
