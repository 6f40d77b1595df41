"""The fast decoders' nodes in the page: what they found is on them, and nothing changes their settings by itself."""

from __future__ import annotations

from comfyui_jano.tests.web.editor import Editor


def test_no_seed_is_put_in_by_the_page(desk: Editor) -> None:
    desk.load({"nodes": [], "links": [], "version": 0.4})
    names = desk.page.evaluate(
        """() => {
            const node = LiteGraph.createNode("FlashVAEDCompress");
            app.graph.add(node);
            return node.widgets.map((widget) => widget.name);
        }"""
    )
    assert "seed" in names
    assert "control_after_generate" not in names


def test_what_decoders_cost_is_shown_on_their_nodes(desk: Editor) -> None:
    """Rows alone, whatever stands before the table."""
    desk.load({"nodes": [], "links": [], "version": 0.4})
    for kind in ("FlashVAEDCompress", "FlashVAEDCompare"):
        make = "kind => { const node = LiteGraph.createNode(kind); app.graph.add(node); return node.id }"
        node = desk.page.evaluate(make, kind)
        assert "jano_table" in desk.node("node.widgets.map((widget) => widget.name)", node)
    told = desk.page.evaluate(
        """async () => {
            const { ShownTable } = await import("/extensions/jano/shown_table.js");
            const { TableView } = await import("/extensions/jano/table_view.js");
            const { wordsFor } = await import("/extensions/jano/words.js");
            const view = new TableView(wordsFor("en"), () => {});
            view.update(new ShownTable("1", "Small decoder\\n\\n| | |\\n|---|---|\\n| Trained | 20 steps |\\n"));
            return [...view.rows.children].map((row) => row.textContent);
        }"""
    )
    assert told == ["Trained20 steps"]
