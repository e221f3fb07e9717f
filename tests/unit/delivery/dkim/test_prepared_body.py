"""The relaxed form of a body that a plan prepares is the one a verifier makes of the body, whatever the values."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.samples import compose, make_content, make_context
from tests.unit.delivery.dkim.keys import ed25519_key, verified

from postroom.content.model import Mail
from postroom.content.transfer import qp_static, qp_value
from postroom.delivery.dkim.canonical import BodyForm, without_empty_lines_at_end
from postroom.delivery.dkim.signer import Signer

AT = 1790000000
INDENTED = "<table>\n    <tr>\t<td>%%A%%  </td></tr>\n\n  %%B%% %%A%%\n</table>  \n\n\n"
PLAIN = "Hello %%A%%,\n%%B%%\n"

_scraps = [" ", "  ", "\t", "\n", "\r\n", "a", "=", ".", "é", "<p>", "x" * 80, "漢字" * 9]
_text = st.lists(st.sampled_from(_scraps), max_size=30).map("".join)
_template = st.lists(st.sampled_from([*_scraps, "%%A%%", "%%B%%"]), min_size=1, max_size=30).map("".join)


def form_of(mail: Mail) -> bytes:
    return BodyForm().of(mail.data.partition(b"\r\n\r\n")[2])


@settings(max_examples=400)
@given(_template, st.one_of(st.none(), _template), _text, _text)
def test_the_prepared_form_is_the_form_of_the_body(html: str, text: str | None, a: str, b: str) -> None:
    mail = compose(make_content("x", html, text), make_context({"A": a, "B": b}))
    if mail.body_form is not None:
        assert without_empty_lines_at_end(mail.body_form) == form_of(mail)


@settings(max_examples=60)
@given(st.sampled_from([INDENTED, PLAIN, "ご注文の品を%%A%%で発送しました。%%B%%"]), _text, _text)
def test_dkimpy_verifies_what_is_signed_by_the_prepared_form(template: str, a: str, b: str) -> None:
    mail = compose(make_content("x", template), make_context({"A": a, "B": b}))
    assert verified(Signer("example.com", [ed25519_key()]).sign(mail.data, AT, mail.body_form))


def test_ordinary_values_need_no_work_when_the_mail_is_signed() -> None:
    values = {"A": "Anna Meyer", "B": "Calle de la Palma 3, 2º"}
    plain = compose(make_content("x", PLAIN), make_context(values))
    assert plain.body_form == plain.data.partition(b"\r\n\r\n")[2]
    indented = compose(make_content("x", INDENTED, PLAIN), make_context(values))
    assert indented.body_form is not None
    assert b"  " not in indented.body_form
    assert b"  " in indented.data


def test_a_value_that_could_meet_a_blank_with_a_blank_is_left_to_the_signer() -> None:
    assert compose(make_content("x", PLAIN), make_context({"A": " Anna", "B": "b"})).body_form is None
    assert compose(make_content("x", PLAIN), make_context({"A": "Anna  Meyer", "B": "b"})).body_form is None


@given(st.text(st.one_of(st.sampled_from(list(" \t\r\n=a.é")), st.characters()), max_size=100), st.booleans())
def test_no_encoded_line_and_no_value_ends_with_a_blank(text: str, first: bool) -> None:
    for piece in (qp_value(text), qp_static(text, first=first, then="end")):
        assert not any(line.endswith((" ", "\t")) for line in piece.split("\r\n"))
