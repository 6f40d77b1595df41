"""Tables for everyone, and for the page."""

from comfyui_jano.jano.sentences import say, spoken
from comfyui_jano.jano.show.table import Table

TABLE = Table("Jano run", ((say("row_model"), "Flux"), (say("row_note"), ""), (say("row_kept"), None)))


def test_rows_with_nothing_to_tell_are_left_out() -> None:
    assert TABLE.markdown().splitlines() == ["| Jano run | |", "|---|---|", "| Model | Flux |"]
    assert TABLE.spoken() == [[spoken(say("row_model")), "Flux"]]


def test_rows_are_added_below() -> None:
    longer = TABLE + ((say("row_verdict"), say("equal")),)
    assert longer.markdown().splitlines()[2:] == ["| Model | Flux |", "| Verdict | equal |"]
    assert longer.spoken()[-1] == [spoken(say("row_verdict")), spoken(say("equal"))]
