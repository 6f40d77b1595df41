"""Templates that make clips."""

from __future__ import annotations

from . import files
from .edits import load_image
from .parts import (
    NARROW,
    PREVIEWED,
    SEED,
    TALL,
    Template,
    clip,
    jano,
    level_map,
    look,
    models,
    prompt,
    report,
    sample,
    sampler,
    text,
    text_encoder,
)
from .pictures import UNWANTED, vae
from .sheet import Node, Sheet

BALL = "A red ball rolls over a meadow past a small white house, still camera"


def wan(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.WAN)
    shifted = sheet.add("ModelSamplingSD3", model=unet, shift=8.0)
    encoder, decoder = text_encoder(sheet, files.UMT5, "wan"), vae(sheet, files.WAN_VAE)
    prompt(sheet)
    positive, negative = text(sheet, encoder, BALL), text(sheet, encoder, UNWANTED, "Negative prompt")
    sheet.column()
    latent = sheet.add("EmptyHunyuanLatentVideo", width=832, height=480, length=33)
    sample(sheet)
    model = jano(sheet, shifted)
    sheet.column()
    settings = {"steps": 30, "cfg": 6.0, "sampler_name": "uni_pc", "scheduler": "simple"}
    run = sampler(sheet, model, positive=positive, negative=negative, latent_image=latent, **settings)
    look(sheet)
    decoded = clip(sheet, decoder, run, "wan", 16.0)
    sheet.column()
    report(sheet, model, run)
    sheet.column()
    level_map(sheet, model, run, decoded)
    sheet.say("""
## Wan 2.1 text to video, faster with Jano

Jano forecasts the steps that it can, computes the others, and repairs afterwards what a forecast missed. The
node shows which steps were which while the sampler runs.

- Press Run, then bypass the Jano node (select it, Ctrl+B) and run again: same seed, in full.
- **quality** is the one knob: *fidelity* stays closest to the clip in full, *draft* is fastest.
- **Jano Report** says what was computed, how long it took, and why, if something ran natively.
- **Jano Convergence Map** shows, frame by frame, where forecasts were off, before the repair: from 1 % (violet) to
  30 % (pale yellow). It is for looking only.
""")


def wan22(sheet: Sheet) -> None:
    models(sheet)
    experts = [sheet.add("UNETLoader", unet_name=file) for file in (files.WAN22_HIGH, files.WAN22_LOW)]
    high, low = (sheet.add("ModelSamplingSD3", model=unet, shift=8.0) for unet in experts)
    encoder, decoder = text_encoder(sheet, files.UMT5, "wan"), vae(sheet, files.WAN_VAE)
    prompt(sheet)
    start = load_image(sheet, "First frame")
    sheet.column()
    positive = text(sheet, encoder, "The ball rolls slowly to the right, the grass moves in the wind, still camera")
    negative = text(sheet, encoder, UNWANTED, "Negative prompt")
    sheet.column()
    given = {"positive": positive, "negative": negative, "vae": decoder, "start_image": start}
    conditioned = sheet.add("WanImageToVideo", width=640, height=640, length=81, **given)
    sample(sheet)
    first = jano(sheet, high, title="Jano (high noise)")
    sheet.column()
    ranges = {"start_at_step": 0, "end_at_step": 10, "add_noise": "enable", "return_with_leftover_noise": "enable"}
    begun = _sampled(sheet, first, conditioned, conditioned["latent"], "High noise", **ranges)
    sheet.column()
    mapped = sheet.add("JanoConvergenceMap", size=(280, TALL), model=first, latent=begun)
    sheet.column()
    second = jano(sheet, low, title="Jano (low noise)", level_map=mapped["level_map"])
    sheet.column()
    ranges = {
        "start_at_step": 10,
        "end_at_step": 10000,
        "add_noise": "disable",
        "return_with_leftover_noise": "disable",
    }
    run = _sampled(sheet, second, conditioned, begun, "Low noise", **ranges)
    look(sheet)
    clip(sheet, decoder, run, "wan22", 16.0)
    sheet.column()
    report(sheet, second, run)
    sheet.say("""
## Wan 2.2 image to video, both experts

Each expert is a model of its own, so each has a Jano node. The first one's map goes into the second one's
*level_map*: with it come the errors that its run measured, and the second expert needs no warm-up.

- With 20 steps an expert has 10. With 4-step LoRAs there is nothing to forecast: Jano computes every step, and
  says so.
- **quality** is the one knob, on each of the two.
- Bypass both Jano nodes and the map (Ctrl+B) for the clip in full, with the same seed.
""")


def _sampled(sheet: Sheet, model: Node, given: Node, latent: object, title: str, **ranges: object) -> Node:
    """An expert's part of the run."""
    settings = {"noise_seed": SEED, "steps": 20, "cfg": 3.5, "sampler_name": "euler", "scheduler": "simple"}
    sides = {"positive": given["positive"], "negative": given["negative"], "latent_image": latent}
    shape = {"size": (280, TALL), "title": title}
    return sheet.add("KSamplerAdvanced", model=model, **shape, **sides, **settings, **ranges)


def inpainting(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.WAN_VACE)
    shifted = sheet.add("ModelSamplingSD3", model=unet, shift=5.0)
    encoder, decoder = text_encoder(sheet, files.UMT5, "wan"), vae(sheet, files.WAN_VAE)
    prompt(sheet)
    clip_in = sheet.add("LoadVideo", size=(280, 330), file="example.mp4")
    sheet.column()
    painted = load_image(sheet, "Mask: right-click, Open in MaskEditor")
    sheet.column()
    shown = sheet.add("GetVideoComponents", video=clip_in)
    as_image = sheet.add("MaskToImage", mask=painted["MASK"])
    repeated = sheet.add("RepeatImageBatch", image=as_image, amount=81)
    mask = sheet.add("ImageToMask", image=repeated, channel="red")
    sheet.column()
    positive = text(sheet, encoder, "A blue ball lies on the meadow, still camera", wide=NARROW)
    negative = text(sheet, encoder, UNWANTED, "Negative prompt", wide=NARROW)
    sample(sheet)
    seen = {"control_video": shown["images"], "control_masks": mask}
    sides = {"positive": positive, "negative": negative, "vae": decoder}
    filled = sheet.add("WanVaceToVideo", width=832, height=480, length=81, **sides, **seen)
    sheet.column()
    model = jano(sheet, shifted)
    sheet.column()
    settings = {"steps": 20, "cfg": 6.0, "sampler_name": "uni_pc", "scheduler": "simple"}
    sides = {"positive": filled["positive"], "negative": filled["negative"], "latent_image": filled["latent"]}
    run = sampler(sheet, model, **sides, **settings)
    look(sheet)
    clip(sheet, decoder, run, "wan_inpainting", 16.0, beside=True)
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## Wan inpainting (VACE), faster with Jano

What is masked is made anew in every frame; the rest of the clip stays. Load a clip (81 frames of it are taken)
and paint the mask on any picture of its shape. VACE's blocks are a part of the model, and are left out with the
steps that are forecast.

- **quality** is the one knob: *fidelity* stays closest to the clip in full, *draft* is fastest.
- Bypass the Jano node (Ctrl+B) for the clip in full, with the same seed.
- Masks on the latent (*Set Latent Noise Mask*) work as well: there forecasts are repaired where the mask is 1.
""")


def hunyuan(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.HUNYUAN)
    shifted = sheet.add("ModelSamplingSD3", model=unet, shift=7.0)
    named = {"clip_name1": files.QWEN_TEXT, "clip_name2": files.GLYPHS}
    encoder = sheet.add("DualCLIPLoader", **named, type="hunyuan_video_15")
    decoder = vae(sheet, files.HUNYUAN_VAE)
    prompt(sheet)
    positive, negative = text(sheet, encoder, BALL), text(sheet, encoder, "", "Negative prompt")
    sheet.column()
    latent = sheet.add("EmptyHunyuanVideo15Latent", width=1280, height=720, length=121)
    sample(sheet)
    model = jano(sheet, shifted)
    sheet.column()
    settings = {"steps": 20, "cfg": 6.0, "sampler_name": "euler", "scheduler": "simple"}
    run = sampler(sheet, model, positive=positive, negative=negative, latent_image=latent, **settings)
    look(sheet)
    clip(sheet, decoder, run, "hunyuan_video_15", 24.0)
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## HunyuanVideo 1.5, faster with Jano

Text to video, 121 frames of 720p in 20 steps with CFG 6: each step that is forecast saves two passes over a
very long sequence.

- **quality** is the one knob: *fidelity* stays closest to the clip in full, *draft* is fastest.
- Bypass the Jano node (Ctrl+B) for the clip in full, with the same seed.
- ComfyUI's own template has EasyCache in it: take one or the other. Jano stands aside where it finds one, and
  says so.
""")


def ltx2(sheet: Sheet) -> None:
    models(sheet)
    loaded = sheet.add("CheckpointLoaderSimple", ckpt_name=files.LTX2)
    encoder = sheet.add("LTXAVTextEncoderLoader", text_encoder=files.GEMMA, ckpt_name=files.LTX2)
    sound_vae = sheet.add("LTXVAudioVAELoader", ckpt_name=files.LTX2)
    prompt(sheet)
    said = text(sheet, encoder, f"{BALL}. It bounces with a soft thud, birds sing.")
    unwanted = text(sheet, encoder, UNWANTED, "Negative prompt")
    sheet.column()
    sides = sheet.add("LTXVConditioning", positive=said, negative=unwanted, frame_rate=24.0)
    frames = sheet.add("EmptyLTXVLatentVideo", width=768, height=512, length=97)
    sheet.column()
    sound = sheet.add("LTXVEmptyLatentAudio", audio_vae=sound_vae, frames_number=97, frame_rate=24.0)
    latent = sheet.add("LTXVConcatAVLatent", video_latent=frames, audio_latent=sound)
    sample(sheet)
    model = jano(sheet, loaded["MODEL"])
    sheet.column()
    noise = sheet.add("RandomNoise", noise_seed=SEED)
    both = {"positive": sides["positive"], "negative": sides["negative"]}
    guider = sheet.add("CFGGuider", model=model, cfg=4.0, **both)
    chosen = sheet.add("KSamplerSelect", sampler_name="euler")
    sigmas = sheet.add("LTXVScheduler", steps=20, latent=latent)
    sheet.column()
    given = {"noise": noise, "guider": guider, "sampler": chosen, "sigmas": sigmas, "latent_image": latent}
    run = sheet.add("SamplerCustomAdvanced", size=(NARROW, PREVIEWED), **given)["output"]
    parts = sheet.add("LTXVSeparateAVLatent", size=(NARROW, 64), av_latent=run)
    given = {"samples": parts["audio_latent"], "audio_vae": sound_vae}
    heard = sheet.add("LTXVAudioVAEDecode", size=(NARROW, 64), **given)
    look(sheet)
    clip(sheet, loaded["VAE"], parts["video_latent"], "ltx2", 24.0, audio=heard)
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## LTX-2 with sound, faster with Jano

Picture and sound lie in one latent and are forecast together. One stage of 20 steps with CFG 4, without the
upscaler of ComfyUI's own template: its second stage takes 3 steps, where nothing can be left out.

- The sampler is *euler*: *euler_ancestral* adds noise that cannot be forecast.
- **quality** is the one knob: *fidelity* stays closest to the clip in full, *draft* is fastest.
- Bypass the Jano node (Ctrl+B) for the clip in full, with the same seed.
""")


CLIPS = (
    Template("Wan 2.1 text to video", "30 steps, uni_pc", wan, "wan"),
    Template("Wan 2.2 image to video", "both experts, 20 steps", wan22, sign="animate", head=2, colour="#f0c05a"),
    Template("Wan inpainting", "VACE, 20 steps", inpainting, sign="mask", colour="#f0c05a"),
    Template("HunyuanVideo 1.5 text to video", "20 steps, CFG 6", hunyuan, sign="film", head=2, colour="#f08a8a"),
    Template("LTX-2 text to video with sound", "20 steps, CFG 4", ltx2, sign="sound", colour="#7fd0c0"),
)
