"""Tables of bench/speed.py and bench/attention.py, one per device that was measured."""

from __future__ import annotations

from pathlib import Path

from .records import load
from .tables import host_line, judged, table

DEVICES = ("cpu", "cuda")
GIB = 2**30


def speed(out: Path) -> list[str]:
    found = [load(out / f"speed_{device}.json") for device in DEVICES]
    return [_speed_of(about) for about in found if about]


def _speed_of(about: dict) -> str:
    size = about["model"]
    lines = [
        "## Does the cost of a step follow its arithmetic?",
        "",
        f"{host_line(about)}; clock: {about['clock']}. The host's Flux class with random {size['dtype']} weights, "
        f"hidden {size['hidden']}, {size['double']} + {size['single']} blocks. Ratio to arithmetic: time over a full "
        f"step's, over (computed tokens / all tokens, text included). {about['rounds']} rounds.",
        "",
    ]
    for case in about["cases"]:
        lines += [_case(case, about["targets"])]
        lines += [_end_to_end(runs) for runs in case.get("end_to_end", [])]
    return "\n".join(lines)


def _case(case: dict, targets: dict) -> str:
    call, sampling = case["call"], case["sampling"]
    seconds = call["seconds"]
    rows = [["full", f"{seconds['full']:.4g}", "1", "", "", ""]]
    rows.append(_row("store", seconds["store"], 1.0, call["store"], targets["store"]))
    for name in [key for key in call if key.startswith("partial")]:
        part = call[name]
        label = f"{name.removeprefix('partial_')} of the image tokens"
        rows.append(_row(label, seconds[name], part["arithmetic"], part, targets["partial"]))
    for name, arithmetic in (("nothing_frozen", 1.0), ("half_active", sampling["half_active"]["arithmetic"])):
        part, target = sampling[name], targets["nothing_frozen" if name == "nothing_frozen" else "partial"]
        label = f"sampler's path, {sampling['steps']} steps, {name.replace('_', ' ')}"
        rows.append(_row(label, sampling["seconds_per_step"][name], arithmetic, part, target))
    title = f"{case['pixels']} x {case['pixels']} pixels: {case['tokens']} image and {case['text_tokens']} text tokens"
    head = ("step", "seconds", "arithmetic", "ratio to arithmetic", "quartiles; fastest rounds", "error of active rows")
    return f"### {title}\n\n{table(head, rows)}"


def _row(label: str, seconds: float, arithmetic: float, part: dict, target: float) -> list[str]:
    between = f"{part['low']:.3f} to {part['high']:.3f}; {part['best']:.3f}"
    error = f"{part['error']:.1e}" if "error" in part else ""
    return [label, f"{seconds:.4g}", f"{arithmetic:.3f}", judged(part["ratio"], target), between, error]


def _end_to_end(runs: dict) -> str:
    full = runs["full"]["seconds"]
    rows = [
        [
            name.replace("_", " "),
            f"{run['seconds']:.2f}",
            f"{full / run['seconds']:.2f}x",
            f"{run['arithmetic']:.3f}",
            f"{run['peak_bytes'] / GIB:.1f}",
            f"{run['cache_bytes'] / GIB:.2f}",
            "; ".join(run["native_because"]) or "no",
        ]
        for name, run in runs.items()
        if name != "steps"
    ]
    head = ("tokens active", "seconds", "speed-up", "arithmetic", "peak GiB", "of that cache", "native in part")
    return f"{runs['steps']} steps, whole runs (half of the other tokens moderate, half static):\n\n{table(head, rows)}"


def attention(out: Path) -> list[str]:
    found = [load(out / f"attention_{device}.json") for device in DEVICES]
    return [_attention_of(about) for about in found if about]


def _attention_of(about: dict) -> str:
    rows = []
    for row in about["rows"]:
        seconds, moved = row["seconds"], row["bytes_moved"]
        rows.append(
            [
                row["shape"]["name"],
                f"{row['active']:.0%}",
                f"{1e3 * seconds['in_place']:.3g} / {1e3 * seconds['joined']:.3g}",
                f"{row['joined_over_in_place']['ratio']:.3f}",
                f"{1e3 * seconds['in_place_kv']:.3g} / {1e3 * seconds['joined_kv']:.3g}",
                f"{moved['in_place'] / 2**20:.0f} / {moved['joined'] / 2**20:.0f}",
                f"0 / {row['extra_peak_bytes']['joined'] / 2**20:.0f}",
            ]
        )
    head = ("layer", "active", "ms with attention", "joined / in place", "ms for K/V alone", "MiB moved", "MiB on top")
    return (
        "## One K/V buffer written in place, or frozen K/V joined behind the computed ones (the paper)?\n\n"
        f"{host_line(about)}; {about['dtype']}, clock: {about['clock']}, {about['rounds']} rounds. Pairs are "
        f"in place / joined; both give the same attention.\n\n{table(head, rows)}\n{_why(about)}"
    )


def _why(about: dict) -> str:
    worst, best = (f(row["joined_over_in_place"]["ratio"] for row in about["rows"]) for f in (min, max))
    return (
        "Kept: in place. It moves only the computed rows (4 x active x the size of K, against 4 x K), needs no second "
        "copy of K and V while attention runs, and leaves the columns of attention masks and references where they "
        f"are. With attention the joined way takes {worst:.3f} to {best:.3f} times as long here, so that time does "
        "not decide; memory and order do.\n"
    )
