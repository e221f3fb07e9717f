"""The facts without which a figure means nothing: machine, versions, commit, and what else was running."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


def machine_facts() -> dict[str, str | int | float]:
    """Cores, processor, memory in GiB, kernel, Python, Postfix, commit, and the load average of the last minute."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu_model(Path("/proc/cpuinfo").read_text()),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
        "postfix": said(["/usr/sbin/postconf", "-dh", "mail_version"]) or "not installed",
        "commit": said(["git", "describe", "--always", "--dirty", "--abbrev=12"]) or "unknown",
        "load_before": round(os.getloadavg()[0], 2),
    }


def cpu_model(cpuinfo: str) -> str:
    """The processor's name out of /proc/cpuinfo; on Arm, where there is none, its part number."""
    for field in ("model name", "Model", "CPU part"):
        if match := re.search(rf"^{field}\s*:\s*(.+)$", cpuinfo, re.MULTILINE):
            return match[1].strip()
    return platform.machine()


def result_name(facts: dict[str, str | int | float], at: datetime) -> str:
    """A file name that says when and on what kind of machine: 20261123-0930-2-cores-intel-xeon.json."""
    words = re.sub(r"\(.*?\)|\bcpu\b|\bprocessor\b|@.*", " ", str(facts["cpu"]).lower())
    short = "-".join(re.findall(r"[a-z0-9]+", words)[:4])
    return f"{at:%Y%m%d-%H%M}-{facts['cores']}-cores-{short}.json"


def said(command: Sequence[str]) -> str:
    """What a program prints, or nothing when it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
