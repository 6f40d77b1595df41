"""References before the picture, or from which its positions are counted on: placed in a call without them as in one
with them."""

from __future__ import annotations

import comfy.ldm.hidream_o1.model
import comfy.model_management
import comfy.ops
import comfy.supported_models
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.references import arguments
from comfyui_jano.jano.config import ReferenceConfig
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.references.models import FRAMES, MODELS, noise, of, references
from comfyui_jano.tests.host.references.test_exact import assert_exact, same_input
from comfyui_jano.tests.host.references.test_runs import run
from comfyui_jano.tests.host.tiny import conditioning, sample, with_scheduler
from comfyui_jano.tests.host.tiny_others import KNOWN
from torch.utils.flop_counter import FlopCounterMode

PLACED = (
    "omnigen",
    "boogu",
    "z-image omni",
    "z-image",
    "lumina",
    "fun",
    "scail",
    "scail 2",
    "scail 2 replacing",
)
# Of a call without references: queries * references, summed over all attentions, and the width of these.
ATTENTION = {
    "omnigen": (2 * 71 * 43, 96),
    "boogu": ((71 + 63 + 2 * 71) * 43, 96),
    "z-image": (96 * 128 + 32 * 64 + 64 * 64, 256),
    "fun": (2 * 36 * 12, 128),
    "phantom": (2 * 36 * 36, 128),
    "scail": (2 * 36 * (24 + 12), 128),
}


def counted(model: ModelPatcher, **options: object) -> int:
    with FlopCounterMode(display=False) as counter:
        sample(model, **options)
    return counter.get_total_flops()


def with_rope(model: ModelPatcher, **options: float) -> ModelPatcher:
    """As the host's ScaleROPE."""
    clone = model.clone()
    clone.model_options["transformer_options"]["rope_options"] = options
    return clone


@pytest.mark.parametrize("name", PLACED)
def test_the_host_would_place_the_picture_elsewhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MODELS[name]
    model = made.make()
    monkeypatch.setattr("comfyui_jano.jano.adapters.references.calls.embedder", lambda network: None)
    seen = same_input(model, *made.sides(model).values(), size=made.cells)
    assert (seen["frozen"][0] - seen["native"][0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["lumina", "z-image omni", "fun", "scail", "scail 2 replacing"])
def test_another_node_scales_and_shifts_positions(name: str) -> None:
    made = MODELS[name]
    plain = made.make()
    model = with_rope(plain, scale_x=0.7, scale_y=1.3, scale_t=1.9, shift_x=2.0, shift_y=-1.0, shift_t=0.5)
    seen = same_input(model, *made.sides(model).values(), size=made.cells)
    assert_exact(seen)
    unscaled = same_input(plain, *made.sides(model).values(), size=made.cells)
    assert (seen["native"][0] - unscaled["native"][0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", PLACED)
def test_in_half_precision(name: str) -> None:
    made = MODELS[name]
    model = made.make(torch.bfloat16)
    seen = same_input(model, *made.sides(model).values(), size=made.cells)
    assert_exact(seen, tolerance=0.05)


def test_references_of_every_kind_beside_one_clip() -> None:
    """One before the clip, subjects behind it and one in context."""
    model = of(comfy.supported_models.WAN21_T2V, {**tiny.WAN, "in_dim_ref_conv": 16})()
    said = {
        "reference_latents": references(model, FRAMES, FRAMES[1:]),
        "time_dim_concat": noise(8, 1, 16, 2, *FRAMES[1:]),
        "context_latents": references(model, FRAMES, (6, 4)),
    }
    seen = same_input(model, *[conditioning(seed, **said) for seed in (1, 2)], size=FRAMES)
    assert_exact(seen)
    assert seen["report"].references.num_tokens == 12 + 24 + 6


@pytest.mark.parametrize("name", ATTENTION)
def test_a_call_without_them_costs_what_a_model_without_references_does(name: str) -> None:
    """And what attention takes that sees them."""
    made = MODELS[name]
    model = made.make()
    options = {"size": made.cells, "positive": made.prompt(model, 1)}
    told = made.prompt(model, 1)[0][1]
    gone = ("reference_latents", "reference_latents_text_embeds", "time_dim_concat", "pose_video_latent")
    bare = {**options, "positive": [[options["positive"][0][0], {k: v for k, v in told.items() if k not in gone}]]}
    pairs, width = ATTENTION[name]
    expected = counted(model, steps=1, **options) + 3 * (counted(model, steps=1, **bare) + 4 * pairs * width)
    scheduled = with_scheduler(model, "custom", {"target_speedup": 1.0}, references=ReferenceConfig("once"))
    assert counted(scheduled, steps=4, **options) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", ["omnigen", "z-image omni", "fun"])
def test_an_interrupt_leaves_no_hook(name: str, step: int) -> None:
    made = MODELS[name]
    model = made.make()
    options = {"steps": 3, "size": made.cells, **made.sides(model)}
    scheduled = with_scheduler(model, "balanced", references=ReferenceConfig("once"))
    whole = sample(scheduled, **options)
    calls = iter(range(100))

    def interrupted(*_: object) -> None:
        if next(calls) == step:
            raise comfy.model_management.InterruptProcessingException

    network = model.model.diffusion_model
    hook = arguments.embedder(network).register_forward_hook(interrupted)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(scheduled, **options)
    hook.remove()
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert torch.equal(sample(scheduled, **options), whole)


@pytest.mark.parametrize("name", ["boogu", "lumina", "fun"])
def test_positions_that_another_pack_adds_end_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedder of positions is asked once more in some calls: what belongs to which token is not known."""
    made = MODELS[name]
    model = made.make()
    embedder = arguments.embedder(model.model.diffusion_model)
    monkeypatch.setattr(embedder, "forward", type(embedder).forward.__get__(embedder))
    options = {"steps": 3, "size": made.cells, **made.sides(model)}
    native, calls = sample(model, **options), iter(range(100))

    def twice(network: object, args: tuple, kwargs: dict) -> None:
        if next(calls) == 1:
            embedder(torch.zeros(1, 4, 3))

    hook = model.model.diffusion_model.register_forward_pre_hook(twice, with_kwargs=True)
    samples, report = run(model, "once", **options)
    hook.remove()
    assert torch.equal(samples, native)
    assert report.references.frozen == set()
    assert "places its tokens in another way" in report.notes[-1]


ASKED = {
    "not at all": lambda embedder, call, ids: embedder.forward(ids),
    "by name": lambda embedder, call, ids: call(ids=ids),
    "of other axes": lambda embedder, call, ids: [call(ids), call(ids[..., :1])][0],
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("asked", ASKED)
def test_positions_asked_for_in_another_way_end_it(asked: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a pack may that has a forward of its own: from the call that computes the references on, or from the next."""
    made = MODELS["lumina"]
    model = made.make()
    embedder, calls = model.model.diffusion_model.rope_embedder, []
    options = {"steps": 3, "size": made.cells, "positive": made.prompt(model, 1)}
    native = sample(model, **options)

    class Other(type(embedder)):
        def __call__(self, *args: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
            own = super().__call__
            return own(*args) if len(calls) <= first else ASKED[asked](self, own, *args)

    monkeypatch.setattr(embedder, "__class__", Other)
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    samples, report = run(model, "once", **options)
    hook.remove()
    assert torch.equal(samples, native)
    assert report.references.frozen == set()
    assert "places its tokens in another way" in report.notes[-1]
    assert not embedder._forward_pre_hooks


def test_where_frames_have_times_of_their_own_every_step_computes_them() -> None:
    """The host shares these out over all tokens, the references' among them."""
    other = KNOWN["Wan 2.2 5B"]
    model = other.make()
    kept = references(model, other.size, (6, 4))
    sides = {side: conditioning(seed, context_latents=kept) for seed, side in ((1, "positive"), (2, "negative"))}
    mask = torch.ones(1, 1, *other.size)
    mask[:, :, 0] = 0.0
    options = {"steps": 3, "size": other.size, "noise_mask": mask, **sides}
    samples, report = run(model, "once", **options)
    assert torch.equal(samples, sample(model, **options))
    assert report.references.frozen == set()
    assert "each frame has a time of its own" in report.notes[-1]


@pytest.mark.parametrize("kind", ["noise_refiner", "double_block"])
def test_a_patch_that_is_told_of_references_keeps_them(kind: str) -> None:
    """As the host's ControlNets of Z-Image are: of the captions, and of the latents."""
    made = MODELS["z-image omni"]
    model = made.make()

    def patch(told: dict) -> dict:
        return {"img": told["img"] * 1.01}

    model.model_options["transformer_options"]["patches"] = {kind: [patch]}
    options = {"steps": 3, "size": made.cells, **made.sides(model)}
    samples, report = run(model, "once", **options)
    assert torch.equal(samples, sample(model, **options))
    assert report.references.frozen == set()
    assert "is told of the references among its tokens" in report.notes[-1]


def test_a_picture_of_references_that_the_host_ignores_is_none() -> None:
    """A Wan without a layer for a frame in front."""
    model = tiny.wan()
    sides = {
        side: conditioning(seed, reference_latents=references(model, FRAMES, (8, 6)))
        for seed, side in ((1, "positive"), (2, "negative"))
    }
    samples, report = run(model, "once", steps=3, size=FRAMES, **sides)
    assert torch.equal(samples, sample(model, steps=3, size=FRAMES, **sides))
    assert report.references is None


def test_what_the_host_keeps_of_hidream_is_found_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is attended to by itself in the first step of each prompt only, with Jano as without.

    The host knows references again by the address of a tensor that it makes anew in every step: by chance.
    """
    monkeypatch.setattr(comfy.ldm.hidream_o1.model, "id", lambda tensor: 1, raising=False)
    made = MODELS["hidream"]
    model = made.make()
    attend, counts = comfy.ops.scaled_dot_product_attention, []

    def counted(*args: object, **kwargs: object) -> torch.Tensor:
        counts[-1] += bool(kwargs.get("is_causal"))
        return attend(*args, **kwargs)

    monkeypatch.setattr(comfy.ops, "scaled_dot_product_attention", counted)
    options = {"steps": 3, "cfg": 3.0, "size": made.cells, **made.sides(model)}
    for choice in ("every step", "once"):
        model.model.diffusion_model.clear_kv_cache()
        counts.append(0)
        _, report = run(model, choice, **options)
    assert report.references.frozen == {1, 2}
    assert counts == [2, 2]  # once in each of its layers
