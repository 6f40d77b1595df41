"""Write the example workflows and the API examples anew, from a running ComfyUI's own node types.

python templates/write.py          example_workflows/*.json and examples/api/*.json
python templates/write.py --cards  also their thumbnails (build/demo must hold what `make demo` left)
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Behind everything else: the repository's folder `nodes` must not hide the host's module of that name.
sys.path.append(str(ROOT))

from host.location import chosen_host  # noqa: E402
from host.pack import import_pack  # noqa: E402
from host.server import PACKS, Server  # noqa: E402
from host.workflow import to_prompt  # noqa: E402

catalogue = import_pack("templates.catalogue")
WORKFLOWS, API = ROOT / "example_workflows", ROOT / "examples" / "api"


def write(object_info: Mapping[str, Any]) -> None:
    """Every template, and some in the form that the API takes."""
    API.mkdir(parents=True, exist_ok=True)
    for template in catalogue.TEMPLATES:
        workflow = template.workflow(object_info)
        save(workflow, WORKFLOWS / f"{template.title}.json")
        if template.title in catalogue.FOR_THE_API:
            save(to_prompt(workflow, object_info), API / f"{template.title}.json")


def save(made: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    with tempfile.TemporaryDirectory() as base, Server(chosen_host(), Path(base), PACKS) as server:
        write(server.object_info())
    if "--cards" in sys.argv:
        import_pack("templates.cards").draw_cards(catalogue.TEMPLATES)


if __name__ == "__main__":
    main()
