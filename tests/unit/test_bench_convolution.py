"""The harness decodes with another kernel, not with other numbers."""

import torch
import torch.nn.functional as F
from comfyui_jano.bench.convolution import OneDnnConvolutions


def test_convolutions_differ_by_rounding() -> None:
    x, weight, bias = torch.randn(1, 4, 5, 9, 8), torch.randn(6, 4, 3, 3, 3), torch.randn(6)
    shape = (weight, bias, (1, 1, 1), (0, 1, 1), (1, 1, 1), 1)
    expected = F.conv3d(x, *shape)
    with OneDnnConvolutions():
        assert torch.allclose(F.conv3d(x, *shape), expected, atol=1e-4)
        assert torch.allclose(F.conv3d(x, weight, padding=1), F.conv3d(x, weight, None, 1, 1, 1, 1), atol=1e-4)
