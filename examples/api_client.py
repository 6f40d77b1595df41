"""Run a workflow on a ComfyUI in full and at two qualities, and print what each took.

    python api_client.py "api/Flux text to image.json" http://127.0.0.1:8188

The workflow is in API format (in ComfyUI: File > Export (API)) and has a Jano node (JanoScheduler) and a Jano Report.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

EVERY_STEP = {"static_interval": 1, "moderate_interval": 1, "active_interval": 1, "target_speedup": 0.0}
RUNS = {
    "in full": {"quality": "custom", "references": "every step", **EVERY_STEP},
    "balanced": {"quality": "balanced", "references": "auto"},
    "fast": {"quality": "fast", "references": "auto"},
}


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(server + path, data)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        sys.exit(f"ComfyUI refused the workflow: {refused.read().decode()}")
    except urllib.error.URLError as error:
        sys.exit(f"no ComfyUI answers at {server}: {error.reason}")


def run(settings):
    """Queue the workflow with these settings, wait for it, and return the report of its Jano Report node."""
    for node in workflow.values():
        if node["class_type"] == "JanoScheduler":
            node["inputs"].update(settings)
    queued = ask("/prompt", {"prompt": workflow})["prompt_id"]
    while not (history := ask(f"/history/{queued}")):
        time.sleep(0.5)
    outputs = history[queued]["outputs"].items()
    reports = [output["jano"][0] for node, output in outputs if workflow[node]["class_type"] == "JanoReport"]
    return reports[0] if reports else sys.exit(f"no report: {history[queued]['status']['messages'][-1]}")


if len(sys.argv) not in (2, 3):
    sys.exit("usage: python api_client.py WORKFLOW.json [http://127.0.0.1:8188]")
try:
    workflow = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    kinds = {node["class_type"] for node in workflow.values()}
except OSError as error:
    sys.exit(f"{sys.argv[1]} cannot be read: {error.strerror}")
except (ValueError, TypeError, KeyError, AttributeError):
    sys.exit(f"{sys.argv[1]} is no workflow in API format (in ComfyUI: File > Export (API))")
if not {"JanoScheduler", "JanoReport"} <= kinds:
    sys.exit(f"{sys.argv[1]} lacks a Jano Accelerator (JanoScheduler) or a Jano Report (JanoReport)")
server = (sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8188").rstrip("/")
print(f"{'run':<10}{'seconds':>9}{'computed':>10}  verdict")
for name, settings in RUNS.items():
    report = run(settings)
    reason = "; ".join(report["fallbacks"])
    share = report["computed_token_fraction"]
    print(f"{name:<10}{report['seconds']:>9.2f}{100 * share:>8.0f} %  {report['verdict']}{reason and f': {reason}'}")
