"""A network that is played: what it expects after a text is a pure function of that text, and it checks who asks."""

import numpy as np

from cutaway.generate.sample import Sample
from cutaway.window import Window
from tiny import TOKENIZER


def expectation(text, vocab_size=TOKENIZER.n_vocab):
    """The logits after a text: random numbers of which the text is the seed.

    Shapes: -> (V,)
    """
    return np.random.default_rng([len(text), *text]).normal(scale=3, size=vocab_size).astype(np.float32)


class ScriptedRunner:
    """A runner over `expectation` that remembers what it was asked to do."""

    def __init__(self, slots=12, context=16, vocab_size=TOKENIZER.n_vocab):
        self.slots, self.context, self.vocab_size = slots, context, vocab_size
        self.held = [[] for _ in range(slots)]
        self.reads, self.copies = [], []
        self.poison = None
        """A token that nobody can read."""
        self.nonsense = None
        """A token after which nothing sensible is expected."""

    def read(self, slots, tokens, answers):
        assert len(set(slots)) == len(slots) == len(tokens) == len(answers) > 0
        if any(self.poison in new for new in tokens):
            raise ValueError("poisoned")
        self.reads.append(dict(zip(slots, map(list, tokens), strict=True)))
        rows = [np.empty((0, self.vocab_size), np.float32)]
        for slot, new, asked in zip(slots, tokens, answers, strict=True):
            assert len(new) > 0
            assert 0 <= asked <= len(new)
            self.held[slot] = self.held[slot] + list(new)
            assert len(self.held[slot]) <= self.context
            whole = len(self.held[slot])
            rows += [[self.expect(self.held[slot][:end])] for end in range(whole - asked + 1, whole + 1)]
        return np.concatenate(rows)

    def expect(self, text):
        """The logits after a text."""
        return expectation(text, self.vocab_size) * (np.nan if text[-1] == self.nonsense else 1)

    def copy(self, source, target, tokens):
        assert source != target
        assert 0 < tokens <= len(self.held[source])
        self.copies.append((source, target, tokens))
        self.held[target] = self.held[source][:tokens]

    def truncate(self, slot, tokens):
        assert 0 <= tokens < len(self.held[slot])
        self.held[slot] = self.held[slot][:tokens]


def steps_alone(prompt, params, context=16, sample=0):
    """What a sample writes with nobody else there: the obvious loop."""
    window = Window(block_size=context, past_context=params.past_context)
    alone = Sample(list(prompt), params, TOKENIZER, seed=params.seed, sample=sample)
    steps = []
    while alone.finish_reason is None:
        text = [*prompt, *alone.generated]
        steps.append(alone.step(expectation(text[window.start(len(text)) :])))
    return tuple(steps)
