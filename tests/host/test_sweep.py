"""Jano Sweep on the real host: one seed in full and in every quality, from either kind of sampler graph."""

from __future__ import annotations

import json

import comfy.model_management
import comfy.samplers
import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras import nodes_custom_sampler
from comfyui_jano.host.server import DEMO_MODELS
from comfyui_jano.jano.adapters import sweep as adapter
from comfyui_jano.jano.adapters.patch import schedule, without_jano
from comfyui_jano.jano.adapters.settings import settings_of
from comfyui_jano.jano.presets import schedule_of
from comfyui_jano.nodes.sweep import JanoSweep
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_bad_input import ONE_SENTENCE
from comfyui_jano.tests.host.test_nodes import prepared, run
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

SIZE = (16, 12)


@pytest.fixture(scope="session")
def vae() -> comfy.sd.VAE:
    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(DEMO_MODELS / "jano_tiny_flux_vae.safetensors")))


def swept(flux: ModelPatcher, decoder: object, **inputs: object) -> tuple[Tensor, Tensor, str, dict]:
    """The node's outputs, its JSON read."""
    given = {
        "latent_image": {"samples": tiny.empty_latent(flux, SIZE)},
        "vae": decoder,
        "seed": 7,
        "steps": 12,
        "model": flux,
        "positive": tiny.conditioning(1),
        "negative": tiny.conditioning(2),
    }
    with torch.inference_mode():
        sheet, pictures, markdown, account = run(prepared(JanoSweep), **{**given, **inputs}).args
    return sheet, pictures, markdown, json.loads(account)


def decoded(vae: object, samples: Tensor) -> Tensor:
    with torch.inference_mode():
        return vae.decode(samples)[..., :3].cpu()


def test_one_press_samples_full_and_every_quality(flux: ModelPatcher, vae: object) -> None:
    sheet, pictures, markdown, account = swept(flux, vae, qualities="fast, draft")
    rows = {row["name"]: row for row in account["rows"]}
    assert list(rows) == ["full", "fast", "draft"]
    assert rows["full"]["computed_token_fraction"] == 1.0 > rows["draft"]["computed_token_fraction"]
    assert all(row["seconds"] > 0 for row in rows.values())
    assert rows["draft"]["psnr_db"] > 0
    assert rows["draft"]["verdict"] in markdown
    full, draft = (rows[name]["seconds"] for name in ("full", "draft"))  # rounded to milliseconds
    assert (full - 0.001) / (draft + 0.001) <= rows["draft"]["factor"] <= (full + 0.001) / (draft - 0.001)
    assert "12 steps, euler/simple, cfg 1, seed 7" in markdown
    assert pictures.shape == (3, 8 * SIZE[0], 8 * SIZE[1], 3)
    assert sheet.shape[0] == 1
    assert sheet.std() > 0


def test_a_batch_of_pictures_is_no_clip(flux: ModelPatcher, vae: object) -> None:
    latent = {"samples": tiny.empty_latent(flux, SIZE, batch=3)}
    _, pictures, markdown, account = swept(flux, vae, qualities="draft", latent_image=latent)
    assert pictures.shape[0] == 2 * 3
    assert (account["size"], account["batch"]) == (f"{8 * SIZE[1]} x {8 * SIZE[0]}", 3)
    assert f"{account['size']}, 3 in a batch, 12 steps" in markdown
    assert "frame" not in markdown
    single = swept(flux, vae, qualities="draft")
    assert "batch" not in single[2]


def test_full_is_the_picture_of_the_hosts_own_sampler_and_a_quality_that_of_the_scheduler(
    flux: ModelPatcher, vae: object
) -> None:
    _, pictures, _, _ = swept(flux, vae, qualities="draft", cfg=3.0, steps=10)
    latent = tiny.empty_latent(flux, SIZE)
    assert torch.equal(pictures[:1], decoded(vae, sample(flux, 10, 3.0, latent=latent)))
    quick = with_scheduler(flux, "draft")
    assert torch.equal(pictures[1:], decoded(vae, sample(quick, 10, 3.0, latent=latent)))


def test_a_graph_of_sampler_custom_advanced_connects_its_own_wires(flux: ModelPatcher, vae: object) -> None:
    (guider,) = nodes_custom_sampler.CFGGuider.execute(flux, tiny.conditioning(1), tiny.conditioning(2), 3.0).args
    wires = {
        "guider": guider,
        "noise": nodes_custom_sampler.RandomNoise.execute(7).args[0],
        "sampler": nodes_custom_sampler.KSamplerSelect.execute("heun").args[0],
        "sigmas": nodes_custom_sampler.BasicScheduler.execute(flux, "beta", 9, 1.0).args[0],
    }
    _, pictures, _, account = swept(flux, vae, qualities="fast", seed=1, steps=3, model=None, positive=None, **wires)
    assert (account["steps"], account["sampler"], account["seed"], account["cfg"]) == (9, "heun", 7, 3.0)
    assert "scheduler" not in account
    latent = {"samples": tiny.empty_latent(flux, SIZE)}
    with torch.inference_mode():
        output = nodes_custom_sampler.SamplerCustomAdvanced.execute(
            wires["noise"], guider, wires["sampler"], wires["sigmas"], latent
        )
    assert torch.equal(pictures[:1], decoded(vae, output.args[0]["samples"]))
    assert guider.model_patcher is flux  # the user's guider is left as it was


def test_without_a_negative_prompt_the_guidance_does_not_count(flux: ModelPatcher, vae: object) -> None:
    _, pictures, _, _ = swept(flux, vae, qualities="draft", negative=None, cfg=5.0)
    assert torch.equal(pictures[:1], decoded(vae, sample(flux, latent=tiny.empty_latent(flux, SIZE))))


def test_a_scheduler_before_it_does_not_stack(flux: ModelPatcher, vae: object) -> None:
    before = with_scheduler(flux, "draft")
    _, pictures, markdown, account = swept(before, vae, qualities="fidelity")
    plain = swept(flux, vae, qualities="fidelity")
    assert torch.equal(pictures, plain[1])
    assert [row["computed_token_fraction"] for row in account["rows"]] == [
        row["computed_token_fraction"] for row in plain[3]["rows"]
    ]
    assert "Note: the Jano node before this one is left out" in markdown
    assert "Note" not in plain[2]
    assert settings_of(before).scheduler == schedule_of("draft", {})  # and is left as it was


def test_without_jano_a_model_is_as_before(flux: ModelPatcher) -> None:
    bare = without_jano(schedule(flux, schedule_of("draft", {}), preset=True))
    assert bare.get_attachment("jano") is None
    assert "jano" not in bare.model_options["transformer_options"]
    assert all("jano" not in by_key for by_key in bare.wrappers.values())
    assert torch.equal(sample(bare), sample(flux))


def test_why_a_quality_is_not_accelerated_stands_in_its_row(flux: ModelPatcher, vae: object) -> None:
    _, _, markdown, account = swept(flux, vae, qualities="balanced", steps=4)
    row = account["rows"][1]
    assert row["reason"].startswith("4 steps are too few")
    assert row["verdict"] == "the same picture"
    assert "| the same picture; not accelerated because 4 steps are too few" in markdown


def test_what_does_not_fit_into_the_memory_is_a_row_that_says_so(flux: ModelPatcher, vae: object, monkeypatch) -> None:
    """The host's own error, raised where the second of three runs begins."""
    run_it = adapter.Sampling.run

    def full_memory(sampling: adapter.Sampling) -> dict:
        if settings_of(sampling.guider.model_patcher).scheduler == schedule_of("fast", {}):
            raise comfy.model_management.OOM_EXCEPTION("CUDA out of memory")
        return run_it(sampling)

    monkeypatch.setattr(adapter.Sampling, "run", full_memory)
    sheet, pictures, markdown, account = swept(flux, vae, qualities="fast, draft")
    assert [row["seconds"] is None for row in account["rows"]] == [False, True, False]
    assert "| fast |  |  |  |  |  | no picture: out of memory |" in markdown
    assert pictures.shape[0] == 2
    assert sheet.std() > 0


class Spoiling:
    """A VAE that makes nothing of one of its pictures, counted from 0."""

    def __init__(self, vae: object, spoilt: int) -> None:
        self._vae, self._left = vae, spoilt

    def __getattr__(self, name: str) -> object:
        return getattr(self._vae, name)

    def decode(self, samples: Tensor) -> Tensor:
        self._left -= 1
        picture = self._vae.decode(samples)
        return torch.full_like(picture, torch.nan) if self._left == -1 else picture


def test_what_is_not_finite_is_a_row_that_says_so(flux: ModelPatcher, vae: object) -> None:
    _, pictures, markdown, account = swept(flux, Spoiling(vae, 1), qualities="fast, draft")
    assert "| fast |  |  |  |  |  | no picture: it holds values that are not finite numbers |" in markdown
    assert pictures.shape[0] == 2
    assert pictures.isfinite().all()
    assert account["rows"][2]["psnr_db"] > 0


def test_without_a_picture_in_full_there_is_nothing_to_compare_with(flux: ModelPatcher, vae: object) -> None:
    with pytest.raises(ValueError, match="^Jano Sweep: the picture in full holds values that are not finite"):
        swept(flux, Spoiling(vae, 0), qualities="draft")


class TwoScales(comfy.samplers.CFGGuider):
    """A guider as of other packs, which keeps a list where the host keeps a number."""

    def predict_noise(self, x: Tensor, timestep: Tensor, *args, **kw) -> Tensor:
        scales, self.cfg = self.cfg, self.cfg[0]
        try:
            return super().predict_noise(x, timestep, *args, **kw)
        finally:
            self.cfg = scales


def test_what_another_pack_calls_cfg_and_seed_ends_no_sweep(flux: ModelPatcher, vae: object) -> None:
    guider = TwoScales(flux)
    guider.set_conds(tiny.conditioning(1), tiny.conditioning(2))
    guider.set_cfg([3.0, 1.0])
    noise = nodes_custom_sampler.RandomNoise.execute(7).args[0]
    noise.seed, noise.generate_noise = "7", nodes_custom_sampler.Noise_RandomNoise(7).generate_noise
    _, _, markdown, account = swept(flux, vae, qualities="draft", guider=guider, noise=noise)
    assert (account["cfg"], account["seed"]) == (None, None)
    assert "cfg" not in markdown.splitlines()[0]


def test_an_interruption_ends_all_of_it(flux: ModelPatcher, vae: object) -> None:
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        swept(flux, vae)
    _, pictures, _, _ = swept(flux, vae, qualities="draft")
    assert pictures.shape[0] == 2


@pytest.mark.parametrize("sampler_name", ["uni_pc", "dpm_fast", "dpmpp_3m_sde", "dpm_2"])
def test_every_kind_of_sampler_is_warmed_up(flux: ModelPatcher, vae: object, sampler_name: str) -> None:
    _, pictures, _, account = swept(flux, vae, qualities="draft", sampler_name=sampler_name, steps=9)
    assert account["sampler"] == sampler_name
    latent = tiny.empty_latent(flux, SIZE)
    assert torch.equal(pictures[:1], decoded(vae, sample(flux, 9, sampler=sampler_name, latent=latent)))


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"positive": None}, "^Jano Sweep: connect model and positive, as to a KSampler, or a guider"),
        ({"model": None}, "^Jano: model must be connected to a node's MODEL output, but it is nothing.$"),
        ({"denoise": 0.0}, "^Jano Sweep: there is no step to sample; "),
        (
            {"qualities": "best"},
            "^Jano: 'best' in qualities cannot be swept; name one or more of fidelity, .*, separated by commas.$",
        ),
        ({"latent_image": None}, "^Jano: latent must be connected to a sampler's LATENT output, but it is nothing.$"),
        ({"guider": "cfg"}, "^Jano: guider must be connected to a guider node's GUIDER output, but it is a str.$"),
        ({"noise": 7}, "^Jano: noise must be connected to a node's NOISE output, but it is a int.$"),
        ({"sampler": "euler"}, "^Jano: sampler must be connected to a node's SAMPLER output, but it is a str.$"),
        ({"sigmas": [1.0, 0.0]}, "^Jano: sigmas must be connected to a node's SIGMAS output, but it is a list.$"),
        ({"vae": "ae"}, "^Jano: vae must be connected to a node's VAE output, but it is a str.$"),
    ],
)
def test_what_cannot_be_swept_is_one_sentence(flux: ModelPatcher, vae: object, inputs: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        swept(flux, vae, **inputs)


NAN = float("nan")
PROMPT = (torch.zeros(1, 8, 32), {})
ROW = torch.linspace(1.0, 0.0, 5)
REFUSED = {
    "steps": (0, -1, 2.5, NAN, "20", None, True, 10**9, [20]),
    "seed": (-1, 1.5, "7", None, 2**64),
    "denoise": (-0.1, 1.1, NAN, "1", None),
    "cfg": (-1.0, NAN, float("inf"), "1", None),
    "sampler_name": ("", "oiler", None, 3, []),
    "scheduler": ("", "simpel", None, 3, []),
    "positive": ([], [[None, {}]], [[]], [PROMPT[0]], [[*PROMPT, 3]], 7, "a cat", {}, [None], [[PROMPT[0], None]]),
    "negative": ([], [[None, {}]], 7, "", [None]),
    "model": (3, "flux", {}, []),
    "guider": (3, [], object()),
    "noise": (3, [], object(), torch.zeros(3)),
    "sampler": (3, [], object()),
    "sigmas": (ROW[:0], ROW[:1], ROW.view(1, -1), torch.tensor(1.0), ROW * NAN, -ROW, ROW / 0, [1.0], "simple", 3),
    "latent_image": (3, [], {}, {"samples": None}, {"samples": torch.zeros(0, 16, 6, 5)}, torch.zeros(1, 16, 6, 5)),
    "vae": (None, 3, [], {}, object()),
    "qualities": ("", 3, None, [], "fast,,best"),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name} {index}")
        for name, values in REFUSED.items()
        for index, value in enumerate(values)
    ],
)
def test_whatever_comes_over_the_api_is_refused_in_one_sentence(
    flux: ModelPatcher, vae: object, name: str, value: object
) -> None:
    with pytest.raises(ValueError, match=ONE_SENTENCE) as refused:
        swept(flux, vae, **{"negative": tiny.conditioning(2), name: value})
    assert name.split("_")[0] in str(refused.value) or name == "sigmas"


def test_another_models_vae_is_told_in_one_sentence(flux: ModelPatcher) -> None:
    class Other:
        def decode(self, samples: Tensor) -> Tensor:
            return torch.nn.functional.conv2d(samples, torch.zeros(3, 4, 1, 1)).movedim(1, -1)

    with pytest.raises(ValueError, match="^Jano Sweep: the VAE cannot decode what this model makes [^\n]+[.]$"):
        swept(flux, Other(), qualities="draft")


def test_words_that_are_no_quality_are_refused_before_queueing() -> None:
    assert JanoSweep.validate_inputs("fast, draft") is True
    assert JanoSweep.validate_inputs(None) is True
    assert "'best' in qualities cannot be swept" in JanoSweep.validate_inputs("fast best")
    assert "qualities is empty" in JanoSweep.validate_inputs(" , ")
