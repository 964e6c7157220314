from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace

from autograder.room.student import Notebook
from autograder.seal.handles import Environment, Link


def test_a_process_that_cannot_be_forked_answers_for_all_questions_in_any_order() -> None:
    notebook = object.__new__(Notebook)
    notebook._shell = SimpleNamespace(user_ns={"double": lambda x: 2 * x, "answer": 42})
    notebook._job = SimpleNamespace(helpers=[])
    pairs = [socket.socketpair() for _ in range(2)]
    serving = threading.Thread(
        target=notebook._serve_unforked, args=([theirs for _, theirs in pairs],), daemon=True
    )
    serving.start()
    links = [Link(ours, lambda: time.monotonic() + 10) for ours, _ in pairs]
    first, second = (Environment(link) for link in links)
    assert second["answer"] == 42
    assert first["double"](4) == 8
    assert second["double"](5) == 10
    for link in links:
        link.close()
    serving.join(10)
    assert not serving.is_alive()
