"""The embedded store: MongoDB's interface in one process, in memory, with every change saved to one SQLite file.

For trying, developing and teaching a small class. It is not for more than one process, nor for collections of more
than some ten thousand documents: that is what a MongoDB server is for.
"""

from lms_rt.storage.embedded.client import EmbeddedClient, open_store
from lms_rt.storage.embedded.errors import StoreDamaged, StoreError, StoreInUse

__all__ = ["EmbeddedClient", "StoreDamaged", "StoreError", "StoreInUse", "open_store"]
