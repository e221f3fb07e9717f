"""Definitions whose mails have little in common, for what has to hold of every mail."""

from postroom.catalog.sending_options import SendingOptions
from postroom.content.model import Content, File

_PDF = File("Größe & Preise – 2026.pdf", "application/pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40)
_NOTHING = File("empty.txt", "text/plain", b"")
_LOGO = File("logo.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(0, 256, 3)) * 20, "logo@shop.example")

_AWKWARD = ".\n..\n.dot\nFrom here on  \n\tindented, \t wide \t\n \n\t\n" + "x" * 3_000 + "\n" + "=" * 80 + "\n\n\n"
_HTML = (
    '<html><body>\n<h1>%%Name%%</h1> \n<p><a href="https://shop.exim.test/a?b=1&amp;c=%%Name%%">go</a>'
    '<a href="%%unsub_center_url%%">leave</a></p>\n</body></html>'
)


def _content(
    subject: str = "Your order %%Name%%",
    *,
    html: str | None = None,
    text: str | None = None,
    from_name: str = "Shop",
    reply_to: str = "",
    preheader: str = "",
    cc: tuple[str, ...] = (),
    files: tuple[File, ...] = (),
) -> Content:
    return Content(
        subject=subject,
        html=html,
        text=text,
        from_name=from_name,
        from_address="shop@exim.test",
        reply_to=reply_to,
        preheader=preheader,
        cc=cc,
        files=files,
    )


LISTED = SendingOptions(list_unsubscribe=True)

DEFINITIONS: dict[str, tuple[Content, SendingOptions]] = {
    "short": (_content(text="Hello %%Name%%"), SendingOptions()),
    "awkward": (_content(text=_AWKWARD), SendingOptions()),
    "foreign": (
        _content("Grüße an %%Name%% 蓮 👟 " * 8, text="Äpfel für %%Name%%\n" * 40, from_name="Bücher & Größen " * 6),
        LISTED,
    ),
    "folded": (
        _content(
            "order " * 90 + "%%Name%%",
            text="a\n",
            from_name='The "Shop", Ltd. ' * 5,
            reply_to="replies+" + "r" * 50 + "@exim.test",
            cc=tuple(f"copy-{number}-{'c' * 40}@exim.test" for number in range(3)),
        ),
        SendingOptions(),
    ),
    "both": (_content(html=_HTML, text="Hello %%Name%%\n", preheader="Schön %%Name%%"), LISTED),
    "derived": (_content(html=_HTML * 30), LISTED),
    "files": (_content(html='<img src="cid:logo@shop.example">', text="a", files=(_PDF, _NOTHING, _LOGO)), LISTED),
    "file": (_content(text="See the file.", files=(_NOTHING,)), SendingOptions()),
    "no-text": (_content(html="<p>%%Name%%</p>", text=""), LISTED),
    "blank": (_content(text="\n"), SendingOptions()),
    "blanks": (_content(text=" \t \n\n \n"), SendingOptions()),
    "only-name": (_content(text="%%Name%%"), SendingOptions()),
    "large": (_content(text="Zeile mit Umlauten: äöü %%Name%%\n" * 400), SendingOptions()),
}

NAMES = (
    "",
    "Ann",
    "Jürgen Größe",
    "蓮" * 60,
    "ends with blanks   ",
    ".starts with a dot\n.and so again\n",
    "שלום\u202e 👩‍👩‍👧",
    'a=b; c="d" <e@f> \\ %40',
)
