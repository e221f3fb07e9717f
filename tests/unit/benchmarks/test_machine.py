"""The facts about the machine."""

from datetime import UTC, datetime

import pytest
from benchmarks.machine import cpu_model, machine_facts, result_name, said

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def test_the_processor_is_named_on_intel_and_arm() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: AMD EPYC 9B14\nflags\t: fpu\n") == "AMD EPYC 9B14"
    assert cpu_model("processor\t: 0\nCPU part\t: 0xd0c\n") == "0xd0c"
    assert cpu_model("") != ""


@pytest.mark.parametrize(
    ("cpu", "name"),
    [
        ("AMD EPYC", "20261123-0930-2-cores-amd-epyc.json"),
        ("Intel(R) Xeon(R) Processor @ 2.60GHz", "20261123-0930-2-cores-intel-xeon.json"),
    ],
)
def test_a_result_is_named_after_time_and_machine(cpu: str, name: str) -> None:
    assert result_name({"cores": 2, "cpu": cpu}, AT) == name


def test_a_missing_program_says_nothing() -> None:
    assert said(["/nonexistent/program"]) == ""
    assert said(["false"]) == ""


def test_all_facts_are_there() -> None:
    facts = machine_facts()
    assert facts.keys() >= {"cores", "cpu", "memory_gib", "kernel", "python", "postfix", "commit", "load_before"}
    assert int(facts["cores"]) >= 1
