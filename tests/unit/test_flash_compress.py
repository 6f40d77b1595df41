"""A student before training: what is copied, cut and solved, and that solving comes closer."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.flash_vaed.compress import SELECTIONS, Made, Recipe, compress, measure
from comfyui_jano.flash_vaed.initial import in_reach
from comfyui_jano.flash_vaed.least_squares import patches
from comfyui_jano.flash_vaed.lessons import walk
from comfyui_jano.flash_vaed.parts import Taps
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.teachers import family_of, teacher_from
from comfyui_jano.tests.small_teacher import LAYOUTS, by_host_names, small_clips, small_state, small_teacher
from torch import Tensor, nn

HALF = (0.5, 0.5)
SHARED = {
    "Wan 2.1": (
        {"decoder.head.2.bias"},
        {
            "conv2.weight",
            "decoder.conv1.weight",
            "decoder.upsamples.7.time_conv.weight",
            "decoder.middle.1.to_qkv.weight",
        },
    ),
    "LTX-Video 0.9": (
        {"decoder.conv_out.conv.bias"},
        {
            "latents_mean",
            "decoder.conv_in.conv.weight",
            "decoder.up_blocks.1.upsamplers.0.conv.conv.weight",
            "decoder.up_blocks.2.conv_in.norm3.weight",
        },
    ),
}
"""By family: what has the same shape in teacher and student and is solved anew, and some of what is copied."""


@pytest.fixture(scope="module", params=LAYOUTS)
def teacher(request: pytest.FixtureRequest) -> StreamedDecoder:
    return small_teacher(request.param)


@pytest.fixture(scope="module")
def windows() -> list[Tensor]:
    return [torch.stack(small_clips(4)), torch.stack(small_clips(3))]


@pytest.fixture(scope="module")
def solved(teacher: StreamedDecoder, windows: list[Tensor]) -> Made:
    return compress(teacher, windows, Recipe(HALF))


@torch.no_grad()
def missed(student: StreamedDecoder, teacher: StreamedDecoder) -> float:
    """Mean square difference of the frames on latents that nothing was solved on."""
    z = torch.stack(small_clips(5))
    return float((student(z) - teacher(z)).square().mean())


def test_the_widths_are_those_asked_for(solved: Made) -> None:
    family = family_of(solved.student)
    assert (solved.student.widths.fine, solved.student.widths.finest) == (4, 2)
    assert {len(solved.kept[place]) for place in family.fine} == {4}
    assert {len(solved.kept[place]) for place in family.finest} == {2}


def test_every_place_is_one_of_the_decoders(solved: Made, teacher: StreamedDecoder) -> None:
    """Every pruned stage is named, and no other."""
    widths = {name: out.shape[1] for name, out in walk(solved.student, torch.stack(small_clips(1)))}
    whole = {name: out.shape[1] for name, out in walk(teacher, torch.stack(small_clips(1)))}
    narrower = {name for name in whole if widths[name] < whole[name]}
    assert narrower == set(family_of(teacher).shallow.places)


def test_every_parameter_learns_with_one_stretch_but_the_first_ones(solved: Made) -> None:
    family = family_of(solved.student)
    for name, _ in solved.student.named_parameters():
        held = [stretch for stretch in ("deep", "shallow") if name.startswith(family.stretch(stretch).parts)]
        first = name.startswith(("conv1.", "conv2.", "decoder.conv1.", "decoder.conv_in."))
        assert len(held) == (0 if first else 1), name


def test_what_both_have_is_copied(solved: Made, teacher: StreamedDecoder) -> None:
    ours, theirs = solved.student.state_dict(), teacher.state_dict()
    shared = [name for name, value in ours.items() if name in theirs and theirs[name].shape == value.shape]
    copied = [name for name in shared if torch.equal(ours[name], theirs[name])]
    solved_again, same = SHARED[family_of(teacher).name]
    assert set(shared) - set(copied) == solved_again
    assert same <= set(copied)


def test_solving_comes_closer_than_cutting(solved: Made, teacher: StreamedDecoder, windows: list[Tensor]) -> None:
    cut = compress(teacher, windows, Recipe(HALF, refit=False))
    assert cut.kept == solved.kept
    assert missed(solved.student, teacher) < 0.7 * missed(cut.student, teacher)


@torch.no_grad()
def test_with_all_channels_pictures_that_stand_still_are_the_teachers() -> None:
    """From the fifth frame of a block on: there every tap meets the same picture, and the sum over time is exact."""
    teacher = small_teacher("wan")
    made = compress(teacher, [torch.stack(small_clips(4))], Recipe((1.0, 1.0), refit=False))
    assert all(share > 1 - 1e-4 for share in made.explained.values())
    x = torch.randn(1, 8, 1, 8, 8).expand(1, 8, 6, 8, 8)
    ours, theirs = (model.decoder.upsamples[8](x) for model in (made.student, teacher))
    torch.testing.assert_close(ours[:, :, 4:], theirs[:, :, 4:], rtol=1e-3, atol=1e-3)
    assert (ours[:, :, 0] - theirs[:, :, 0]).abs().max() > 0.1


@torch.no_grad()
def test_with_all_channels_stages_that_only_lose_channels_are_the_teachers() -> None:
    """LTX-Video's upsampling, entries and head keep their three dimensions: with all channels they are exact."""
    teacher = small_teacher("ltx")
    made = compress(teacher, [torch.stack(small_clips(4))], Recipe((1.0, 1.0), refit=False))
    pairs = zip(made.student.decoder.stages(), teacher.decoder.stages(), strict=True)
    exact = [name for (name, ours), (_, theirs) in pairs if stands_for(ours, theirs)]
    ups = [f"up_blocks.{place}.upsamplers.0" for place in (1, 2, 3)]
    assert exact == ["conv_in", ups[0], "up_blocks.2.conv_in", ups[1], "up_blocks.3.conv_in", ups[2], "head"]


def stands_for(ours: nn.Module, theirs: nn.Module) -> bool:
    x = torch.randn(1, next(iter(theirs.parameters())).shape[1], 3, 4, 4)
    return torch.allclose(ours(x), theirs(x), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_kernels_that_look_ahead_are_folded_onto_what_is_seen() -> None:
    """Of a still picture a causal kernel makes the same; of others it looks a frame less far."""
    ahead, causal = Taps(1, 1, (3, 3), repeated=True), Taps(2, 0, (3, 3), repeated=True)
    weight, still = torch.randn(2, 3, 3, 3, 3), torch.randn(1, 3, 1, 4, 4).expand(1, 3, 5, 4, 4)
    folded = in_reach(weight, ahead, causal)
    seen = [
        patches(still, taps, torch.arange(80)) @ one.flatten(1).T for taps, one in ((ahead, weight), (causal, folded))
    ]
    torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-4)
    assert torch.equal(folded[:, :, 1], weight[:, :, 0])
    assert torch.equal(in_reach(weight, causal, causal), weight)


def test_enough_channels_for_a_share_of_the_variance(teacher: StreamedDecoder, windows: list[Tensor]) -> None:
    made = compress(teacher, windows, Recipe(explained=0.9, refit=False))
    assert min(made.explained.values()) >= 0.9
    fewer = compress(teacher, windows, Recipe(explained=0.5, refit=False))
    assert fewer.student.widths.fine < made.student.widths.fine


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_selection_makes_a_student(selection: str, teacher: StreamedDecoder, windows: list[Tensor]) -> None:
    made = compress(teacher, windows, Recipe(HALF, selection=selection, refit=False))
    greedy = compress(teacher, windows, Recipe(HALF, refit=False))
    for place in family_of(teacher).places:
        assert made.explained[place] <= greedy.explained[place] + 0.05
    assert torch.isfinite(made.student(torch.stack(small_clips(1)))).all()


def test_moments_are_taken_at_all_places(teacher: StreamedDecoder, windows: list[Tensor]) -> None:
    found = measure(teacher, windows, 0)
    family = family_of(teacher)
    assert {len(found[place]) for place in family.fine} == {8}
    assert {len(found[place]) for place in family.finest} == {4}


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("decoder.conv_in.weight", "is for another model"),
        ("decoder.middle.0.residual.2.depthwise_conv.weight", "is a Flash-VAED decoder already"),
        ("decoder.mid_block.resnets.0.conv1.depthwise.weight", "is a Flash-VAED decoder already"),
        ("vocoder.resblocks.0.convs1.0.weight", "is LTX-2's VAE for sound"),
        ("decoder.upsamples.0.upsamples.0.residual.2.weight", "is Wan 2.2's VAE"),
        ("decoder.up_blocks.0.res_blocks.0.conv1.conv.weight", "is LTX-Video's VAE of a later version"),
        ("decoder.22.bias", "is a TAEHV or LightTAE decoder"),
        ("pixel_space_vae", "is no VAE at all"),
    ],
)
def test_other_vaes_are_refused_by_name(mark: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"This VAE {words}.*only VAEs in the layout of Wan 2.1 or of LTX-Video 0.9.0"):
        teacher_from({mark: torch.zeros(1)})


@pytest.mark.parametrize(
    ("layout", "lost"),
    [
        ("wan", "decoder.head.0.gamma"),
        ("wan", "decoder.head.2.weight"),
        ("ltx", "latents_std"),
        ("ltx", "decoder.conv_in.conv.weight"),
    ],
)
def test_a_vae_with_more_or_less_than_the_layout_is_refused(layout: str, lost: str) -> None:
    state = small_state(layout)
    with pytest.raises(ValueError, match="resembles that of .*, but is of another kind"):
        teacher_from(state | {"decoder.noise.weight": torch.zeros(1)})
    del state[lost]
    with pytest.raises(ValueError, match="resembles that of .*, but (lacks|is incomplete)"):
        teacher_from(state)


@pytest.mark.parametrize(
    ("layout", "name"),
    [("wan", "conv2.weight"), ("wan", "decoder.head.2.weight"), ("ltx", "decoder.conv_in.conv.weight")],
)
def test_a_vae_with_a_single_number_in_place_of_a_weight_is_told_so(layout: str, name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"resembles that of .*, but {name} has the shape \(\), which tells no number"
    ):
        teacher_from(small_state(layout) | {name: torch.zeros(())})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"causal_decoder": True}, "is causal or takes a noise level"),
        ({"timestep_conditioning": True}, "is causal or takes a noise level"),
        ({"decoder_blocks": [["res_x", 4], ["compress_all", {"residual": True}]]}, "keeps what comes in"),
    ],
)
def test_an_ltx_vae_that_its_weights_do_not_tell_apart_is_refused(config: dict, words: str) -> None:
    state = by_host_names(small_state("ltx"))
    with pytest.raises(ValueError, match=f"resembles that of LTX-Video 0.9, but .*{words}"):
        teacher_from(state, config)
