"""Tables of bench/motion.py and bench/content.py."""

from __future__ import annotations

from pathlib import Path

from .records import Row, load
from .stats import mean
from .tables import table

MOTION = """## Which score tells what moves?

{clips} clips of the demo's tiny Wan (checkpoint {model}) in which something moves, {steps} Euler steps. AUC: chance
that a token that moves in a frame of the finished clip has a higher score than one that rests, mean over clips (lowest
clip). Hold error: Spearman correlation over regions with what holding the velocity for 3 steps misses.
`python bench/run.py motion`
"""
CONTENT = """## Does the speed-up follow the content?

The demo's tiny Wan (checkpoint {model}), {steps} steps, {sampler}, CFG {cfg:g}, {clips} clips of each kind. Computed:
share of the token-steps. Speed-up: processor time of sampling. As published: operating point {published_point} of
Appendix B. Paper: its Fig. 9, on other scenes. `python bench/run.py content`
"""
COLUMNS = ("computed", "speed-up", "latent PSNR")


def motion(out: Path) -> list[str]:
    about = load(out / "wan_motion.json")
    if about is None:
        return []
    warmups = sorted({row["warmup"] for row in about["rows"]})
    cells = {(row["way"], tuple(row["region"]), row["warmup"]): row for row in about["rows"]}
    ways = list(dict.fromkeys((way, region) for way, region, _ in cells))
    head = ["score", "region", *(f"{name} after {warmup}" for warmup in warmups for name in ("AUC", "hold error"))]
    rows = [
        [way, " x ".join(map(str, region)), *(text for warmup in warmups for text in _told(cells[way, region, warmup]))]
        for way, region in ways
    ]
    return [f"{MOTION.format(**about)}\n{table(head, rows)}"]


def _told(row: Row) -> tuple[str, str]:
    return f"{row['auc']:.3f} ({row['lowest_auc']:.2f})", f"{row['hold_error']:.3f}"


def content(out: Path) -> list[str]:
    about = load(out / "wan_content.json")
    if about is None:
        return []
    found, paper = about["rows"], about["paper"]
    arms = list(dict.fromkeys(row["arm"] for row in found))
    head = ["scene", "tokens that move", *(f"{arm}: {name}" for arm in arms for name in COLUMNS), "paper"]
    rows = []
    for kind in paper:
        moving = f"{_mean(found, kind, arms[0], 'moving'):.0%}"
        rows.append([kind, moving, *(cell for arm in arms for cell in _cells(found, kind, arm)), f"{paper[kind]:g}x"])
    verdicts = [f"- {arm}: {_verdict(found, list(paper), arm)}" for arm in arms]
    clips = len(found) // len(arms) // len(paper)
    return ["\n".join([CONTENT.format(clips=clips, **about), table(head, rows), *verdicts, ""])]


def _mean(rows: list[Row], kind: str, arm: str, name: str) -> float:
    return mean([row[name] for row in rows if (row["kind"], row["arm"]) == (kind, arm)])


def _cells(rows: list[Row], kind: str, arm: str) -> tuple[str, str, str]:
    computed, speedup, psnr = (_mean(rows, kind, arm, name) for name in ("computed", "speedup", "latent_psnr_db"))
    return f"{computed:.1%}", f"{speedup:.2f}x", f"{psnr:.1f} dB"


def _verdict(rows: list[Row], kinds: list[str], arm: str) -> str:
    """Whether less is saved from kind to kind, in a sentence."""
    computed = [_mean(rows, kind, arm, "computed") for kind in kinds]
    grows = all(earlier < later for earlier, later in zip(computed, computed[1:], strict=False))
    shares = ", ".join(f"{1 / share:.2f}x" for share in computed)
    found = "falls" if grows else "does not fall"
    return f"the speed-up by computed share {found} from {' over '.join(kinds)} ({shares})."
