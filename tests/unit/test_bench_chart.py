"""Charts tell their series apart."""

from pathlib import Path

from comfyui_jano.bench import chart
from PIL import Image


def test_no_two_series_look_alike(tmp_path: Path) -> None:
    """Fourteen arms share nine colours: the tenth looked like the first."""
    count = len(chart.COLOURS) + 1
    series = {
        f"series {number}": [(0.0, number, number, number), (1.0, number, number, number)] for number in range(count)
    }
    chart.curves(tmp_path / "chart.png", "title", "x", "y", series)
    drawn = Image.open(tmp_path / "chart.png")
    x, top = chart.SIZE[0] - chart.RIGHT + 27, chart.TOP + 9
    marks = [drawn.crop((x - 8, top + 24 * row - 8, x + 9, top + 24 * row + 9)).tobytes() for row in range(count)]
    assert len(set(marks)) == count
