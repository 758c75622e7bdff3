"""Which process of a run does what: one is in the browser from the beginning, another comes to it when all else is done.

A browser's tests wait for the most part: at the end, by themselves, they would leave a core idle. Playwright keeps an event
loop running in its thread from its first test to the end, and nothing async may follow it: who has begun there stays there.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

_BROWSER = "tests/browser/"
_AT_ONCE = 2
"""As many as may be at the screen (`turn` in tests/browser/conftest.py): a third would start a school, and wait."""


class BrowserBeside(LoadFileScheduling):  # type: ignore[misc]  # the library has no types
    """Whole files: to the first process those of the browser, to the others the rest before them; each as collected."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        stays = self._is_in_browser(node)
        begins = len(self.nodes) > 1 and node is self.nodes[0] and not self.assigned_work[node]
        wanted = [file for file in self.workqueue if file.startswith(_BROWSER) is (stays or begins)]
        if wanted:
            self.workqueue.move_to_end(wanted[0], last=False)
        elif stays or sum(map(self._is_in_browser, self.nodes)) >= _AT_ONCE:
            node.shutdown()  # after what it still has
            return
        super()._assign_work_unit(node)

    def _is_in_browser(self, node: WorkerController) -> bool:
        return any(file.startswith(_BROWSER) for file in self.assigned_work[node])
