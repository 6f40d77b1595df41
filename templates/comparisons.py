"""Templates for those who want to know: settings against each other, and the paper's method."""

from __future__ import annotations

from typing import Any

from . import files
from .parts import (
    NARROW,
    SEED,
    WIDE,
    Template,
    jano,
    level_map,
    look,
    models,
    picture,
    prompt,
    report,
    sample,
    sampler,
    text,
)
from .pictures import HOUSE, empty, flux_text, vae
from .sheet import Node, Sheet

SHEET = 794
"""Height of the sweep with its sheet below its table."""
SETTINGS = {"cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}


def _flux(sheet: Sheet) -> tuple[Node, Node, dict[str, Any]]:
    """The upper row of both: model, decoder, and what a sampler is given."""
    models(sheet)
    unet, decoder, clip = sheet.add("UNETLoader", unet_name=files.FLUX), vae(sheet, files.FLUX_VAE), flux_text(sheet)
    prompt(sheet)
    words = text(sheet, clip, HOUSE)
    negative = sheet.add("ConditioningZeroOut", conditioning=words)
    sheet.column()
    latent = empty(sheet)
    positive = sheet.add("FluxGuidance", conditioning=words, guidance=3.5)
    return unet, decoder, {"positive": positive, "negative": negative, "latent_image": latent, **SETTINGS}


def compare(sheet: Sheet) -> None:
    unet, decoder, given = _flux(sheet)
    sample(sheet)
    model = jano(sheet, unet, quality="target", target_speedup=2.0)
    shown = []
    for title, source, steps in (("In full", unet, 28), ("With Jano", model, 28), ("Fewer steps", unet, 14)):
        sheet.column()
        run = sampler(sheet, source, title, wide=270, steps=steps, **given)
        decoded = sheet.add("VAEDecode", size=(270, 64), vae=decoder, samples=run)
        shown.append((run, decoded))
    full, (run, with_jano), fewer = shown
    look(sheet)
    pairs = (("Jano against full", with_jano), ("Fewer steps against full", fewer[1]))
    for title, image in pairs:
        sheet.add("JanoCompare", size=(WIDE, 740), title=title, reference=full[1], image=image)
        sheet.column()
    report(sheet, model, run)
    sheet.say("""
## Tune and compare

The same seed three times: in full, with Jano, and with fewer steps. Set the third sampler's *steps* so that it
takes as long as Jano's; the one with the higher PSNR wins.

- Quality *target* with **target_speedup** 2 computes half of the steps, those where that costs the picture
  least; the seconds saved are a little less than half. With *custom* you may set the rest as well (see *By
  regions, as published*).
- Higher is more alike: at 35 dB and more differences are hard to see.
""")


def by_regions(sheet: Sheet) -> None:
    unet, decoder, given = _flux(sheet)
    sample(sheet)
    analyzed = sheet.add("JanoAnalyzer", size=(NARROW, 300), model=unet, warmup=0.14, score="pairwise")
    sheet.column()
    levels = {"static_threshold": 0.2, "moderate_threshold": 0.5, "static_interval": 10, "moderate_interval": 3}
    model = jano(sheet, analyzed, quality="custom", active_interval=1, cooldown=0.04, target_speedup=0.0, **levels)
    sheet.column()
    run = sampler(sheet, model, steps=50, **given)
    look(sheet)
    decoded = picture(sheet, decoder, run, "by_regions")
    sheet.column()
    level_map(sheet, model, run, decoded)
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## By regions, as published

The method of the paper (arXiv 2603.00519), at its point for Flux that is called 2.00x: 50 steps, 7 of them to
warm up and 2 to cool down. Here the level map **drives** the run: active tokens (red) are computed at every
step, moderate ones (yellow) at every 3rd, static ones (blue) at every 10th. Click a step on the Jano node to
see what it computed.

- Two things differ from the paper: between computations Jano carries a token's prediction on along its last
  change, where the paper holds it, and the thresholds are shares of the regions.
- The presets do not work so: in our measurements whole steps save more at the same closeness.
- Works with Flux, Chroma and Wan; other models run natively, and say so.
""")


def sweep(sheet: Sheet) -> None:
    unet, decoder, given = _flux(sheet)
    sample(sheet)
    made = sheet.add("JanoSweep", size=(820, SHEET), model=unet, vae=decoder, seed=SEED, steps=28, **given)
    look(sheet)
    sheet.add("SaveImage", size=(760, SHEET), images=made, filename_prefix="jano/sweep")
    sheet.say("""
## Every quality of one seed

One press of Run samples the same seed in full, then with *fidelity*, *balanced*, *fast* and *draft*, and puts
the pictures on one sheet: seconds, how many times faster, how much was computed, how close each came to full.

- Pick the quality whose picture you like, and set it on a **Jano Accelerator** in your own workflow.
- **Copy table** on the node copies the figures, to paste into an issue.
- It takes as long as all runs together: about three times one in full.
- From a graph with SamplerCustomAdvanced, connect its guider, noise, sampler and sigmas instead.
""")


COMPARISONS = (
    Template(
        "Every quality of one seed",
        "full and four qualities",
        sweep,
        saved="one sheet",
        sign="qualities",
        head=2,
        colour="#8fd694",
    ),
    Template(
        "By regions, as published",
        "50 steps, the paper's settings",
        by_regions,
        saved="tokens by level",
        sign="levels",
        colour="#d93340",
        head=2,
    ),
    Template("Tune and compare", "full, Jano, fewer steps", compare, saved="decibels for each", sign="compare", head=3),
)
