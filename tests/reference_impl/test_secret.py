"""A secret gives its content to nobody who does not ask for it by name."""

import copy
import operator
import pickle

import numpy as np
import pytest
import torch

from reference_impl.secret import Secret

CONTENT = np.array([12345, 67890])


@pytest.fixture
def secret():
    return Secret(CONTENT, "labels of the test")


def test_reveal_gives_the_value_itself(secret):
    assert secret.reveal() is CONTENT


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda s: f"{[s]!r}", "%s".__mod__])
def test_nothing_of_the_content_is_shown(secret, show):
    assert "<secret: labels of the test>" in show(secret)
    assert "12345" not in show(secret)


@pytest.mark.parametrize(
    "use",
    [
        *(getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
        lambda secret, other: other in [secret],
        lambda secret, other: other in secret,
        lambda secret, other: other <= secret,
    ],
)
@pytest.mark.parametrize("other", [1, 0.5, "x", None, CONTENT, np.float64(2), torch.ones(2)])
def test_it_is_compared_with_nothing(secret, use, other):
    with pytest.raises(
        TypeError, match=r"a secret \(labels of the test\) is not .*; reveal\(\) it"
    ):
        use(secret, other)


@pytest.mark.parametrize(
    "use",
    [
        np.asarray,
        lambda secret: np.array([secret]),
        lambda secret: np.array([1, secret], dtype=object),
        lambda secret: CONTENT + secret,
        lambda secret: np.abs(secret),
        torch.as_tensor,
        lambda secret: torch.tensor([secret]),
        list,
        lambda secret: [*secret],
        len,
        bool,
        float,
        int,
        range,
        hash,
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        lambda secret: secret[0],
        lambda secret: secret + 1,
        lambda secret: f"{secret:.2f}",
        vars,
    ],
)
def test_it_turns_into_nothing_else(secret, use):
    with pytest.raises(TypeError):
        use(secret)


def test_it_is_frozen(secret):
    for name in ("what", "value", "_Secret__value"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(secret, name, 1)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(secret, name)
    assert secret.reveal() is CONTENT
