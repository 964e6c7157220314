"""Two-dimensional convolution from sliding windows and one sum of products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["conv2d"]

Pair = int | tuple[int, int]


def conv2d(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlate images with kernels, as deep learning's "convolution" does.

    ``out[n, o, i, j] = b[o] + sum_{c,u,v} w[o, c, u, v] xpad[n, c', i s_h + u d_h, j s_w + v d_w]``

    where ``c'`` runs over the input channels of the group of ``o``, ``s`` is the stride, ``d`` the
    dilation and ``xpad`` is ``x`` with a margin of zeros. The kernel is not flipped.

    Args:
        x: Images [B, Ci, H, W], floating point.
        w: Kernels [Co, Ci / groups, kh, kw], dtype of ``x``.
        b: Biases [Co].
        stride: Step of the window in pixels; one number, or (vertical, horizontal).
        padding: Zeros added on each side in pixels; one number, or (top and bottom, left and
            right).
        dilation: Distance between neighbouring kernel elements in pixels.
        groups: Number of groups that input and output channels are divided into.

    Returns:
        [B, Co, Ho, Wo] with ``Ho = (H + 2 p_h - d_h (kh - 1) - 1) // s_h + 1``.

    Raises:
        ValueError: If the channels do not fit the groups.
    """
    if x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(f"{x.shape[1]} channels and kernels {tuple(w.shape)}, groups {groups}")
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = _pair(stride), _pair(padding), _pair(dilation)
    kh, kw = w.shape[2:]

    padded = functional.pad(x, (p_w, p_w, p_h, p_h))
    reach_h, reach_w = d_h * (kh - 1) + 1, d_w * (kw - 1) + 1
    windows = padded.unfold(2, reach_h, s_h).unfold(3, reach_w, s_w)
    windows = windows[..., ::d_h, ::d_w]  # [B, Ci, Ho, Wo, kh, kw]

    windows = windows.unflatten(1, (groups, -1))  # [B, G, Ci/G, Ho, Wo, kh, kw]
    kernels = w.unflatten(0, (groups, -1))  # [G, Co/G, Ci/G, kh, kw]
    out = torch.einsum("bgchwuv,gocuv->bgohw", windows, kernels).flatten(1, 2)
    return out if b is None else out + b[:, None, None]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
