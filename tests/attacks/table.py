"""Runs every attack against this grader and against otter's own, and writes docs/attacks.md.

Everything in the file is measured by the run that writes it.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import otter_run
from harness import (
    CANARIES,
    MEMORY_BOUND_MB,
    PROJECT,
    TARGET,
    Attack,
    Finding,
    Grader,
    check,
    corpus,
    left_out,
    listed,
    load,
    outputs,
    reached,
    shown,
)

OUT = PROJECT / "docs" / "attacks.md"
HEAD = """# What attacks get

Written by `make attacks` on {date}: {cores} cores, Python {python}, Linux {kernel}, isolation
level {isolation}, otter-grader {otter}. Sealed grading is shown here rather than argued: every
line is a submission that lies in `tests/attacks/corpus/`, handed in between two honest ones and
graded by the ordinary command.

After each of them it is checked that

- **I1** it earned no more than the plain wrong submission, {wrong:g} of {possible:g} points;
- **I2** no secret that was planted (in hidden tests, reference, labels, course secret, roster,
  environment, home, other notebooks) is in anything a student sees or room S wrote;
- **I3** the honest submissions before and after it got their full {possible:g} points;
- **I4** processes, cgroups, mounts, files, shared memory, descriptors and packages are as before;
- **I5** the supervisor grew by at most {memory} MiB and stayed within the time limits;
- **I6** the fault was called the student's.

{held} of {ran} files held, of {numbers} attacks. The last column is `otter run` (otter's own
grader, without containers) on the same notebook: *falls* means more points than the plain wrong
submission earned there ({otter_wrong}), *leaks* that something planted came out.

| | attack | tries | here | s | held | `otter run` |
|--:|---|---|---|--:|---|---|
"""


@dataclass(frozen=True)
class Row:
    """What one file of the corpus came to."""

    attack: Attack
    finding: Finding | None
    otter: str


@click.command()
@click.option("--otter/--no-otter", "with_otter", default=True, help="Run otter's own grader too.")
@click.option("--only", multiple=True, type=int, help="Only the attacks of this number.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(with_otter: bool, only: tuple[int, ...], out: Path) -> None:
    """Run the attacks and write the table."""
    attacks = [load(path) for path in corpus()]
    chosen = [one for one in attacks if not only or one.number in only]
    with Grader() as grader:
        otter = Otter(grader) if with_otter else None
        rows = [_row(attack, grader, otter) for attack in chosen]
        out.write_text(_page(rows, grader, otter))
    broken = [row.attack.id for row in rows if row.finding and row.finding.violations]
    print(f"{out}: {len(rows)} attacks, {len(broken)} got what they must not {broken}")
    sys.exit(bool(broken))


class Otter:
    """Otter's own grader, and what the plain wrong submission gets from it."""

    def __init__(self, grader: Grader) -> None:
        self._zip = grader.bundle.otter_zip
        wrong = self._run({"target.ipynb": (TARGET / "wrong.ipynb").read_bytes()})
        self.wrong = wrong.score
        self._shown = shown(outputs(wrong.executed))

    def verdict(self, attack: Attack) -> str:
        """What it made of an attack, in a few words."""
        if attack.otter != "run":
            return f"not run: {attack.otter}"
        ran = self._run(attack.submission())
        text = outputs(ran.executed)
        said = [f"**leaks** {what}" for what in shown(text) if what not in self._shown]
        if not said and reached(text):
            said = ["**leaks**"]
        if ran.timed_out:
            said.append(f"no end after {otter_run.SECONDS} s")
        elif ran.score is None:
            said.append("crashes, no results")
        elif self.wrong is None or ran.score > self.wrong:
            said.append(f"**falls**: {ran.score:g} points")
        else:
            said.append(f"{ran.score:g} points")
        return ", ".join(said)

    def _run(self, files: dict[str, bytes]) -> otter_run.Ran:
        environment = {"CANVAS_TOKEN": CANARIES["the Canvas token"]}
        return otter_run.run(self._zip, files, environment, CANARIES["a file at home"])


def _row(attack: Attack, grader: Grader, otter: Otter | None) -> Row:
    started = time.monotonic()
    finding = None if attack.needs and not _has(attack.needs) else check(attack, grader)
    if finding and finding.violations:
        grader.renew()
    told = otter.verdict(attack) if otter else "not run"
    state = "skipped" if finding is None else finding.violations or "held"
    print(f"{attack.id}: {state}; otter: {told} ({time.monotonic() - started:.0f} s)", flush=True)
    return Row(attack, finding, told)


def _has(need: str) -> bool:
    import torch

    return need == "gpu" and torch.cuda.is_available()


def _page(rows: list[Row], grader: Grader, otter: Otter | None) -> str:
    ran = [row for row in rows if row.finding]
    head = HEAD.format(
        date=datetime.date.today().isoformat(), cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(), kernel=platform.release(),
        isolation=grader.engine.isolation, otter=importlib.metadata.version("otter-grader"),
        wrong=grader.wrong_score, possible=grader.possible, memory=MEMORY_BOUND_MB,
        held=sum(not row.finding.violations for row in ran if row.finding), ran=len(ran),
        numbers=len({row.attack.number for row in ran}),
        otter_wrong=f"{otter.wrong:g}" if otter and otter.wrong is not None else "not run",
    )  # fmt: skip
    return head + "\n".join([*map(_line, rows), *_missing(), ""])


def _line(row: Row) -> str:
    one, found = row.attack, row.finding
    variant = one.id[3:].replace("_", " ")
    if found is None:
        here = [f"needs a {one.needs.upper()}", "", ""]
    else:
        score = f"{found.score:g} points" if found.standing == "graded" else found.standing
        broken = sorted({violation[:2] for violation in found.violations})
        here = [
            score,
            f"{found.seconds:.1f}",
            f"**not {', '.join(broken)}**" if broken else "I1–I6",
        ]
    cells = [str(one.number), variant, one.tries, *here, row.otter]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _missing() -> Iterator[str]:
    reasons = left_out()
    if reasons:
        yield "\n## Left out\n"
    for number, reason in reasons.items():
        yield f"- {number} {listed()[number]}: {reason}"


if __name__ == "__main__":
    main()
