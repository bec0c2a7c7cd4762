"""Count the skipped tests in JUnit reports: `skips.py ALLOWED REPORT…`.

ALLOWED has a line per reason that may skip a test, as a shell pattern. Exit 1 when a test was skipped for
another one, or when no test ran; 2 when a report is missing or cut short, so that there is nothing to judge.
"""

# ruff: noqa: T201 - a report is printed

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

NO_VERDICT = 2


class NoReport(Exception):
    """A report is missing, or cut short; the text says which."""


def main(arguments: Sequence[str]) -> int:
    allowed_file, *reports = map(Path, arguments)
    lines = map(str.strip, allowed_file.read_text().splitlines())
    allowed = [line for line in lines if line and not line.startswith("#")]
    try:
        tests, reasons = read(reports)
    except NoReport as error:
        print(f"no report, so the skipped tests were not counted: {error}")
        return NO_VERDICT
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
    """The number of tests, and the reasons of those that were skipped. An expected failure is no skip.

    Raises NoReport.
    """
    tests, reasons = 0, Counter[str]()
    for report in reports:
        try:
            document = ElementTree.parse(report)  # noqa: S314 - pytest wrote it
        except (OSError, ElementTree.ParseError) as error:
            raise NoReport(f"{report}: {error}") from error
        for case in document.iter("testcase"):
            tests += 1
            for skipped in case.iter("skipped"):
                if skipped.get("type") != "pytest.xfail":
                    reasons[skipped.get("message", "")] += 1
    return tests, reasons


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
