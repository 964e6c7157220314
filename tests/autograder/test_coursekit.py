import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from autograder import coursekit

FILE = Path(coursekit.__file__)


def model() -> torch.nn.Module:
    return torch.nn.Linear(2, 1)


def constant() -> torch.nn.Module:
    made = model()
    torch.nn.init.constant_(made.weight, 3.0)
    return made.train()


def never() -> torch.nn.Module:
    raise AssertionError("was trained")


def test_the_published_file_needs_nothing_but_torch_and_safetensors() -> None:
    code = (
        "import sys, importlib.util as u\n"
        f"spec = u.spec_from_file_location('coursekit', {str(FILE)!r})\n"
        "module = sys.modules['coursekit'] = u.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print([n for n in ('autograder', 'otter', 'msgspec') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weights_are_saved_once_and_loaded_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.safetensors"
    trained = coursekit.load_or_train(path, model, constant, {"seed": "1"})
    assert "Trained" in capsys.readouterr().out and path.is_file() and not trained.training
    loaded = coursekit.load_or_train(path, model, never)
    assert "Loaded" in capsys.readouterr().out and not loaded.training
    assert torch.equal(loaded.weight, trained.weight) and loaded.weight[0, 0] == 3


@pytest.mark.parametrize("content", [b"", b"nonsense"], ids=["empty", "no weights"])
def test_weights_that_do_not_fit_are_trained_afresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    assert coursekit.load_or_train(path, model, constant).weight[0, 0] == 3
    assert "does not fit this model" in capsys.readouterr().out
    other = coursekit.load_or_train(path, lambda: torch.nn.Linear(5, 5), lambda: constant())
    assert other.weight.shape == (1, 2)


def test_counts_look_only_at_what_can_be_trained() -> None:
    made = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    made[0].bias.requires_grad_(False)
    assert coursekit.parameter_count(made) == 6 + 4
    assert coursekit.parameter_count(made, trainable_only=False) == 9 + 4
    assert "0.bias" not in coursekit.parameter_names(made)
    assert coursekit.module_types(made) == ["Sequential", "Linear", "Linear"]


def test_training_mode_is_seen_in_any_part() -> None:
    made = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout()).eval()
    assert not coursekit.is_training(made)
    made[1].train()
    assert coursekit.is_training(made)


def test_state_arrays_are_copies() -> None:
    made = model()
    arrays = coursekit.state_arrays(made)
    arrays["weight"].zero_()
    assert made.weight.abs().sum() > 0 and not arrays["weight"].requires_grad


def test_gradients_are_exact_and_zero_where_nothing_depends() -> None:
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([5.0, 5.0])
    by_x, by_y = coursekit.gradients(lambda a, n, b: a**n, x, 2, y)
    assert by_x.tolist() == [2, 4] and by_y.tolist() == [0, 0]
    (only,) = coursekit.gradients(lambda a, b: a * b, x, y, wrt=[1], cotangent=torch.ones(2))
    assert only.tolist() == [1, 2]
    assert not x.requires_grad and x.grad is None


def test_source_of_what_has_none_is_empty() -> None:
    assert coursekit.source(len) == "" and coursekit.source(3) == ""
    assert coursekit.source(model).startswith("def model")


def test_without_rooms_beside_is_the_module_itself() -> None:
    import fractions

    assert coursekit.beside(model, "fractions") is fractions


def test_a_data_bundle_keeps_rows_together_and_says_where_it_comes_from() -> None:
    data = coursekit.DataBundle(
        X=["C", "CC", "CCC"], y=np.array([1.0, 2.0, 3.0]), meta={"weight": np.array([16, 30, 44])},
        units={"y": "log mol/L"}, licence="CC0", provenance="drawn by a test", name="alkanes",
    )  # fmt: skip
    some = data.take(np.array([2, 0]))
    assert (some.X, some.y.tolist(), some.meta["weight"].tolist()) == (
        ["CCC", "C"],
        [3, 1],
        [44, 16],
    )
    assert repr(some) == ("alkanes: 2 rows, y in log mol/L. Source: drawn by a test. Licence: CC0.")


def test_unwritten_answers_are_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with coursekit.needs("q4", "q7"):
        raise NotImplementedError("question 4: psnr is not written yet")
    with coursekit.needs("q7"):
        coursekit.ready(0.5, None)
    assert capsys.readouterr().out.splitlines() == [
        "This cell comes to life after q4 and q7 (question 4: psnr is not written yet).",
        "This cell comes to life after q7 (what it shows is not trained or not set yet).",
    ]


def test_other_errors_of_a_demonstration_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), coursekit.needs("q1"):
        raise ZeroDivisionError


def test_a_figure_that_was_begun_is_not_shown_empty() -> None:
    with coursekit.needs("q1"):
        pyplot.figure()
        raise NotImplementedError
    assert pyplot.get_fignums() == []
