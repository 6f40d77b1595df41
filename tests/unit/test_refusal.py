"""Runs that have no room for a forecast."""

import pytest
from comfyui_jano.jano.refusal import Unaccelerated, require_room


def test_a_step_between_both_ends_is_room() -> None:
    require_room(6, 3, 2)
    with pytest.raises(Unaccelerated, match=r"^5 steps leave nothing between 3 steps of warm-up and 2 of cool-down"):
        require_room(5, 3, 2)


def test_an_analysis_asks_for_its_own_steps_alone() -> None:
    require_room(4, 3, 2, needed=3)
    with pytest.raises(Unaccelerated):
        require_room(3, 3, 2, needed=3)
