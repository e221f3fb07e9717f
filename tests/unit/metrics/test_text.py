"""What Prometheus reads."""

from postroom.metrics.counts import Counts, label_text
from postroom.metrics.declared import NOT_SENT, OUTCOMES, VERDICTS
from postroom.metrics.text import metrics_text


def test_samples_stand_below_their_declaration_and_what_nobody_declares_is_left_out() -> None:
    lines = metrics_text([(OUTCOMES.name, 'kind="sent"', 5), ("postroom_gone_total", "", 1)]).splitlines()
    at = lines.index("# TYPE postroom_outcomes_total counter")
    assert lines[at - 1].startswith("# HELP postroom_outcomes_total ")
    assert lines[at + 1] == 'postroom_outcomes_total{kind="sent"} 5'
    assert not any("gone" in line for line in lines)


def test_injection_by_the_category_of_a_rule_file_stays_within_its_label() -> None:
    evil = 'x"} 1\npostroom_evil 2\\'
    labels = label_text(VERDICTS, ("smtp", "recipient", "hard", evil))
    assert labels.endswith('category="x\\"} 1\\npostroom_evil 2\\\\"')
    assert "\n" not in labels


def test_what_was_not_written_is_kept_and_added_to() -> None:
    counts = Counts()
    counts.add(OUTCOMES, "sent", by=3)
    taken = counts.take()
    assert counts.take() == {}
    counts.add(OUTCOMES, "sent")
    counts.add(NOT_SENT, "101")
    counts.give_back(taken)
    assert counts.take() == {(OUTCOMES, ("sent",)): 4, (NOT_SENT, ("101",)): 1}
