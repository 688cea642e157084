"""Text as it comes: tokens may end in the middle of a character, a stream must not."""

import codecs
from collections.abc import Callable


class StreamDecoder:
    """Turns ids into text one at a time and holds back a character until its last byte is there.

    All that `push` and the final `flush` return, joined, is what decoding all the ids at once gives.
    """

    def __init__(self, token_bytes: Callable[[int], bytes]) -> None:
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes, which may be empty."""
        return self._decoder.decode(self._token_bytes(token))

    def flush(self) -> str:
        """What is left of an unfinished character, as U+FFFD; the decoder is then ready for another text."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text
