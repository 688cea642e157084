"""GPT-2's own vocabulary, which comes with the package: no network is ever needed.

`data/vocab.bpe` is OpenAI's file, under the licence beside it. The ids follow from it: 256 bytes, then one token a
merge, then `<|endoftext|>`, so OpenAI's `encoder.json` is not shipped.
"""

import hashlib
from functools import cache
from pathlib import Path

from cutaway.errors import TokenizerError
from cutaway.tokenizer.merge_list import parse_merges
from cutaway.tokenizer.vocabulary import Vocabulary

VOCAB_BPE = Path(__file__).with_name("data") / "vocab.bpe"
VOCAB_BPE_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
"""Source: openai/tiktoken, tiktoken_ext/openai_public.py."""


TOKENIZER_JSON_SHA256 = "9f2d01c36be42937453e00e8ecd55e5074a9c6bb2fa12ba322e4372bd40b5fe3"
"""Of the file that `folder.write` makes of this vocabulary."""


@cache
def gpt2_vocabulary() -> Vocabulary:
    """The 50,257 tokens of the published models, loaded once a process.

    Raises: TokenizerError when the packaged file is not OpenAI's.
    """
    content = VOCAB_BPE.read_bytes()
    if hashlib.sha256(content).hexdigest() != VOCAB_BPE_SHA256:
        raise TokenizerError(f"{VOCAB_BPE} is damaged: its SHA-256 is not {VOCAB_BPE_SHA256}; install cutaway again")
    merges = parse_merges(content.decode().splitlines(), source=str(VOCAB_BPE))
    return Vocabulary.from_merges(merges, check=False)
