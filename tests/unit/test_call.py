"""What one call of the transformer does."""

from comfyui_jano.jano.call import Call, Mode, Unaccelerated


def test_a_call_computes_every_token_unless_it_selects_some() -> None:
    assert Call(Mode.FULL, ("a",)).selection is None


def test_a_refusal_is_its_sentence() -> None:
    assert str(Unaccelerated("no")) == "no"
