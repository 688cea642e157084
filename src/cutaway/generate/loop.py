"""Generation, plainly: read the prompts once, then one token at a time.

This is the reference. It is written to be obviously right, and whatever is faster is tested against it. Who reads,
PyTorch or native kernels, is all the same to it.
"""

from collections.abc import Iterator, Sequence

from cutaway.generate.completion import Generation, Step, collect
from cutaway.generate.read_ahead import reading_ahead
from cutaway.generate.reading import Decodes, Network, reader_of
from cutaway.generate.sample import Sample
from cutaway.generate.speculation import Speculation
from cutaway.sampling import SamplingParams, fresh_seed
from cutaway.tokenizer import AnyTokenizer


def stream(
    model: Network,
    tokenizer: AnyTokenizer,
    prompts: Sequence[Sequence[int]],
    params: SamplingParams,
    speculation: Speculation | None = None,
) -> Iterator[Step]:
    """Continue prompts of token ids, `params.n` samples each, and yield every token as it comes.

    Prompts may be of unequal length, and each is read once for all of its samples. A sample's tokens do not depend
    on the others, nor on speculation, which only reads ahead of them.

    Raises: GenerationError for a prompt that the model cannot read.
    """
    seed = fresh_seed() if params.seed is None else params.seed
    prompt_reader = reader_of(model, params)
    logits = prompt_reader.prefill(prompts)

    samples = [
        Sample(ids, params, tokenizer, seed=seed, prompt=prompt, sample=sample)
        for prompt, ids in enumerate(prompts)
        for sample in range(params.n)
    ]
    shared = [sample.prompt for sample in samples]
    prompt_reader.select(shared)
    logits = logits[shared]
    reader: Decodes = reading_ahead(prompt_reader, samples, speculation) if speculation else prompt_reader

    while True:
        for sample, row in zip(samples, logits, strict=True):
            yield sample.step(row)
        going = [i for i, sample in enumerate(samples) if sample.finish_reason is None]
        if not going:
            return
        if len(going) < len(samples):
            samples = [samples[i] for i in going]
            reader.select(going)
        logits = reader.decode([sample.generated[-1] for sample in samples])


def generate(
    model: Network,
    tokenizer: AnyTokenizer,
    prompts: Sequence[Sequence[int]],
    params: SamplingParams,
    speculation: Speculation | None = None,
) -> list[Generation]:
    """Continue prompts of token ids and return each with its finished samples.

    Raises: GenerationError for a prompt that the model cannot read.
    """
    if params.seed is None:
        params = params.replace(seed=fresh_seed())
    steps: dict[tuple[int, int], list[Step]] = {}
    for step in stream(model, tokenizer, prompts, params, speculation):
        steps.setdefault((step.prompt, step.sample), []).append(step)
    return [
        Generation(
            prompt=tokenizer.decode(ids),
            prompt_tokens=tuple(ids),
            samples=tuple(collect(steps[prompt, sample]) for sample in range(params.n)),
            seed=None if params.greedy else params.seed,
        )
        for prompt, ids in enumerate(prompts)
    ]
