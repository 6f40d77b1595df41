"""What one call of the transformer does, and the sentences for runs that are native."""

import pytest
from comfyui_jano.jano import call
from comfyui_jano.jano.call import Call, Mode

REASONS = [value for name, value in vars(call).items() if name.isupper() and isinstance(value, str)]


def test_a_call_computes_every_token_unless_it_selects_some() -> None:
    assert Call(Mode.FULL, ("a",)).selection is None


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_reads_on_after_because(reason: str) -> None:
    """ "Jano: running natively because ... ." """
    assert reason[0].islower()
    assert not reason.endswith(".")
