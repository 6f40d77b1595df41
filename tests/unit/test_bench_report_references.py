import pytest
from comfyui_jano.bench.report_references import KNOWN, classes, refreshes, speed_up


@pytest.mark.parametrize(("count", "expected"), [(1, (1.55, 1.70, 1.81)), (3, (2.20, 2.75, 3.24))])
def test_speed_up_is_that_of_the_arithmetic(count: int, expected: tuple[float, ...]) -> None:
    assert tuple(round(speed_up(steps, count, 512), 2) for steps in (4, 8, 20)) == expected


def test_refreshes_are_the_plans() -> None:
    assert refreshes(4) == 2
    assert refreshes(4) < refreshes(8) < refreshes(20) < 20


def test_what_was_measured_stands_beside_its_class() -> None:
    row = {"kind": "tz", "references": 1, "steps": 4, "cfg": 1.0, "arm": "auto", "flops": 0.882, "psnr": 51.4}
    others = [{**row, "cfg": 3.0}, {**row, "arm": "once"}, {**row, "references": 3, "steps": 8}]
    told = classes([row, *others])
    (line,) = (line for line in told.splitlines() if "| Flux.2 with" in line)
    assert line.endswith("| 4 steps 0.88: 51.4 | 8 steps 0.88: 51.4 |")
    assert sum(line.startswith(f"| {known.name} |") for line in told.splitlines() for known in KNOWN[:1]) == 3
