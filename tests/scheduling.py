"""Which process of a run does what: one turns to the browser in good time, another comes to it when all else is done.

A browser's tests wait for the most part: at the end, by themselves, they would leave a core idle. Playwright keeps an event
loop running in its thread from its first test to the end, and nothing async may follow it: who has begun there stays there,
and has nothing left to do when those are over.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

_BROWSER = "tests/browser/"
_BEFORE = 1 / 3
"""When so much of the other files is given out the first process turns to the browser: then all are over at about the same time."""
_AT_ONCE = 2
"""As many as may be at the screen (`turn` in tests/browser/conftest.py): a third would start a school, and wait."""


class BrowserBeside(LoadFileScheduling):  # type: ignore[misc]  # the library has no types
    """Whole files: to the first process, from then on, those of the browser, to the others the rest first; each as collected."""

    _others = 0
    """So many files of other tests there were."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        left = sum(not file.startswith(_BROWSER) for file in self.workqueue)
        self._others = max(self._others, left)
        stays = self._is_in_browser(node)
        begins = len(self.nodes) > 1 and node is self.nodes[0] and left <= self._others * (1 - _BEFORE)
        wanted = [file for file in self.workqueue if file.startswith(_BROWSER) is (stays or begins)]
        if wanted:
            self.workqueue.move_to_end(wanted[0], last=False)
        elif stays or sum(map(self._is_in_browser, self.nodes)) >= _AT_ONCE:
            node.shutdown()  # after what it still has
            return
        super()._assign_work_unit(node)

    def _is_in_browser(self, node: WorkerController) -> bool:
        return any(file.startswith(_BROWSER) for file in self.assigned_work[node])
