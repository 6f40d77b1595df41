"""The node that makes a fast decoder, in the page: a stopped run goes on, so nothing of it may change by itself."""

from __future__ import annotations

from comfyui_jano.tests.web.editor import Editor


def test_no_seed_is_put_in_by_the_page(editor: Editor) -> None:
    editor.load({"nodes": [], "links": [], "version": 0.4})
    names = editor.page.evaluate(
        """() => {
            const node = LiteGraph.createNode("FlashVAEDCompress");
            app.graph.add(node);
            return node.widgets.map((widget) => widget.name);
        }"""
    )
    assert "seed" in names
    assert "control_after_generate" not in names
