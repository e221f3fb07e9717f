"""What Prometheus reads."""

from postroom.metrics.counts import Counts, label_text
from postroom.metrics.declared import DELIVERY_SECONDS, NOT_SENT, OUTCOMES, VERDICTS
from postroom.metrics.histogram import count_times
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


def test_a_histogram_has_below_each_bound_everything_that_was_as_quick() -> None:
    counts = Counts()
    count_times(counts, DELIVERY_SECONDS, [7.25, -3.0, 0.1, 100_000.0, 0.1004], "small")
    count_times(counts, DELIVERY_SECONDS, [1.5], "batch")
    count_times(counts, DELIVERY_SECONDS, [], "nobody")
    stored = [(metric.name, label_text(metric, values), value) for (metric, values), value in counts.take().items()]
    lines = metrics_text(stored).splitlines()
    at = lines.index("# TYPE postroom_delivery_seconds histogram")
    name = "postroom_delivery_seconds"
    assert lines[at + 1 : at + 18][-2:] == [f'{name}_sum{{lane="batch"}} 1.5', f'{name}_count{{lane="batch"}} 1']
    small = {
        line.split(" ")[0].removeprefix(f'{name}_bucket{{lane="small",le="').removesuffix('"}'): int(line.split(" ")[1])
        for line in lines
        if line.startswith(f'{name}_bucket{{lane="small"')
    }
    assert small == {
        "0.1": 2, "0.25": 3, "0.5": 3, "1": 3, "2.5": 3, "5": 3, "10": 4, "30": 4, "60": 4, "300": 4, "900": 4,
        "3600": 4, "14400": 4, "86400": 4, "+Inf": 5,
    }  # fmt: skip
    assert list(small) == sorted(small, key=float)
    assert f'{name}_sum{{lane="small"}} 100007.45' in lines
    assert f'{name}_count{{lane="small"}} 5' in lines


def test_a_bound_that_is_no_bucket_any_more_counts_for_the_next_above() -> None:
    lines = metrics_text([("postroom_delivery_seconds_bucket", 'lane="small",le="7"', 2)]).splitlines()
    assert 'postroom_delivery_seconds_bucket{lane="small",le="5"} 0' in lines
    assert 'postroom_delivery_seconds_bucket{lane="small",le="10"} 2' in lines
    assert 'postroom_delivery_seconds_count{lane="small"} 2' in lines
