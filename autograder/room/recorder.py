"""Records what a notebook shows, as nbformat 4 outputs."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

_TEXT_TYPES_LIMIT = 16


class Recorder:
    """The outputs of one cell at a time, cut off where a cell shows too much.

    Args:
        limit: Bytes of output all cells may show together.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._cut_off = False
        self._outputs: list[dict[str, Any]] = []

    def take(self) -> bytes:
        """The outputs since the last call, as a JSON list."""
        outputs, self._outputs = self._outputs, []
        return json.dumps(outputs, default=str).encode(errors="replace")

    def stream(self, name: str, text: str) -> None:
        """Record text printed to ``stdout`` or ``stderr``."""
        allowed = text[: max(self._left, 0)]
        if not self._spend(len(text)):
            return
        last = self._outputs[-1] if self._outputs else {}
        if last.get("name") == name:
            last["text"] += allowed
        else:
            self._outputs.append({"output_type": "stream", "name": name, "text": allowed})

    def rich(
        self, kind: str, data: dict[str, Any], metadata: Any, count: int | None = None
    ) -> None:
        """Record a display or a result with its MIME types."""
        bundle = {key: _plain(value) for key, value in list(data.items())[:_TEXT_TYPES_LIMIT]}
        if not self._spend(len(json.dumps([bundle, metadata], default=str))) or self._left < 0:
            return
        output: dict[str, Any] = {"output_type": kind, "data": bundle, "metadata": metadata or {}}
        if kind == "execute_result":
            output["execution_count"] = count
        self._outputs.append(output)

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Record an exception."""
        if self._spend(len(name) + len(value) + sum(map(len, traceback))) and self._left >= 0:
            self._outputs.append(
                {"output_type": "error", "ename": name, "evalue": value, "traceback": traceback}
            )

    def cut_off(self) -> bool:
        """Whether output was cut off since this was last asked."""
        before, self._cut_off = self._cut_off, False
        return before

    def clear(self) -> None:
        """Forget the current cell's outputs (``clear_output``)."""
        self._outputs.clear()

    def _spend(self, length: int) -> bool:
        if self._left < 0:
            return False
        self._left -= length
        if self._left < 0:
            self._cut_off = True
            text = "\n[Output stops here: the notebook shows more than its limit allows.]\n"
            self._outputs.append({"output_type": "stream", "name": "stderr", "text": text})
        return True


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


class _Stream(io.TextIOBase):
    """A text stream that writes into a recorder."""

    def __init__(self, name: str, recorder: Recorder, number: int) -> None:
        self._name, self._recorder, self._number = name, recorder, number

    def write(self, text: str) -> int:  # type: ignore[override]
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._recorder.stream(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "replace"


class _Publisher(DisplayPublisher):  # type: ignore[misc]
    recorder: Recorder

    def publish(self, data: Any, metadata: Any = None, **kwargs: Any) -> None:
        self.recorder.rich("display_data", data, metadata)

    def clear_output(self, wait: bool = False) -> None:
        self.recorder.clear()


class _Hook(DisplayHook):  # type: ignore[misc]
    recorder: Recorder

    def write_output_prompt(self) -> None: ...

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.recorder.rich("execute_result", format_dict, md_dict, self.prompt_count)

    def finish_displayhook(self) -> None: ...


class Shell(InteractiveShell):  # type: ignore[misc]
    """An IPython shell without history, terminal or kernel; magics and rich outputs work."""

    recorder: Recorder

    def record(self, recorder: Recorder) -> tuple[_Stream, _Stream]:
        """Send everything cells show to ``recorder``; returns the new stdout and stderr."""
        self.recorder = self.display_pub.recorder = self.displayhook.recorder = recorder
        return _Stream("stdout", recorder, 1), _Stream("stderr", recorder, 2)

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.recorder.error(getattr(etype, "__name__", str(etype)), _text(evalue), list(stb))

    def enable_gui(self, gui: Any = None) -> None:
        """There is no event loop to join: figures are shown inline."""

    def ask_exit(self) -> None:
        """``exit`` in a cell ends nothing: the cells after it still run."""

    def system(self, cmd: str) -> None:
        """Run ``!cmd`` and record what it prints."""
        done = subprocess.run(  # noqa: S602  a shell is what was asked for; the room holds it
            self.var_expand(cmd, depth=1),
            shell=True,
            capture_output=True,
            text=True,
            errors="replace",
        )
        self.recorder.stream("stdout", done.stdout)
        self.recorder.stream("stderr", done.stderr)
        self.user_ns["_exit_code"] = done.returncode

    def init_display_formatter(self) -> None:
        """Show every MIME type an object offers, as a notebook does."""
        super().init_display_formatter()  # type: ignore[no-untyped-call]
        self.display_formatter.active_types = list(self.display_formatter.format_types)


Shell.display_pub_class.default_value = _Publisher
Shell.displayhook_class.default_value = _Hook


def _text(value: Any) -> str:
    try:
        return str(value)[:2000]
    except Exception:
        return ""
