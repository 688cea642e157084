"""Look into a GPT-2 while it runs, change what it does, and read what it means.

Everything takes what `cutaway.load` returns and a text, and answers with labelled numbers:

    from cutaway import inspect, load
    gpt = load()
    inspect.logit_lens(gpt, "Once upon a time").probability.to_frame()

Read in this order: `points` (what there is to see), `observers`, `trace`, `edits`; the rest are readings of these.
"""

from cutaway.inspect.attribution import Attribution, attribute
from cutaway.inspect.compare import Comparison, along, compare_models, compare_prompts
from cutaway.inspect.edits import Edit, ablate_heads, ablate_neurons, block_attention, edited, patch, scale, steer
from cutaway.inspect.embedding_file import embeddings_of_file
from cutaway.inspect.embeddings import Embedding, neighbours, position_embedding, token_embedding
from cutaway.inspect.generation import trace_generation
from cutaway.inspect.heads import HeadScores, detect_heads, repeated_tokens
from cutaway.inspect.lens import Lens, logit_lens
from cutaway.inspect.means import mean_activations
from cutaway.inspect.neurons import Activation, Effect, neuron_activations, neuron_effect, top_activations
from cutaway.inspect.observers import Chain, ObservedGPT, PatternWatcher, Watcher, watch
from cutaway.inspect.patching import Grid, ablation_grid, effect_of_each, patching_grid
from cutaway.inspect.points import all_names, find_names
from cutaway.inspect.rollout import rollout
from cutaway.inspect.saliency import Saliency, gradient_times_input, integrated_gradients
from cutaway.inspect.steps import Step, steps
from cutaway.inspect.surprise import Surprise, surprise
from cutaway.inspect.trace import Trace, trace
from cutaway.inspect.under_trained import LookAlikes, UnderTrained, look_alikes, under_trained
from cutaway.inspect.weights import (
    Histogram,
    SingularValues,
    singular_values,
    weight_figures,
    weight_histogram,
    weight_names,
)

__all__ = [
    "Activation",
    "Attribution",
    "Chain",
    "Comparison",
    "Edit",
    "Effect",
    "Embedding",
    "Grid",
    "HeadScores",
    "Histogram",
    "Lens",
    "LookAlikes",
    "ObservedGPT",
    "PatternWatcher",
    "Saliency",
    "SingularValues",
    "Step",
    "Surprise",
    "Trace",
    "UnderTrained",
    "Watcher",
    "ablate_heads",
    "ablate_neurons",
    "ablation_grid",
    "all_names",
    "along",
    "attribute",
    "block_attention",
    "compare_models",
    "compare_prompts",
    "detect_heads",
    "edited",
    "effect_of_each",
    "embeddings_of_file",
    "find_names",
    "gradient_times_input",
    "integrated_gradients",
    "logit_lens",
    "look_alikes",
    "mean_activations",
    "neighbours",
    "neuron_activations",
    "neuron_effect",
    "patch",
    "patching_grid",
    "position_embedding",
    "repeated_tokens",
    "rollout",
    "scale",
    "singular_values",
    "steer",
    "steps",
    "surprise",
    "token_embedding",
    "top_activations",
    "trace",
    "trace_generation",
    "under_trained",
    "watch",
    "weight_figures",
    "weight_histogram",
    "weight_names",
]
