"""The masked loss: what was not measured has no say, and every task has the same."""

import pytest
import torch
from torch.nn import functional

from reference_impl.gnn_drug_discovery.losses import masked_bce

NAN = float("nan")


@pytest.fixture
def case():
    torch.manual_seed(0)
    logits = torch.randn(12, 4, dtype=torch.float64, requires_grad=True)
    y = torch.randint(0, 2, (12, 4)).double()
    y[torch.rand(12, 4) < torch.tensor([0.0, 0.3, 0.8, 0.0])] = NAN
    y[:, 3] = NAN
    return logits, y, torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)


def test_it_is_the_mean_over_tasks_of_pytorchs_loss(case):
    logits, y, weight = case
    expected = []
    for task in range(3):
        known = ~torch.isnan(y[:, task])
        expected.append(functional.binary_cross_entropy_with_logits(
            logits[known, task], y[known, task], pos_weight=weight[task]))  # fmt: skip
    assert masked_bce(logits, y, weight).item() == pytest.approx(
        torch.stack(expected).mean().item(), abs=1e-12
    )


def test_without_weights_every_positive_counts_once(case):
    logits, y, weight = case
    assert torch.equal(masked_bce(logits, y), masked_bce(logits, y, torch.ones_like(weight)))


def test_missing_labels_have_no_gradient_at_all(case):
    logits, y, weight = case
    masked_bce(logits, y, weight).backward()
    assert (logits.grad[torch.isnan(y)] == 0).all()
    assert (logits.grad[~torch.isnan(y)] != 0).all()


def test_what_stands_under_the_mask_does_not_matter_even_if_it_is_huge(case):
    logits, y, weight = case
    other = torch.where(torch.isnan(y), torch.full_like(logits, 1e300), logits.detach())
    assert masked_bce(other, y, weight).item() == masked_bce(logits, y, weight).item()


def test_the_gradient_is_exact(case):
    logits, y, weight = case
    assert torch.autograd.gradcheck(lambda z: masked_bce(z, y, weight), (logits,))


def test_rare_tasks_count_as_much_as_frequent_ones():
    logits = torch.tensor([[0.0, 5.0]] * 9 + [[0.0, 5.0]])
    y = torch.tensor([[1.0, NAN]] * 9 + [[1.0, 0.0]])
    expected = (torch.log(torch.tensor(2.0)) + functional.softplus(torch.tensor(5.0))) / 2
    assert masked_bce(logits, y).item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_positive_weighs_more_not_a_negative():
    logits, weight = torch.zeros(1, 1), torch.tensor([3.0])
    one, zero = (masked_bce(logits, torch.tensor([[y]]), weight).item() for y in (1.0, 0.0))
    assert one == pytest.approx(3 * zero)


def test_no_label_at_all_is_zero_and_can_be_differentiated():
    logits = torch.randn(3, 2, requires_grad=True)
    loss = masked_bce(logits, torch.full((3, 2), NAN))
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


def test_integer_like_labels_and_float32_logits_keep_their_dtype():
    assert (
        masked_bce(torch.zeros(2, 1), torch.tensor([[1.0], [NAN]]).double()).dtype == torch.float32
    )
