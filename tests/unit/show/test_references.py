from comfyui_jano.jano.show.references import ReferenceAccount


def test_nothing_is_told_where_none_was_left_out() -> None:
    assert ReferenceAccount("auto", 64, stored={0, 1}).told() == ""


def test_steps_memory_and_drift_are_told() -> None:
    account = ReferenceAccount("auto", 64, {0, 2}, {1, 2, 3}, [0.012, 0.034], 3 * 2**20)
    assert account.told() == (
        "64 reference tokens computed in 2 of 4 steps (auto), else seen through 3 MiB of keys and values, which had "
        "drifted by 3 % at most"
    )


def test_what_was_never_compared_has_no_drift() -> None:
    account = ReferenceAccount("once", 64, {0}, {1}, [], 2**20)
    assert account.told().endswith("1 MiB of keys and values, whose drift was not measured")
    assert account.as_dict()["drifts"] == []
