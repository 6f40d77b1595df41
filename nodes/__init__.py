"""The nodes that users drag: schema plus a short execute. All work is done in `jano` and `flash_vaed`."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .compare import JanoCompare
from .convergence_map import JanoConvergenceMap
from .flash_vaed import FlashVAEDLoader
from .flash_vaed_compare import FlashVAEDCompare
from .flash_vaed_compress import FlashVAEDCompress
from .model_loader import JanoModelLoader
from .report import JanoReport
from .sweep import JanoSweep
from .tune import JanoAnalyzer, JanoScheduler


class JanoExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        sampling = [JanoModelLoader, JanoAnalyzer, JanoScheduler, JanoConvergenceMap, JanoReport, JanoCompare]
        return [*sampling, JanoSweep, FlashVAEDLoader, FlashVAEDCompare, FlashVAEDCompress]
