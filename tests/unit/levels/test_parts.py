"""A clip of two frames by 3 x 2 cells in four channels, packed with five values of sound."""

import torch
from comfyui_jano.jano.levels.parts import Parts

CLIP, SOUND = (2, 4, 2, 3, 2), (2, 1, 5)


def test_a_packed_latent_falls_apart_into_what_was_packed() -> None:
    clip, sound = torch.randn(CLIP), torch.randn(SOUND)
    packed = torch.cat((sound.reshape(2, 1, -1), clip.reshape(2, 1, -1)), -1)
    parts = Parts((SOUND, CLIP), shown=1)
    assert all(torch.equal(part, made) for part, made in zip(parts.split(packed), (sound, clip), strict=True))
    assert torch.equal(parts.seen(packed), clip)


def test_a_latent_of_one_part_is_that_part() -> None:
    clip = torch.randn(CLIP)
    assert Parts().seen(clip) is clip
    assert Parts().split(clip) == [clip]


def test_a_value_for_each_picture_and_part_lies_over_the_packed_latent() -> None:
    parts = Parts(((2, 3, 2, 2), (2, 1, 4)))
    made = parts.over([torch.tensor([1.0, 2.0]).view(2, 1, 1, 1), torch.tensor([3.0, 4.0]).view(2, 1, 1)])
    assert made.shape == (2, 1, 16)
    assert made[:, 0, :12].unique(dim=1).tolist() == [[1.0], [2.0]]
    assert made[:, 0, 12:].unique(dim=1).tolist() == [[3.0], [4.0]]
