"""What the model writes on the way."""

from cutaway import generate as decoding
from cutaway.model import GPT
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import AnyTokenizer
from cutaway.train.config import TrainConfig


def write_sample(model: GPT, tokenizer: AnyTokenizer, config: TrainConfig) -> str:
    """The prompt and how the model goes on from there, always by the same random numbers.

    Raises: TokenizerError when the vocabulary cannot spell the prompt.
    """
    first = 0 if tokenizer.eot is None else tokenizer.eot
    ids = tokenizer.encode(config.sample_prompt) or [first]
    room = max(1, config.model.block_size - len(ids))
    length = min(config.sample_tokens, room)
    params = SamplingParams(max_tokens=length, seed=config.seed)
    [generation] = decoding.generate(model, tokenizer, [ids], params)
    return config.sample_prompt + generation.text
