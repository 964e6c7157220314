"""Files laid out as Canvas lays them out."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from autograder.demo.cast import Role
from autograder.demo.pack import zip_bytes
from autograder.intake.names import slug

FIRST_ATTACHMENT = 9_410_207


def submissions_zip(cast: Sequence[Role]) -> bytes:
    """Make the archive of Canvas' "Download submissions" (``lib/content_zipper.rb``)."""
    entries = {}
    for number, role in enumerate(cast):
        late = "_LATE" if role.late else ""
        start = f"{slug(role.student.name)}{late}_{role.student.id}"
        for index, (name, data) in enumerate(role.files.items()):
            attachment = FIRST_ATTACHMENT + 131 * number + 7 * index
            entries[f"{start}_{attachment}_{name}"] = data
    return zip_bytes(entries)


def gradebook_csv(cast: Sequence[Role], column: str, possible: float) -> bytes:
    """Make the gradebook that Canvas exports (``lib/gradebook_exporter.rb``).

    It has what readers of such files stumble over: a row for manual posting above the points, a
    column of notes, totals that are read only, an excused student and the test student.
    """
    totals = [
        f"{group}{kind}"
        for group in ("Assignments ", "")
        for kind in (
            "Current Score",
            "Unposted Current Score",
            "Final Score",
            "Unposted Final Score",
        )
    ]
    identity = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [
        [*identity, "Notes", "Lab 0: tensors (88120)", column, *totals],
        [""] * 7 + ["Manual Posting"] + [""] * len(totals),
        ["    Points Possible", *[""] * 5, "5", f"{possible:.2f}", *["(read only)"] * len(totals)],
    ]
    for role in sorted(cast, key=lambda role: role.student.name.casefold()):
        one = role.student
        person = [one.name, one.id, one.sis_id, one.login, one.section]
        rows.append([*person, "", role.lab, role.before, *_totals(role.lab, len(totals))])
    test_student = ["Student, Test", "104999", "", "3f1c0b5e9a7d4428b6f0c2d1e8a97b6450cd21fe"]
    rows.append([*test_student, cast[0].student.section, "", "", "", *[""] * len(totals)])
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def _totals(lab: str, width: int) -> list[str]:
    return [f"{float(lab) * 20:.2f}" if lab != "EX" else ""] * width
