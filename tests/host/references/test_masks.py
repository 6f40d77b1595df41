"""Masks of attention, wherever the references lie in a sequence."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from comfyui_jano.jano.adapters.references.attention import ReferencePass, ReferenceTap
from comfyui_jano.jano.adapters.references.layout import Counted, computed, of_references, spans
from comfyui_jano.jano.references.engine import Call
from comfyui_jano.jano.references.kv_cache import ReferenceCache
from comfyui_jano.jano.refusal import Unaccelerated
from comfyui_jano.tests.host.references.models import noise
from torch import Tensor

LENGTH = 12
PLACES = {
    "last": (None, 0, 4, 5),
    "in the middle": (None, 5, 4, 0),
    "before the text": (0, 0, 4, 5, None),
    "first": (0, 5, 7),
    "on both sides": (0, 3, None, 2),
    "in three pieces": (0, 1, 4, 2, None, 2),
}


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, **_: object) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
@pytest.mark.parametrize("rows", [1, LENGTH])
@pytest.mark.parametrize("where", PLACES)
def test_a_mask_over_all_tokens_masks_the_same_ones(where: str, rows: int, kind: torch.dtype) -> None:
    places = PLACES[where]
    q, k, v = (noise(seed, 1, 2, LENGTH, 8) for seed in (1, 2, 3))
    mask = torch.randn(1, 1, rows, LENGTH) if kind is torch.float32 else torch.rand(1, 1, rows, LENGTH) < 0.7
    cache, given = ReferenceCache(extrapolates=False), {"skip_reshape": True, "mask": mask}

    def passing(stores: bool) -> ReferencePass:
        return ReferencePass(Call(("a",), 5, stores, False), cache, 0.0, Counted([(1, places)]))

    whole = ReferenceTap(None, passing(True))(attend, q, k, v, 2, **given)
    fewer = (computed(x, places, 2) for x in (q, k, v))
    without = ReferenceTap(None, passing(False))(attend, *fewer, 2, **given)
    torch.testing.assert_close(without, computed(whole, places, 2))


@pytest.mark.parametrize("where", PLACES)
def test_all_rows_are_references_or_computed(where: str) -> None:
    rows, places = torch.arange(LENGTH), PLACES[where]
    parts = torch.cat([of_references(rows, places, 0), computed(rows, places, 0)])
    assert of_references(rows, places, 0).numel() == 5
    assert torch.equal(parts.sort().values, rows)


@pytest.mark.parametrize(("places", "length"), [((0, 5, 7), 13), ((0, 5, 7), 11), ((None, 5, 7), 11)])
def test_a_sequence_of_another_length_is_no_such_call(places: tuple, length: int) -> None:
    with pytest.raises(Unaccelerated, match=f"got {length} tokens where 5 are references"):
        spans(places, length)
