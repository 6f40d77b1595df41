"""Every sentence that a user can meet in a run, in English, by its key.

A sentence is text to everyone but the page, which is told its key and values too and speaks it in the reader's language
(web/words/). A value is text, a number, another sentence, or a list of them, whose format is what stands between two.
Keys are never used for another sense: runs that were saved long ago have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from string import Formatter

CATALOGUE = {
    # why a run is native, as what follows "because"
    "unknown_sampling": "{model} is sampled in a way that Jano does not know (supported: flow, eps, v and EDM models)",
    "no_pictures": "the latent is neither pictures nor video",
    "too_few_steps": "{steps} steps are too few to gain anything with {sampler} (from {fewest} on, or with quality "
    "custom)",
    "this_sampler": "this sampler",
    "no_steps": "the run has no steps",
    "own_steps": "the sampler {sampler} chooses its own steps (any sampler with fixed steps works)",
    "rising_sigmas": "the sigmas do not only fall (unsampling or restarts)",
    "high_sigmas": "the sigmas start at {sigma:.1f}, above the 1 of pure noise in a flow model",
    "close_steps": "two steps lie so close together that they cannot be told apart (use fewer steps, or another "
    "scheduler)",
    "other_cache": "{cache} is on the same model (remove one of the two)",
    "nunchaku_cache": "nunchaku's cache (cache_threshold above 0)",
    "no_room": "{steps} steps leave nothing between {warmup} steps of warm-up and {cooldown} of cool-down; use more "
    "steps",
    "map_of_another_size": "the level map is for {theirs} latent cells (frames, height, width) in tokens of "
    "{their_patch}, but this latent has {ours} in tokens of {our_patch}; use a map made at this size with this model",
    "no_map": "the sampler evaluated too few of the first steps to draw a level map",
    "not_finite": "the model predicted values that are not finite numbers",
    "nothing_saved": "no step could be forecast within this quality's tolerance (fast and draft tolerate more)",
    "nothing_saved_of_noise": "the sampler adds noise of its own at every step, so that no step could be forecast "
    "within this quality's tolerance (try euler or uni_pc; fast and draft tolerate more)",
    "nothing_asked": "a target_speedup this close to 1 leaves no step out",
    "nothing_frozen": "no token was to be left out (every level in this picture is computed at every step)",
    "always_new": "another node asks the model something new at every step, so that nothing could be forecast",
    "went_back": "the sampler goes back to earlier noise levels, and nothing can be forecast across such a jump",
    "sampler_in_parts": "the sampler evaluates parts of the latent",
    "node_in_parts": "another node evaluates parts of the latent",
    "no_jano_node": "no Jano node stands before this MODEL, or it is bypassed",
    "no_such_run": "none of the last runs on this MODEL produced this latent; connect the sampler's own LATENT output",
    # the same of calls and intervals by level
    "compiled": "the model is compiled",
    "in_windows": "context windows are on",
    "over_devices": "the model is split over several GPUs",
    "not_by_level": "{split}, which intervals by level do not allow (quality presets do)",
    "unknown_class_by_level": "intervals by level need a model class that Jano knows ({known}), not {model}; a quality "
    "preset, or a target_speedup, works on every model",
    "patched_blocks": "another node patches attention inside the blocks",
    "part_of_the_latent": "a conditioning covers only part of the latent (area or window)",
    "own_batches": "another node calls the model with batches of its own",
    "no_sides": "another node calls the model without telling the sides of the guidance (cond_or_uncond)",
    "another_latent": "another node asks about a latent of its own",
    "asked_twice": "another node asks the same thing twice",
    "calls_by_itself": "another node calls the transformer by itself",
    "answered_instead": "another node answered in place of the transformer",
    "odd_length": "a block got {got} image tokens where {expected} or more were expected",
    "odd_ranges": "the model modulates token ranges {ranges} that are not known here",
    "odd_attentions": "a block called the host's attention {got} times and not {expected} (another node replaces it, "
    "or cuts it into parts)",
    "odd_arguments": "{block} is called with something else than Jano knows ({error})",
    "odd_output": "{block} returns something else than Jano knows ({error})",
    "odd_cache": "a block's keys and values do not fit those that were kept (it may have been left out)",
    # what else the user should know of a run
    "little_saved_of_noise": "the sampler adds noise of its own at every step, so that few steps could be forecast "
    "(try euler or uni_pc)",
    "target_out_of_reach": "target_speedup {speedup:g} would leave {budget} of {steps} steps, but {always} are always "
    "computed",
    "no_step_forecast": "no step is forecast: {reason}",
    # references of an edit
    "references_every_step": "references are computed at every step: {reason}",
    "references_every_step_where": "references are computed at every step where {reason}",
    "references_every_computed_step": "references are computed at every computed step: at this quality a run of this "
    "length comes closer by leaving out whole steps (fast and draft do both)",
    "references_not_by_level": "intervals by level leave out tokens of the picture alone (quality presets can leave "
    "out references)",
    "unknown_class_of_references": "leaving them out needs a model class that Jano knows ({known}), not {model}",
    "no_time_zero": "{model} cannot have them at time zero, which isolated references need",
    "kept_by_flux_kv_cache": "FluxKVCache is on the same model and keeps them in its own way (remove one of the two)",
    "no_memory_for_references": "there is not enough memory to keep their keys and values",
    "odd_blocks": "the model's blocks do not call the host's attention as Jano knows it",
    "odd_length_of_references": "a block got {got} tokens where {expected} are references",
    "odd_mask": "an attention mask has {columns} columns for {tokens} tokens",
    "references_left_out": "{tokens} reference tokens computed in {computed} of {steps} steps ({policy}), else seen "
    "through {mib:.0f} MiB of keys and values{drifted}",
    "references_drifted": ", which had drifted by {drift:.1%} at most",
    # the run in one line
    "run_accelerated": "Jano: accelerated, {share:.0%} of the token-steps computed{speed}{levels}{references}."
    "{in_part}{notes}",
    "run_of_speed": ", about {speedup:.2f}x",
    "run_of_levels": "; {levels:, }; cache {mib:.0f} MiB",
    "run_of_references": "; {told}",
    "run_in_part": " Native in part: {reasons:; }.",
    "run_computed": "Jano: {verdict}, {steps} steps{because}.{notes}",
    "run_because": " because {reasons:; }",
    "run_notes": " Note: {notes:; }.",
    "accelerated": "accelerated",
    "analysed": "analysed",
    "native": "native",
    "static": "static",
    "moderate": "moderate",
    "active": "active",
    "share_of_level": "{share:.0%} {level}",
    # the table of a run
    "row_verdict": "Verdict",
    "row_model": "Model",
    "row_steps": "Steps",
    "row_tokens": "Image tokens",
    "row_computed": "Computed token-steps",
    "row_levels": "Levels",
    "row_complexity": "Levels (complexity, not the schedule)",
    "row_speedup": "Measured speed-up",
    "row_references": "References",
    "row_cache": "Cache",
    "row_spread": "Spread of the forecast error",
    "row_native": "Native because",
    "row_native_in_part": "Native in part because",
    "row_note": "Note",
    "steps_by_class": "{steps} ({classes:, })",
    "steps_of_class": "{count} {name}",
    "class_full": "full",
    "class_store": "store",
    "class_moderate": "moderate",
    "class_active": "active",
    "class_picture": "picture",
    "class_skipped": "skipped",
    "level_of_share": "{level} {share:.0%}",
    "percent": "{share:.1%}",
    "times": "{times:.2f}x",
    "mebibytes": "{mib:.1f} MiB",
    "spread": "{spread:.1f} (90th over 10th percentile)",
    "several": "{parts:; }",
    "levels": "{levels:, }",
    # the table of a comparison
    "row_psnr": "PSNR",
    "row_ssim": "SSIM",
    "row_largest": "Largest difference",
    "row_lpips": "LPIPS (AlexNet)",
    "decibels": "{value:.2f} dB",
    "four_digits": "{value:.4f}",
    "of_the_range": "{share:.1%} of the range",
    "equal_pictures": "infinite: the pictures are equal",
    "over_frames": "{mean} on average over {frames} frames{equal}, {worst} at worst (frame {frame})",
    "equal_frames": " ({count} more are equal)",
    "too_small": "not computed: smaller than {pixels} pixels",
    "no_lpips": "not computed: put its weights into models/{file} (the node's help says how)",
    "unusable_lpips": "not computed: {complaint}",
    "unreadable_lpips": "not computed: models/{file} cannot be read ({error}); make it anew",
    "lacking_lpips": "models/{file} lacks {name}; save lpips.LPIPS(net='alex') into it as safetensors",
    "odd_lpips": "{name} in models/{file} has the shape {shape}, not {expected}; save lpips.LPIPS(net='alex') into it "
    "as safetensors",
    "infinite_lpips": "{name} in models/{file} holds values that are not finite; save lpips.LPIPS(net='alex') into it "
    "as safetensors",
    # the table of two decoders
    "row_speed": "Speed",
    "row_weights": "Weights",
    "row_memory": "Memory while decoding",
    "times_as_fast": "{times:.1f} times as fast: {fast:.2f} s instead of {reference:.2f} s, each timed once after a "
    "warm-up",
    "megabytes_instead": "{fast:.1f} MB instead of {reference:.1f} MB",
    "memory_instead": "{fast:.0f} MB instead of {reference:.0f} MB of the GPU",
    "memory_unknown": "not measured: on a CPU",
}


class Sentence(str):
    """English text that knows its `key` in the catalogue, and the values that were put into it."""

    def __new__(cls, text: str, key: str = "", values: Mapping[str, object] | None = None) -> Sentence:
        made = super().__new__(cls, text)
        made.key, made.values = key, values or {}
        return made


class Template(Formatter):
    """Formats as `str.format` does, and lists with their format between two."""

    def format_field(self, value: object, spec: str) -> str:
        return spec.join(map(str, value)) if isinstance(value, list) else super().format_field(value, spec)


def say(key: str, **values: object) -> Sentence:
    """The sentence of the catalogue with these values in it."""
    return Sentence(Template().vformat(CATALOGUE[key], (), values), key, values)


def spoken(told: object) -> object:
    """A sentence as JSON for the page: its text with its key and values, for another language; other values as they
    are."""
    if isinstance(told, Sentence) and told.key:
        return {"text": str(told), "key": told.key, "values": {name: spoken(of) for name, of in told.values.items()}}
    if isinstance(told, list):
        return [spoken(of) for of in told]
    return str(told) if isinstance(told, float) and not isfinite(told) else told
