"""Compose: median microseconds for one personal mail of about 10 KB, beside the standard library's EmailMessage.

    python benchmarks/compose.py [--json] [--rounds N]

The mail has an HTML and a text part, 12 distinct values shown 16 times in the bodies, a personal subject, and
attributes that differ from message to message. EmailMessage gets bodies that are already personalised, so its
figure is MIME alone. One core, one process; rounds alternate between the two.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from postroom.content.compiler import compile_content
from postroom.content.model import Content, Context, Mail

NAMES = (
    "FirstName", "LastName", "OrderNumber", "OrderDate", "Total", "Currency",
    "Carrier", "TrackingNumber", "Street", "City", "PostalCode", "Country",
)  # fmt: skip
PEOPLE = (
    ("Anna", "Meyer", "Lindenstr. 12", "Hamburg"),
    ("José", "Nuñez Ibáñez", "Calle de la Palma 3, 2º", "Málaga"),
    ("Emily", "O'Connor-Smith", "221b Baker Street", "London"),
    ("太郎", "山田", "千代田区千代田1-1", "東京"),
    ("John", "Doe", "1600 Pennsylvania Avenue NW", "Washington"),
    ("Maria", "Rossi", "Via Roma 1", "Torino"),
    ("Lukas", "Weber", "Hauptplatz 7", "Linz"),
    ("Sofia", "Papadopoulou", "Ermou 25", "Athens"),
)


def content() -> Content:
    """An order mail of about 8 KB of HTML and 1.5 KB of text."""
    row = (
        '<tr><td style="padding:8px 12px;border-bottom:1px solid #e4e4e4;font-family:Arial,sans-serif">\n'
        "Thank you for shopping with us. Your parcel is on its way and can be followed online.\n</td></tr>\n"
    )
    first, second = NAMES[:6], NAMES[6:]
    html = (
        '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"><title>Order</title></head>\n<body bgcolor="#fff">\n'
        "<table>\n" + row * 12 + "".join(f"<tr><td>{name}: <b>%%{name}%%</b></td></tr>\n" for name in first)
        + row * 14 + "".join(f"<tr><td>{name}: <b>%%{name}%%</b></td></tr>\n" for name in second)
        + row * 12 + "</table>\n</body>\n</html>\n"
    )  # fmt: skip
    text = (
        "Hello %%FirstName%% %%LastName%%,\n\n"
        + "your parcel has left our warehouse and is on its way to you now.\n" * 12
        + "\nOrder %%OrderNumber%%, %%Total%% in all.\n\nYour shop\n"
    )
    return Content(
        subject="Your order %%OrderNumber%% is on its way, %%FirstName%%",
        html=html,
        text=text,
        preheader="Follow your parcel",
        from_name="Order service",
        from_address="orders@shop.example.com",
        reply_to="service@shop.example.com",
    )


def contexts(count: int) -> list[Context]:
    accepted_at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    made = []
    for number in range(count):
        first, last, street, city = PEOPLE[number % len(PEOPLE)]
        values = (
            first, last, f"A-{100000 + number}", "11/23/2026", f"{number % 500}.95", "EUR",
            "DHL", f"JD0146000{number:08d}", street, city, f"{10000 + number}", "Germany",
        )  # fmt: skip
        attributes = {name.casefold(): value for name, value in zip(NAMES, values, strict=True)}
        made.append(
            Context(
                address=f"person.{number}@mail{number % 50}.example.com",
                contact_key=f"c{number}",
                message_key=f"m{number}",
                attributes=attributes,
                profile={},
                system={},
                accepted_at=accepted_at,
                message_id=f"018f{number:08d}.1@shop.example.com",
            )
        )
    return made


def stdlib_mail(html: str, text: str, context: Context) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Date"] = context.accepted_at
    message["From"] = "Order service <orders@shop.example.com>"
    message["To"] = context.address
    message["Subject"] = f"Your order {context.attributes['ordernumber']} is on its way"
    message["Message-ID"] = f"<{context.message_id}>"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


def microseconds(work: Callable[[Context], object], batch: Sequence[Context]) -> float:
    begin = time.process_time()
    for context in batch:
        work(context)
    return (time.process_time() - begin) / len(batch) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="Median time to compose one mail of about 10 KB")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=25, help="rounds of 1,000 mails (default 25)")
    options = parser.parse_args()
    source = content()
    begin = time.process_time()
    plan = compile_content(source)
    compile_ms = (time.process_time() - begin) * 1e3
    batch = contexts(1000)
    sizes = []
    for context in batch:
        mail = plan.compose(context)
        if not isinstance(mail, Mail):
            raise SystemExit(f"not composed: {mail.reason}")
        sizes.append(len(mail.data))
    html, text = source.html or "", source.text or ""
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(microseconds(plan.compose, batch))
        theirs.append(microseconds(lambda context: stdlib_mail(html, text, context), batch[:8]))
    figures = {
        "bytes": round(statistics.median(sizes)),
        "compile_ms": round(compile_ms, 2),
        "compose_us": round(statistics.median(ours), 2),
        "compose_us_best": round(min(ours), 2),
        "stdlib_us": round(statistics.median(theirs), 1),
        "ratio": round(statistics.median(theirs) / statistics.median(ours), 1),
    }
    if options.json:
        print(json.dumps(figures))
        return
    print(f"mail size          {figures['bytes']:>10,} bytes")
    print(f"compile once       {figures['compile_ms']:>10.2f} ms")
    print(f"compose            {figures['compose_us']:>10.2f} us (median; best {figures['compose_us_best']:.2f})")
    print(f"EmailMessage       {figures['stdlib_us']:>10.1f} us, {figures['ratio']:.0f} times as long")


if __name__ == "__main__":
    main()
