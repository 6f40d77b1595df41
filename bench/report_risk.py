"""Tables of bench/risk.py: how often each word was right."""

from __future__ import annotations

from pathlib import Path

from ..jano.show.headline import RISKS
from ..jano.show.risk import Risk, risk_of
from .records import Lines, Row
from .risk import KEY
from .stats import mean, quantile
from .tables import table

# What each word is meant for, in PSNR and SSIM against the run in full.
CLOSE_DB, CLOSE_SSIM, FAR_DB = 35.0, 0.98, 22.0
RISK = """## Do a run's own errors tell how close its picture is?

Every run is named by the errors that it measured itself (`jano/show/risk.py`), and then compared with the run in full:
at {close:g} dB and an SSIM of {ssim:g} a difference is taken as hard to see, below {far:g} dB as another composition.
Qualities and the targets 2 and 4, {steps} steps. PSNR: mean, and in brackets the worst tenth.
`python bench/run.py risk --model wan`
"""


def risk(out: Path) -> list[str]:
    paths = sorted(out.glob("*_risk.jsonl"))
    rows = [(path.name.removesuffix("_risk.jsonl"), row) for path in paths for row in _lines(path)]
    if not rows:
        return []
    steps = " and ".join(map(str, sorted({row["steps"] for _, row in rows})))
    introduction = RISK.format(close=CLOSE_DB, ssim=CLOSE_SSIM, far=FAR_DB, steps=steps)
    head = ["model", "sampler", "word", "runs", "PSNR", "right", "closer", "worse"]
    every = [("all", {**row, "sampler": "all"}) for _, row in rows]
    return [f"{introduction}\n{table(head, [*_groups(rows), *_groups(every)])}"]


def _lines(path: Path) -> list[Row]:
    """Runs in which something was forecast."""
    return [row for row in Lines(path, KEY) if row["picture_error"] is not None]


def _groups(rows: list[tuple[str, Row]]) -> list[list[str]]:
    found = []
    for model, sampler in dict.fromkeys((model, row["sampler"]) for model, row in rows):
        for word in Risk:
            chosen = [
                row
                for name, row in rows
                if (name, row["sampler"], risk_of(row["picture_error"])) == (model, sampler, word)
            ]
            found += [[model, sampler, RISKS[word], *_judged(chosen, word)]] if chosen else []
    return found


def _judged(rows: list[Row], word: Risk) -> list[str]:
    order = list(Risk)
    off = [order.index(_seen(row)) - order.index(word) for row in rows]
    shares = (sum(map(fits, off)) / len(off) for fits in ((0).__eq__, (0).__gt__, (0).__lt__))
    values = [row["psnr_db"] for row in rows]
    return [str(len(rows)), f"{mean(values):.1f} ({quantile(values, 0.1):.1f})", *(f"{share:.0%}" for share in shares)]


def _seen(row: Row) -> Risk:
    """The word that the pictures themselves give."""
    if row["psnr_db"] >= CLOSE_DB and row["ssim"] >= CLOSE_SSIM:
        return Risk.HARD_TO_SEE
    return Risk.COMPOSITION if row["psnr_db"] < FAR_DB else Risk.DETAILS
