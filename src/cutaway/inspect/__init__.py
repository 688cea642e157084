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
from cutaway.inspect.surprise import Surprise, surprise
from cutaway.inspect.trace import Trace, trace

__all__ = [
    "Activation",
    "Attribution",
    "Chain",
    "Comparison",
    "Edit",
    "Effect",
    "Grid",
    "HeadScores",
    "Lens",
    "ObservedGPT",
    "PatternWatcher",
    "Saliency",
    "Surprise",
    "Trace",
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
    "find_names",
    "gradient_times_input",
    "integrated_gradients",
    "logit_lens",
    "mean_activations",
    "neuron_activations",
    "neuron_effect",
    "patch",
    "patching_grid",
    "repeated_tokens",
    "rollout",
    "scale",
    "steer",
    "surprise",
    "top_activations",
    "trace",
    "trace_generation",
    "watch",
]
