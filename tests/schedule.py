"""Which tests of `make test` run in one process, and which of them begin."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

AS_ONE = ("tests/web/", "tests/server/")
"""What their files share, a server, a browser and its pages, takes 10 to 30 s of computing to start."""


class ByFile(LoadFileScheduling):
    """As `--dist loadfile`, but for folders that stay whole, and in the order in which tests were collected."""

    def __init__(self, config: object, log: object = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in AS_ONE if nodeid.startswith(folder)), super()._split_scope(nodeid))
