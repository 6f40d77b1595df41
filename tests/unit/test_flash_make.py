"""The file of a small decoder: what it holds, what lies beside it, what is refused, and how a stopped run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from comfyui_jano.flash_vaed import ltx_teacher
from comfyui_jano.flash_vaed.__main__ import main, read_teacher
from comfyui_jano.flash_vaed.account import costs, flops_per_frame
from comfyui_jano.flash_vaed.compress import Recipe
from comfyui_jano.flash_vaed.distill import Plan
from comfyui_jano.flash_vaed.layout import student_of
from comfyui_jano.flash_vaed.lessons import Size
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.make import Order, digest, make_student, split
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.teachers import teacher_from
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.flash_vaed.wan_teacher import blocks_in_full
from comfyui_jano.host.location import ROOT, chosen_host
from comfyui_jano.host.server import DEMO_MODELS
from comfyui_jano.tests.filled import shapes_in, shapes_of
from comfyui_jano.tests.small_teacher import LAYOUTS, by_host_names, small_clips, small_state, small_teacher
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

CPU = torch.device("cpu")
RECIPE = Recipe((0.5, 0.5), refit=False)
PLAN = Plan(steps=(1, 1, 1), batch=2, size=Size(2, 2), windows=2)


def make(path: Path, layout: str = "wan", **changes: object) -> dict:
    order = Order(path, RECIPE, dataclasses.replace(PLAN, **changes))
    return make_student(small_teacher(layout), small_clips(3), order, CPU)


@pytest.fixture(scope="module", params=LAYOUTS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    path = tmp_path_factory.mktemp("made") / "new" / "small.safetensors"
    return path, make(path, request.param)


def test_the_loader_reads_what_is_made(made: tuple[Path, dict]) -> None:
    student, weights = student_of(load_file(made[0]), made[0].name)
    student.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    assert (student.widths.fine, student.widths.finest) == (4, 2)
    z = torch.randn(1, 4, 2, 2, 2)
    assert student(z).shape == student.decode_output_shape(z.shape)


def test_the_latents_scale_is_the_teachers_to_the_last_digit(tmp_path: Path) -> None:
    make(tmp_path / "small.safetensors", "ltx", steps=(0, 0, 0))
    kept, teacher = load_file(tmp_path / "small.safetensors"), small_teacher("ltx")
    assert torch.equal(kept["latents_mean"], teacher.latents_mean)
    assert torch.equal(kept["latents_std"], teacher.latents_std)
    assert kept["decoder.conv_in.conv.weight"].dtype == torch.float16


def test_the_file_says_how_it_was_made(made: tuple[Path, dict]) -> None:
    path, report = made
    with safe_open(str(path), "pt") as file:
        told = json.loads(file.metadata()["flash_vaed"])
    assert told == report == json.loads((path.parent / "small_report.json").read_text())
    assert told["steps"] == [1, 1, 1]
    assert told["widths"]["finest"] == 2
    assert len(told["teacher"]) == hashlib.sha256().digest_size * 2
    assert all(0 < share <= 1 for share in told["explained"].values())
    assert len(told["explained"]) == {"Wan 2.1": 14, "LTX-Video 0.9": 20}[told["layout"].removesuffix(", Flash-VAED")]
    assert told["held_out"]
    assert {"psnr_db", "ssim", "psnr_worst_frame_db"} <= told["against_teacher"].keys()
    assert "times fewer" in (path.parent / "small_report.md").read_text()


def test_nothing_is_overwritten(made: tuple[Path, dict]) -> None:
    before = made[0].read_bytes()
    with pytest.raises(ValueError, match="not overwritten"):
        make(made[0])
    assert made[0].read_bytes() == before


OTHER_PLANS = (
    ({"rate": 1e-5}, "learning rate (0.0005, now 1e-05)"),
    ({"seed": 7}, "seed (0, now 7)"),
    ({"steps": (1, 1, 2)}, "number of steps (1 + 1 + 1, now 1 + 1 + 2)"),
    (
        {"size": Size(3, 1), "batch": 1},
        "batch (2, now 1) and another side of windows (2, now 3) and another length of windows (2, now 1)",
    ),
)


def double_headed(layout: str) -> StreamedDecoder:
    teacher = small_teacher(layout)
    for value in list(teacher.parameters())[-1:]:
        value.mul_(2)
    return teacher


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stopped_run_goes_on_with_its_channels_and_settings(layout: str, tmp_path: Path) -> None:
    order = Order(tmp_path / "small.safetensors", RECIPE, PLAN)

    def stopping(step: int, steps: int, what: str, loss: float | None) -> None:
        if step == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make_student(small_teacher(layout), small_clips(3), order, CPU, tell=stopping)
    for changes, words in OTHER_PLANS:
        with pytest.raises(ValueError, match=f"a run with another {re.escape(words)}: go on"):
            make(order.path, layout, **changes)
    other = dataclasses.replace(order, recipe=dataclasses.replace(RECIPE, seed=1, ratio=(0.5, 0.25)))
    with pytest.raises(ValueError, match=r"kept \(0.5 \+ 0.5, now 0.5 \+ 0.25\) and another seed \(0, now 1\): go on"):
        make_student(small_teacher(layout), small_clips(3), other, CPU)
    with pytest.raises(ValueError, match="another VAE: go on"):
        make_student(double_headed(layout), small_clips(3), order, CPU)
    with pytest.raises(
        ValueError, match="another set of clips: go on"
    ):  # some may be held out now that were learnt from
        make_student(small_teacher(layout), small_clips(4), order, CPU)
    told = []
    make_student(small_teacher(layout), small_clips(3), order, CPU, tell=lambda *progress: told.append(progress[:3]))
    assert told == [(3, 3, "shallow"), (3, 3, "measuring")]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small.safetensors",
        "small_report.json",
        "small_report.md",
    ]


def test_a_run_stopped_while_it_is_measured_is_not_trained_again(tmp_path: Path) -> None:
    order = Order(tmp_path / "small.safetensors", RECIPE, PLAN)

    def stopping(step: int, steps: int, what: str, loss: float | None) -> None:
        if what == "measuring":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make_student(small_teacher(), small_clips(3), order, CPU, tell=stopping)
    assert order.checkpoint.exists()
    told = []
    make_student(small_teacher(), small_clips(3), order, CPU, tell=lambda *progress: told.append(progress[:3]))
    assert told == [(3, 3, "measuring")]
    assert not order.checkpoint.exists()
    make(tmp_path / "whole.safetensors")
    whole, stopped = load_file(tmp_path / "whole.safetensors"), load_file(order.path)
    assert all(torch.equal(value, stopped[name]) for name, value in whole.items())


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        ([], "no clips"),
        ([torch.zeros(16, 2, 4, 4)], "must have 4 channels"),
        ([torch.zeros(4, 2, 1, 4)], "at least 2"),
        ([torch.zeros(4, 0, 4, 4)], "at least 2 x 2 places"),
        ([torch.zeros(4, 2, 4, 4), torch.full((4, 2, 4, 4), float("nan"))], "not finite"),
    ],
)
def test_unfit_clips_are_refused_in_words(clips: list[torch.Tensor], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        make_student(small_teacher(), clips, Order(tmp_path / "small.safetensors"), CPU)


@pytest.mark.parametrize(
    ("recipe", "plan", "words"),
    [
        (Recipe((0.0, 0.5)), PLAN, "keep between 0 and 1"),
        (Recipe((0.5, 1.5)), PLAN, "keep between 0 and 1"),
        (Recipe(explained=1.0), PLAN, "less than 1 of the variance"),
        (RECIPE, dataclasses.replace(PLAN, steps=(-1, 0, 1)), "0 steps or more"),
        (RECIPE, dataclasses.replace(PLAN, rate=0.0), "rate above 0"),
        (RECIPE, dataclasses.replace(PLAN, batch=0), "1 window or more"),
        (RECIPE, dataclasses.replace(PLAN, size=Size(1, 2)), "windows of 2 latents"),
    ],
)
def test_settings_that_no_run_can_have_are_told(recipe: Recipe, plan: Plan, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        make_student(small_teacher(), small_clips(3), Order(tmp_path / "small.safetensors", recipe, plan), CPU)


def test_some_clips_are_kept_to_measure_on() -> None:
    clips = small_clips(17)
    learnt, held = split(clips)
    assert (len(learnt), len(held)) == (15, 2)
    assert split(clips[:1]) == (clips[:1], [])
    assert not any(one is other for one in learnt for other in held)


def test_the_released_decoders_work_is_counted() -> None:
    teacher = WanStudent(dataclasses.replace(WanWidths(), fine=192, finest=96), naive=True)
    blocks_in_full(teacher.decoder, teacher.widths)
    assert flops_per_frame(teacher) / 1e9 == pytest.approx(3387.5, abs=0.1)
    assert flops_per_frame(WanStudent(naive=True)) / 1e9 == pytest.approx(119.7, abs=0.1)
    found = costs(teacher, WanStudent())
    assert found["teacher_parameters"] == pytest.approx(73.30e6, rel=1e-3)
    assert found["times_fewer_flops"] > 3387.5 / 119.7


def test_the_released_ltx_decoders_work_is_counted() -> None:
    """In the middle of a clip; of 81 frames the VAE's clip takes 349.8 GFLOP a frame and the decoder's 21.6."""
    with torch.device("meta"):
        teacher = LTXStudent(dataclasses.replace(LTXWidths(), fine=256, finest=128))
        ltx_teacher.blocks_in_full(teacher.decoder, teacher.widths)
        found = costs(teacher, LTXStudent())
    assert found["teacher_parameters"] == pytest.approx(238.8e6, rel=1e-3)
    assert found["parameters"] == pytest.approx(66.96e6, rel=1e-3)
    assert found["times_fewer_flops"] == pytest.approx(349.8 / 21.6, rel=0.05)
    assert shapes_in(teacher) == {
        name: shape for name, shape in shapes_of("teacher_ltx_diffusers").items() if not name.startswith("encoder.")
    }


def test_the_demos_decoder_was_made_from_the_demos_vae() -> None:
    models = ROOT / "demo" / "models"
    with safe_open(str(models / "jano_tiny_wan_fast_decoder.safetensors"), "pt") as file:
        told = json.loads(file.metadata()["flash_vaed"])
    assert told["teacher"] == digest(teacher_from(load_file(models / "jano_tiny_wan_vae.safetensors")))
    assert told["costs"]["times_fewer_flops"] >= 5
    assert told["against_teacher"]["psnr_db"] > 28


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_command_line_makes_the_same_file(layout: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    vae, clips, out = tmp_path / "vae.safetensors", tmp_path / "clips.latent", tmp_path / "out.safetensors"
    save_file(small_state(layout), str(vae))
    latents = torch.stack(small_clips(3))
    save_file({"latent_tensor": latents, "latent_format_version_0": torch.tensor([])}, str(clips))
    settings = ["--keep", "0.5", "0.5", "--steps", "4", "--batch", "12", "--window", "2", "2", "--device", "cpu"]
    arguments = ["--vae", str(vae), "--clips", str(clips), "--out", str(out), *settings]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "PSNR to the teacher" in said.out
    assert "of 4  shallow" in said.err
    assert (tmp_path / "out_report.json").exists()
    assert main(arguments) == 1
    assert "not overwritten" in capsys.readouterr().err


def test_the_command_line_takes_the_vae_out_of_a_checkpoint_and_reads_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    state = {f"vae.{name}": value for name, value in by_host_names(small_state("ltx")).items()}
    config = json.dumps({"vae": {"spatial_padding_mode": "replicate"}})
    save_file(state | {"model.diffusion_model.x": torch.zeros(1)}, str(path), {"config": config})
    told, expected = read_teacher(path), small_teacher("ltx")
    assert told.decoder.conv_in.conv.padding_mode == "replicate"
    for name, value in expected.state_dict().items():
        assert torch.equal(told.state_dict()[name], value), name
    assert digest(told) != digest(expected)


def test_pictures_without_comfyui_are_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    save_file(small_state(), str(tmp_path / "vae.safetensors"))
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    files = [str(tmp_path / name) for name in ("vae.safetensors", "a.png", "out.safetensors")]
    assert main(["--vae", files[0], "--clips", files[1], "--out", files[2]]) == 1
    assert "no ComfyUI" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--lpips", "vae.safetensors", "vae.safetensors lacks net.slice1.0.weight"),
        ("--lpips", "nowhere.safetensors", "there is no file"),
        ("--device", "gpu", "--device: "),
        ("--out", "vae.safetensors/out.safetensors", "cannot be written"),
        ("--out", "NUL.safetensors", "'NUL' is the name of a device on Windows"),
        ("--clips", "text.png", "text.png is neither a latent nor a picture"),
        ("--clips", "picture.latent", "(2, 16, 4, 4), and whether that is a clip or a batch of pictures is not known"),
        ("--clips", "two.latent", "two.latent holds 2 tensors, not one latent"),
        ("--clips", "empty.latent", "empty.latent is empty"),
        ("--clips", "small.png", "The VAE cannot encode"),
    ],
)
def test_the_command_line_says_in_a_line_what_does_not_fit(option: str, value: str, words: str, tmp_path: Path) -> None:
    """In a process of its own, as users run it: there `jano` is on the path and ComfyUI is not."""
    save_file(small_state(), str(tmp_path / "vae.safetensors"))
    save_file({"latent_tensor": torch.zeros(1, 4, 2, 4, 4)}, str(tmp_path / "a.latent"))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.latent").touch()
    Image.new("RGB", (3, 2)).save(tmp_path / "small.png")
    save_file({"latent_tensor": torch.zeros(2, 16, 4, 4)}, str(tmp_path / "picture.latent"))
    save_file({"a": torch.zeros(1, 4, 2, 4, 4), "b": torch.zeros(1)}, str(tmp_path / "two.latent"))
    vae = str(DEMO_MODELS / "jano_tiny_wan_vae.safetensors") if option == "--clips" else "vae.safetensors"
    given = {"--vae": vae, "--clips": "a.latent", "--out": "out.safetensors"} | {option: value}
    paths = [part for name, file in given.items() for part in (name, file if file == "gpu" else str(tmp_path / file))]
    environ = os.environ | {"COMFYUI_PATH": str(chosen_host().folder)}
    command = [sys.executable, "-m", "flash_vaed", "--device", "cpu", *paths]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode in (1, 2)
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_that_takes_no_file_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "a.safetensors", tmp_path / f"{'x' * 300}.safetensors"):
        with pytest.raises(ValueError, match="cannot be written"):
            make(path)


def without_encoder(path: Path) -> Path:
    """The demo's VAE without the half that encodes."""
    weights = load_file(DEMO_MODELS / "jano_tiny_wan_vae.safetensors")
    save_file({name: value for name, value in weights.items() if not name.startswith("encoder.")}, str(path))
    return path


def unreadable(path: Path) -> Path:
    """A VAE that the host does not know, whatever its encoder."""
    save_file(small_state("ltx") | {"encoder.conv_in.conv.weight": torch.zeros(1)}, str(path))
    return path


@pytest.mark.parametrize(
    ("vae", "words"),
    [(without_encoder, "has no encoder, so it cannot encode pictures"), (unreadable, "ComfyUI cannot load")],
)
def test_pictures_for_a_vae_that_cannot_encode_get_a_sentence(
    vae: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    path = vae(tmp_path / "vae.safetensors")
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    environ = os.environ | {"COMFYUI_PATH": str(chosen_host().folder)}
    paths = ["--vae", str(path), "--clips", str(tmp_path / "a.png"), "--out", str(tmp_path / "out.safetensors")]
    command = [sys.executable, "-m", "flash_vaed", "--device", "cpu", *paths]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert words in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("content", ["[]", "nothing", '{"step": "3"}'])
def test_a_checkpoint_that_is_none_is_told(content: str, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, str(tmp_path / "small.training"), {"training": content})
    with pytest.raises(ValueError, match="small.training is no checkpoint of a training"):
        make(tmp_path / "small.safetensors")


def test_a_report_says_when_nothing_was_learnt_of_motion(tmp_path: Path) -> None:
    clips = [*small_clips(3), small_clips(1)[0][:, :1]]
    order = Order(tmp_path / "small.safetensors", RECIPE, PLAN)
    make_student(small_teacher(), clips, order, CPU)
    told = (tmp_path / "small_report.md").read_text()
    assert "| Windows | 1 x 2 x 2 latents (time, height, width); a clip or more is a single picture" in told
