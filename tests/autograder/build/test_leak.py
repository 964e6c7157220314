"""Leaks planted in what is published must be found; what is published as it should be is clean."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from autograder.build import build, leaks
from autograder.build.compose import compose
from autograder.build.hidden import Hidden
from autograder.build.leak import Leak, find_leaks
from autograder.errors import BuildError

HIDDEN_LINE = 'assert sensitivity([1, 1, 0, 0], [1, 0, 0, 1]) == 0.5, "missed positives must count"'
SOLUTION_LINE = (
    "found = sum(1 for label, guess in zip(labels, predictions) if label == 1 and guess == 1)"
)
REFERENCE_LINE = "return isinstance(value, float) and not value < 0.0 and not value > 1.0"
RUBRIC = "Names the harm of a missed positive to the patient"


@pytest.fixture(scope="module")
def published(masters: Path) -> dict[str, bytes]:
    return compose("sound", masters).assignment


@pytest.fixture(scope="module")
def hidden(masters: Path) -> Hidden:
    return Hidden.of("sound", masters)


def found(published: dict[str, bytes], hidden: Hidden, **planted: bytes) -> list[Leak]:
    files = {name.replace("__", "."): data for name, data in planted.items()}
    return find_leaks({**published, **files}, hidden)


def in_notebook(data: bytes, text: str, *, metadata: bool = False) -> bytes:
    notebook = json.loads(data)
    if metadata:
        notebook["cells"][3]["metadata"]["note"] = {"deep": [text]}
    else:
        notebook["cells"][3]["source"].append(f"\n\n{text}\n")
    return json.dumps(notebook).encode()


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def test_what_is_published_is_clean(published: dict[str, bytes], hidden: Hidden) -> None:
    assert find_leaks(published, hidden) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Look out for test_half_found.", "the hidden test test_half_found of question q1"),
        (HIDDEN_LINE, "the hidden test test_half_found of question q1"),
        (f"> {HIDDEN_LINE}", "the hidden test test_half_found of question q1"),
        (f"#   {SOLUTION_LINE}", "the solution of question q1 (cell 9 of the master)"),
        (SOLUTION_LINE.replace("1)", "1\n)"), "the solution of question q1 (cell 9 of the master)"),
        (REFERENCE_LINE, "reference_impl/sound/metrics.py"),
        (REFERENCE_LINE.replace(" and", " \\\n    and"), "reference_impl/sound/metrics.py"),
        (f"We give points for: {RUBRIC}.", "the rubric of question q2"),
        (
            "A missed melanoma is treated months later, when it may have spread.",
            "the solution of question q2 (cell 19 of the master)",
        ),
        (
            "return sum(a * b for a, b in zip(labels, predictions)) / len(labels)",
            "reference_impl/sound/mutants/counts_all_cases.py",
        ),
        (
            "ill, called = places(labels), places(predictions)\n"
            "    return len(ill & called) / (len(ill) or 1)",
            "reference_impl/sound/panel/sets_of_places.py",
        ),
    ],
)
@pytest.mark.parametrize("place", ["text", "cell", "metadata", "zip", "tar", "gzip"])
def test_hidden_text_is_found_wherever_it_is(
    published: dict[str, bytes], hidden: Hidden, line: str, what: str, place: str
) -> None:
    if place in ("cell", "metadata"):
        notebook = in_notebook(published["sound.ipynb"], line, metadata=place == "metadata")
        leak = found(published, hidden, sound__ipynb=notebook)[0]
        assert leak.file == "sound.ipynb!cell 4"
    else:
        text = f"Notes.\n{line}\n".encode()
        pack = {"text": bytes, "gzip": gzip.compress}.get(place)
        archive = {"zip": zipped, "tar": tarred}.get(place)
        data = archive("notes.txt", text) if archive else pack(text)  # type: ignore[misc]
        leak = found(published, hidden, notes__bin=data)[0]
        assert leak.file.startswith("notes.bin")
    assert leak.what == what
    assert what in str(leak)


def test_hidden_name_in_bytecode_is_found(published: dict[str, bytes], hidden: Hidden) -> None:
    data = b"\x00\xff\xfe" + b"test_half_found" + b"\x00"
    assert found(published, hidden, cache__pyc=data)[0].excerpt == "test_half_found"


def test_weights_are_found_in_another_format(
    masters: Path, published: dict[str, bytes], hidden: Hidden
) -> None:
    weights = (masters / "solutions/sound/triage.safetensors").read_bytes()
    whole = found(published, hidden, start__safetensors=weights)
    assert {leak.what for leak in whole} == {
        "solutions/sound/triage.safetensors",
        "the instructor's weights triage.safetensors",
    }
    tensor = weights[-256:]
    assert found(published, hidden, start__npz=zipped("w.npy", b"\x93NUMPY" + tensor))


def test_tensor_that_students_start_from_is_no_leak(project: Path) -> None:
    sound = project / "solutions/sound"
    weights = (sound / "triage.safetensors").read_bytes()
    (sound / "data/start.safetensors").write_bytes(weights[:-4] + b"\0\0\0\0")
    files = compose("sound", project).assignment
    assert "data/start.safetensors" in files
    assert "triage.safetensors" not in files


def test_private_file_is_found(masters: Path, published: dict[str, bytes], hidden: Hidden) -> None:
    labels = (masters / "solutions/sound/private_labels.csv").read_bytes()
    leak = found(published, hidden, data__zip=zipped("labels.csv", labels))[0]
    assert leak == Leak(
        "data.zip!labels.csv", "solutions/sound/private_labels.csv", "the whole file"
    )


@pytest.mark.parametrize("kept_in", ["environment", "file"])
def test_course_secret_is_found(
    project: Path, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, kept_in: str
) -> None:
    if kept_in == "file":
        (project / "course_secret").write_text("correct horse battery\n")
    else:
        monkeypatch.setenv("AUTOGRADER_SECRET", "correct horse battery")
    hidden = Hidden.of("sound", project)
    leak = found(published, hidden, notes__txt=b"seed: correct horse battery")[0]
    assert leak.what == "the course secret"


def test_thresholds_are_found(project: Path, published: dict[str, bytes]) -> None:
    stored = {"auc": {"steps": [0.65, 0.7053]}, "gain": {"steps": [-4.0812]}}
    file = project / "reference_impl/sound/calibration.json"
    file.write_text(json.dumps({"thresholds": stored, "runs": []}))
    hidden = Hidden.of("sound", project)
    leaks_ = found(
        published,
        hidden,
        a__md=b"You need 0.7053.",
        b__md=b"At most -4.0812",
        c__csv=b"0.65,10.7053",
        e__csv=b"row,answer\n1,0.7053\n-2,-4.0812\r\n",
    )
    assert [(leak.file, leak.what) for leak in leaks_] == [
        ("a.md", "a threshold of auc"), ("b.md", "a threshold of gain"),
    ]  # fmt: skip
    assert found(published, hidden, d__json=file.read_bytes())


def test_lines_that_students_see_anyway_are_no_leak(
    published: dict[str, bytes], hidden: Hidden
) -> None:
    given = b'labels = [1, 1, 0, 0]\nprint(len(labels), "patients")\n'
    assert found(published, hidden, notes__py=given) == []


def test_common_idioms_are_no_leak(published: dict[str, bytes], hidden: Hidden) -> None:
    common = b"import numpy as np\n\n\ndef sensitivity(labels, predictions):\n    return 0.0\n"
    assert found(published, hidden, notes__py=common) == []


def test_code_given_on_purpose_is_no_leak(project: Path, published: dict[str, bytes]) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    module = project / "reference_impl/sound/triage.py"
    module.write_text(f"{module.read_text()}\n\ndef valid(value):\n    {REFERENCE_LINE}\n")
    copy = module.read_bytes()
    assert found(published, Hidden.of("sound", project), triage__py=copy)
    recipe.write_text('given = ["valid"]\n' + recipe.read_text())
    assert found(published, Hidden.of("sound", project), triage__py=copy) == []
    recipe.write_text(recipe.read_text().replace("valid", "unknown"))
    with pytest.raises(BuildError, match="no public module defines unknown"):
        Hidden.of("sound", project)


def test_line_shared_with_a_library_is_no_leak(project: Path, published: dict[str, bytes]) -> None:
    line = (
        "    images = torch.as_tensor(images, device=model.device).float().div(255).unsqueeze(1)\n"
    )
    rest = "".join(f"    part{i} = images[{i}] * {i} + part{i - 1}\n" for i in range(1, 9))
    module = project / "reference_impl/sound/metrics.py"
    module.write_text(f"def score(model, images):\n{line}{rest}    return part8\n")
    hidden = Hidden.of("sound", project)
    assert found(published, hidden, notes__py=line.encode()) == []
    assert found(published, hidden, notes__py=(line + rest).encode()) != []


def test_image_in_base64_is_no_leak(published: dict[str, bytes], hidden: Hidden) -> None:
    image = base64.b64encode(bytes(range(256)) * 20)
    assert found(published, hidden, image__txt=image) == []


def test_leaks_of_a_published_folder(project: Path) -> None:
    build("sound", project)
    folder = project / "assignments" / "sound"
    assert leaks(folder, "sound", project) == []
    (folder / "data" / "hint.txt").write_text(HIDDEN_LINE)
    assert [leak.file for leak in leaks(folder, "sound", project)] == ["data/hint.txt"]


@pytest.mark.parametrize(
    ("name", "place", "cell"),
    [
        ("answer_in_public_module", "help.py", None),
        ("hidden_test_named_in_text", "hidden_test_named_in_text.ipynb", 6),
    ],
)
def test_build_refuses_to_publish_a_leak(
    masters: Path, name: str, place: str, cell: int | None
) -> None:
    with pytest.raises(BuildError, match=r"Students would see .* question q1") as raised:
        compose(name, masters)
    assert raised.value.notebook == f"assignments/{name}/{place}"
    assert raised.value.cell == cell


def test_a_file_staged_for_graders_alone_is_found_where_students_would_see_it() -> None:
    project = Path(__file__).parents[3]
    held_out = project / "reference_impl" / "gnn_drug_discovery" / "held_out.csv.gz"
    own = Hidden.of("final_project", project)
    (leak,) = find_leaks({"data/x.csv.gz": held_out.read_bytes()}, own)
    assert "held_out.csv.gz" in leak.what
    readme = project / "data" / "solubility" / "DATASHEET.md"
    assert find_leaks({"data/solubility/DATASHEET.md": readme.read_bytes()}, own) == []
