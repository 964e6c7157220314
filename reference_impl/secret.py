"""Labels, thresholds and expected answers, wrapped so that they cannot be sent by mistake.

A hidden test gives inputs to the student's code and keeps what it compares the answers with. What
it keeps is a :class:`Secret`: it cannot be printed, pickled, compared, gone through or turned into
an array, the sealed grader refuses to send it, and ``autograder build`` refuses a test that sends
what it revealed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar

__all__ = ["Secret"]

Value = TypeVar("Value")


def _refuses(use: str) -> Callable[..., NoReturn]:
    def refuse(self: Secret[Any], *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"a secret ({self.what}) {use}; reveal() it where it is compared")

    return refuse


class Secret(Generic[Value]):
    """A value that stays with the grader until :meth:`reveal` is called.

    Args:
        value: What is secret; neither copied nor changed.
        what: What it is, in a few words that may be shown to anyone.
    """

    __slots__ = ("__value", "__what")
    __value: Value
    __what: str

    never_sent = True
    """By this the sealed grader knows what must not leave its room."""

    def __init__(self, value: Value, what: str) -> None:
        object.__setattr__(self, "_Secret__value", value)
        object.__setattr__(self, "_Secret__what", what)

    @property
    def what(self) -> str:
        """What it is, without its content."""
        return self.__what

    def reveal(self) -> Value:
        """The value itself: call this only where an answer is compared with it."""
        return self.__value

    def __repr__(self) -> str:
        return f"<secret: {self.what}>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a secret ({self.what}) cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a secret ({self.what}) cannot be changed")

    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # makes NumPy leave `array == secret` to the methods below
    __array__ = _refuses("is not turned into an array")
    __iter__ = _refuses("is not gone through")
    __getitem__ = _refuses("is not looked into")
    __contains__ = _refuses("is not looked into")
    __len__ = _refuses("has no length")
    __bool__ = _refuses("has no truth value")
    __float__ = __int__ = __index__ = __complex__ = _refuses("is not turned into a number")
    __eq__ = __ne__ = _refuses("is not compared")  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _refuses("is not compared")
    __reduce_ex__ = _refuses("is not pickled or copied")
