"""Moodle's GIFT: a reader that loses nothing silently, and a writer whose files it reads back to the same questions."""

from lms_rt.interchange.gift.decoding import decode
from lms_rt.interchange.gift.reader import ReadQuestion, read_gift
from lms_rt.interchange.gift.writer import write_gift

__all__ = ["ReadQuestion", "decode", "read_gift", "write_gift"]
