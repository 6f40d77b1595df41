"""Short texts on the user's node while ComfyUI's server runs; nothing when it does not."""

from __future__ import annotations

import sys


def tell_node(node_id: str | None, text: str) -> None:
    """Show `text` on a node. The server module is looked up, not imported: without a server there is no page."""
    server = sys.modules.get("server")
    instance = getattr(getattr(server, "PromptServer", None), "instance", None)
    if node_id is not None and instance is not None:
        instance.send_progress_text(text, node_id)
