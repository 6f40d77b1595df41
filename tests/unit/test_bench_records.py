"""Results on disk that a run continues from."""

import json
from pathlib import Path

from comfyui_jano.bench.records import Lines

KEY = ("arm", "side")


def test_a_file_is_continued_and_rows_of_older_versions_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"arm": "old"}) + "\n" + json.dumps({"arm": "a", "side": 1, "db": 2.0}) + "\n")
    lines = Lines(path, KEY)
    assert [row["arm"] for row in lines] == ["a"]
    lines.add({"arm": "b", "side": 1, "db": 3.0})
    assert Lines(path, KEY).find({"arm": "b", "side": 1})["db"] == 3.0
