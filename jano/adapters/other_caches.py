"""Other packs that keep predictions and repeat them: on one model with Jano, each would forecast from what the other
had made up, and neither would know. They are told by their names, since each goes its own way into the model."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ..sentences import say
from .identity import enclosed

# In the keys of their wrappers, or in what their functions are called; small letters.
MARKS = {
    "easycache": "EasyCache",
    "lazycache": "LazyCache",
    "teacache": "TeaCache",
    "magcache": "MagCache",
    "fbcache": "First Block Cache",
    "taylorseer": "TaylorSeer",
    "cache_dit": "CacheDiT",
    "wan_cache": "CacheDiT",
    "ltx2_cache": "CacheDiT",
}
# Of nunchaku's modules: how far predictions may differ to be repeated. The last module that has one counts.
THRESHOLD = "residual_diff_threshold_multi"


def other_cache(network: nn.Module, model_options: dict) -> str:
    """The name of another cache on the same model, by the options of a run; empty for none."""
    names = " ".join(_names(network, model_options)).lower()
    found = (name for mark, name in MARKS.items() if mark in names)
    return next(found, say("nunchaku_cache") if _keeps_by_itself(network) else "")


def _names(network: nn.Module, model_options: dict) -> Iterator[str]:
    for of_a_kind in model_options.get("transformer_options", {}).get("wrappers", {}).values():
        yield from map(str, of_a_kind)
    replaced = [value for name, value in vars(network).items() if name.lstrip("_").startswith("forward")]
    for function in (model_options.get("model_function_wrapper"), *replaced):
        yield from _called(function, set())


def _called(function: object, seen: set[int]) -> Iterator[str]:
    """What a function is called, and those that it closes over: packs wrap what they find."""
    if not callable(function) or id(function) in seen:
        return
    seen.add(id(function))
    yield getattr(function, "__qualname__", type(function).__qualname__)
    for value in (*enclosed(function), getattr(function, "func", None)):
        yield from _called(value, seen)


def _keeps_by_itself(network: nn.Module) -> bool:
    thresholds = [getattr(module, THRESHOLD) for module in network.modules() if hasattr(module, THRESHOLD)]
    return bool(thresholds) and thresholds[-1] > 0.0
