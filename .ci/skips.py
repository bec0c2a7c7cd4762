"""Count the skipped tests in JUnit reports: `skips.py ALLOWED REPORT…`.

ALLOWED has a line per reason that may skip a test, as a shell pattern. Exit 1 when a test was skipped for
another one, or when no test ran.
"""

# ruff: noqa: T201 - a report is printed

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree


def main(arguments: Sequence[str]) -> int:
    allowed_file, *reports = map(Path, arguments)
    lines = map(str.strip, allowed_file.read_text().splitlines())
    allowed = [line for line in lines if line and not line.startswith("#")]
    tests, reasons = read(reports)
    unexpected = {
        reason: count
        for reason, count in reasons.items()
        if not any(fnmatchcase(reason, pattern) for pattern in allowed)
    }
    print(f"{reasons.total()} of {tests} tests were skipped, {sum(unexpected.values())} of them unexpectedly")
    for reason, count in reasons.most_common():
        mark = "NOT ALLOWED" if reason in unexpected else "allowed"
        print(f"  {count:4} {mark}: {reason}")
    if not tests:
        print("no test ran")
    return 1 if unexpected or not tests else 0


def read(reports: Sequence[Path]) -> tuple[int, Counter[str]]:
    """The number of tests, and the reasons of those that were skipped. An expected failure is no skip."""
    tests, reasons = 0, Counter[str]()
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
            tests += 1
            for skipped in case.iter("skipped"):
                if skipped.get("type") != "pytest.xfail":
                    reasons[skipped.get("message", "")] += 1
    return tests, reasons


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
