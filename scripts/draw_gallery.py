"""Every kind of picture, drawn from the bundled model: look at them after a change to the drawing.

Usage: python scripts/draw_gallery.py FOLDER [--all]    with --all as SVG and PDF too
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

import cutaway as ca
from cutaway import inspect, plots

TEXT = "Once upon a time there was a little fox who lived in the wood. One day the fox met an owl."
LONG = "\n".join([TEXT, "“Who are you?” said the owl. The fox cost $5 or $6, 東京 \U0001f98a café."] * 6)
ODD = ["東京", "\n", "$x$", " to", "\U0001f98a", "é", "﷽", "<|endoftext|>", "a" * 80]

Pictures = Iterator[tuple[str, Callable[[], object]]]


def patterns(gpt: ca.LanguageModel, ids: list[int]) -> np.ndarray:
    """Shapes: (L, H, T, T)."""
    seen = inspect.trace(gpt, ids, ["pattern"])
    return np.stack([seen.labelled(f"h.{layer}.pattern").values for layer in range(gpt.config.n_layer)])


def attention(gpt: ca.LanguageModel) -> Pictures:
    for size, text, n in (("small", TEXT, 9), ("middle", TEXT, 24), ("large", LONG, 256)):
        ids = gpt.ids(text)[:n]
        tokens, seen = gpt.tokenizer.pieces(ids), patterns(gpt, ids)
        names = [f"layer {i}" for i in range(len(seen))]
        yield f"attention-{size}", partial(plots.draw_attention, seen[1, 0], tokens=tokens, title="Layer 1, head 0")
        several = partial(plots.draw_attention_layers, seen[:, 0], names=names, tokens=tokens, title="Head 0")
        yield f"attention-layers-{size}", several
        yield f"model-view-{size}", partial(plots.draw_model_view, seen, title="All heads")
    yield from made_up_attention()


def made_up_attention() -> Pictures:
    """What the bundled model is too small for."""
    far = np.abs(np.subtract.outer(np.arange(1024), np.arange(1024)))
    scores = np.random.default_rng(0).normal(size=(1024, 1024)) * 2 - far / 9
    full = np.exp(np.where(np.tri(1024, dtype=bool), scores, -np.inf))
    full /= full.sum(1, keepdims=True)
    tokens = [f"Ġtoken{i}" for i in range(1024)]
    yield "attention-1024", partial(plots.draw_attention, full, tokens=tokens, title="1,024 tokens")
    for layers, heads in ((12, 12), (48, 25)):
        view = [np.broadcast_to(full, (heads, 1024, 1024))] * layers
        yield f"model-view-{layers}x{heads}", partial(plots.draw_model_view, view, title=f"{layers} × {heads} heads")


def embeddings(gpt: ca.LanguageModel) -> Pictures:
    tokens, positions = inspect.token_embedding(gpt), inspect.position_embedding(gpt)
    for embedding in (tokens, positions):
        values, axes = embedding.values.values, [(embedding.kind, embedding.labels), ("dimension", range(192))]
        yield f"{embedding.kind}s-heat-map", embedding.values.plot
        squeezed = partial(plots.draw_heat_map, values, axes=axes, title=embedding.title, sigmoid=True)
        yield f"{embedding.kind}s-sigmoid", squeezed
    wpe = positions.weight.numpy()
    some = {f"dimension {i}": list(enumerate(wpe[:, i])) for i in (0, 1, 50, 138)}
    curves = plots.Panel(title="Along the positions", x_label="position", y_label="value", curves=some)
    means = plots.Panel(title="Mean", x_label="dimension", curves={"": list(enumerate(wpe.mean(0)))})
    yield "positions-curves", partial(plots.draw_curves, [curves, means], title=positions.title)
    yield "positions-spectrum", positions.spectrum().mean.plot
    yield "positions-similarity", positions.similarity().plot
    yield "statistics", partial(statistics, tokens, positions)
    yield "tokens-plane", partial(plane, tokens)
    yield "neighbours", inspect.neighbours(gpt, " fox").plot
    yield "histogram", partial(histogram, gpt, logarithmic=False)
    yield "histogram-logarithmic", partial(histogram, gpt, logarithmic=True)
    yield "singular-values", inspect.singular_values(gpt, "h.0.mlp.c_fc").values.plot


def statistics(*embeddings: inspect.Embedding) -> object:
    found = [(embedding.title, embedding.statistics()) for embedding in embeddings]
    rows = [[title, each.mean, each.std, each.min, each.max, each.mean_norm] for title, each in found]
    return plots.draw_table(["matrix", "mean", "std", "min", "max", "mean norm"], rows, title="Statistics")


def plane(tokens: inspect.Embedding) -> object:
    chosen = set(np.random.default_rng(3).choice(len(tokens.labels), 80, replace=False).tolist())
    labels = [label if i in chosen else "" for i, label in enumerate(tokens.labels)]
    options = {"names": ("component 1", "component 2"), "labels": labels, "title": tokens.title, "unit": "norm"}
    return plots.draw_scatter(tokens.components(2).projection, values=tokens.norms(), **options)


def histogram(gpt: ca.LanguageModel, *, logarithmic: bool) -> object:
    found = inspect.weight_histogram(gpt, "wpe")
    return plots.draw_histogram(found.counts, found.edges, title="Numbers in wpe", logarithmic=logarithmic)


def readings(gpt: ca.LanguageModel) -> Pictures:
    ids = gpt.ids(TEXT)[:14]
    lens = inspect.logit_lens(gpt, ids)
    axes = [(axis.name, axis.labels) for axis in lens.probability.axes]
    words = {"axes": axes, "texts": lens.pieces, "unit": "probability", "title": "What each layer would say"}
    yield "lens", partial(plots.draw_heat_map, lens.probability, **words)
    parts = inspect.attribute(gpt, ids).heads
    names = [f"layer {i}, head {j}" for i in range(gpt.config.n_layer) for j in range(gpt.config.n_head)]
    bars = partial(plots.draw_bars, parts.values.reshape(-1), labels=names, unit="logit", largest=9)
    yield "attribution", partial(bars, title="What wrote the next token")
    ids = gpt.ids(LONG)[:256]
    bits, pieces = inspect.surprise(gpt, ids).bits, [gpt.tokenizer.decode([token]) for token in ids]
    yield "surprise", partial(plots.draw_text, bits, tokens=pieces, title="How surprising each token was", unit="bits")
    along = partial(plots.draw_along, bits, name="position", unit="loss, bits", title="Loss along the text")
    yield "loss-along", partial(along, smooth=16)


def shapes() -> Pictures:
    rng = np.random.default_rng(2)
    for rows, columns in ((1, 1), (3, 3), (12, 12), (12, 300), (300, 12), (64, 64), (1024, 1024)):
        axes = [("layer", range(rows)), ("token", [f"Ġword{i}" for i in range(columns)])]
        values = rng.normal(size=(rows, columns))
        yield f"draw-{rows}x{columns}", partial(plots.draw, values, axes=axes, title="Numbers", diverging=True)
    axes = [("layer", range(12)), ("head", range(12)), ("position", range(40))]
    yield "draw-three-axes", partial(plots.draw, rng.normal(size=(12, 12, 40)), axes=axes, unit="logit", diverging=True)
    odd = partial(plots.draw, np.arange(9) - 3.0, axes=[("token", ODD)], diverging=True)
    yield "draw-one-axis", partial(odd, title="Odd $words$ 東京")


def film(gpt: ca.LanguageModel, path: Path) -> Path:
    """The attention of head 0 over 256 tokens that begin with `<|endoftext|>`."""
    eot = gpt.tokenizer.eot
    written = gpt.generate([eot], max_tokens=gpt.config.block_size - 1, seed=1, banned_tokens=(eot,)).samples[0].tokens
    ids = [eot, *written]
    tokens, heads = [gpt.tokenizer.decode([token]) for token in ids], patterns(gpt, ids)[:, 0]
    names = [f"layer {i}" for i in range(len(heads))]
    title = "Attention of head 0"
    return plots.animate(plots.growing(heads, tokens), path, names=names, positions=len(ids), title=title)


def main(folder: Path, kinds: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    gpt = ca.load(device="cpu")
    for part in (attention(gpt), embeddings(gpt), readings(gpt), shapes()):
        for name, draw in part:
            start = time.perf_counter()
            figure = draw()
            for kind in kinds:
                plots.save(figure, folder / f"{name}.{kind}")
            report(folder / f"{name}.png", start)
    start = time.perf_counter()
    report(film(gpt, folder / "attention.gif"), start)


def report(path: Path, start: float) -> None:
    print(f"{path.name:30} {time.perf_counter() - start:6.2f} s {path.stat().st_size / 1e3:8.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), ("png", "svg", "pdf") if "--all" in sys.argv else ("png",))
