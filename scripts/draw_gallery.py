"""Every kind of picture, drawn from the bundled model: look at them after a change to the drawing.

Usage: python scripts/draw_gallery.py FOLDER
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

import cutaway as ca
from cutaway import plots
from cutaway.plots.picture_file import save

TEXT = "Once upon a time there was a little fox who lived in the wood. One day the fox met an owl."
LONG = "\n".join([TEXT, "\u201cWho are you?\u201d said the owl. The fox cost $5 or $6, 東京 \U0001f98a café."] * 6)
FRAMES = 256


class Patterns:
    """An observer that keeps the attention patterns."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def wants(self, name: str) -> bool:
        return name.endswith(".pattern")

    def __call__(self, name: str, x: torch.Tensor) -> torch.Tensor:
        if self.wants(name):
            self.seen.append(x[0])
        return x


def patterns(gpt: ca.LanguageModel, ids: list[int]) -> np.ndarray:
    """Shapes: (L, H, T, T)."""
    observer = Patterns()
    with torch.no_grad():
        gpt.model(torch.tensor([ids]), observer=observer)
    return torch.stack(observer.seen).numpy()


def lens(gpt: ca.LanguageModel, ids: list[int]) -> torch.Tensor:
    """What each layer would answer. Shapes: (L, T, V)."""

    class Streams(Patterns):
        def wants(self, name: str) -> bool:
            return name.endswith(".resid_post")

    observer = Streams()
    with torch.no_grad():
        gpt.model(torch.tensor([ids]), observer=observer)
        return gpt.model.lm_head(gpt.model.ln_f(torch.stack(observer.seen))).softmax(-1)


def gallery(gpt: ca.LanguageModel) -> Iterator[tuple[str, Callable[[], object]]]:
    yield from attention(gpt)
    yield from embeddings(gpt)
    yield from readings(gpt)
    yield from shapes()


def attention(gpt: ca.LanguageModel) -> Iterator[tuple[str, Callable[[], object]]]:
    for name, text, n in (("small", TEXT, 9), ("middle", TEXT, 40), ("large", LONG, 256)):
        ids = gpt.ids(text)[:n]
        tokens, seen = gpt.tokenizer.pieces(ids), patterns(gpt, ids)
        layers = [f"layer {i}" for i in range(len(seen))]
        yield (
            f"attention-{name}",
            lambda s=seen, t=tokens: plots.draw_attention(s[1, 0], tokens=t, title="Layer 1, head 0"),
        )
        yield (
            f"layers-{name}",
            lambda s=seen, t=tokens, n=layers: plots.draw_attention_layers(s[:, 0], names=n, tokens=t, title="Head 0"),
        )
        yield f"model-view-{name}", lambda s=seen: plots.draw_model_view(s, title="All heads of fable")
    rng = np.random.default_rng(0)
    scores = np.where(np.tri(1024, dtype=bool), rng.normal(size=(1024, 1024)), -np.inf)
    full = np.exp(scores - scores.max(1, keepdims=True))
    full /= full.sum(1, keepdims=True)
    words = [f"Ġtoken{i}" for i in range(1024)]
    yield "attention-1024", lambda: plots.draw_attention(full, tokens=words, title="1,024 tokens")
    yield "model-view-12", lambda: plots.draw_model_view((full[None].repeat(12, 0) for _ in range(12)), title="12 × 12")
    yield "model-view-48", lambda: plots.draw_model_view(full[None, :256, :256].repeat(25, 0) for _ in range(48))


def embeddings(gpt: ca.LanguageModel) -> Iterator[tuple[str, Callable[[], object]]]:
    wpe, wte = gpt.model.wpe.weight.detach().numpy(), gpt.model.wte.weight.detach().numpy()
    axes = [("position", range(wpe.shape[0])), ("dimension", range(wpe.shape[1]))]
    for name, options in (("heat-map", {"diverging": True}), ("sigmoid", {"sigmoid": True})):
        title = "Positional embeddings"
        yield f"wpe-{name}", lambda o=options, t=title: plots.draw_heat_map(wpe, axes=axes, title=t, **o)
    rows = [("token", range(wte.shape[0])), ("dimension", range(wte.shape[1]))]
    yield "wte-heat-map", lambda: plots.draw_heat_map(wte, axes=rows, title="Token embeddings", diverging=True)
    some = {f"dimension {i}": list(enumerate(wpe[:, i])) for i in (0, 1, 50, 138)}
    curves = plots.Panel(title="Along the positions", x_label="position", y_label="value", curves=some)
    stats = plots.Panel(title="Mean", x_label="dimension", curves={"": list(enumerate(wpe.mean(0)))})
    yield "wpe-curves", lambda: plots.draw_curves([curves, stats], title="Positional embeddings")
    yield "wpe-histogram", lambda: plots.draw_histogram(*np.histogram(wpe, 80), title="Positional embeddings")
    yield "wpe-histogram-log", lambda: plots.draw_histogram(*np.histogram(wpe, 80), logarithmic=True)
    numbers = [
        [n, float(w.mean()), float(w.std()), float(w.min()), float(w.max())] for n, w in (("wpe", wpe), ("wte", wte))
    ]
    yield "statistics", lambda: plots.draw_table(["matrix", "mean", "std", "min", "max"], numbers, title="Embeddings")
    centred = wte - wte.mean(0)
    plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    far = set(np.random.default_rng(3).choice(len(wte), 80, replace=False).tolist())
    labels = [gpt.tokenizer.piece(i) if i in far else "" for i in range(len(wte))]
    names = ("component 1", "component 2")
    norms = np.linalg.norm(wte, axis=1)
    yield (
        "wte-scatter",
        lambda: plots.draw_scatter(plane, names=names, labels=labels, values=norms, title="Tokens", unit="norm"),
    )


def readings(gpt: ca.LanguageModel) -> Iterator[tuple[str, Callable[[], object]]]:
    ids = gpt.ids(TEXT)[:14]
    tokens, chances = gpt.tokenizer.pieces(ids), lens(gpt, ids)
    best = chances.max(-1)
    words = [gpt.tokenizer.pieces(row) for row in best.indices.tolist()]
    grid = {"axes": [("layer", range(len(words))), ("token", tokens)], "texts": words, "unit": "probability"}
    yield "lens", lambda: plots.draw_heat_map(best.values.numpy(), title="What each layer would say", **grid)
    parts = [f"layer {i}, head {j}" for i in range(12) for j in range(12)]
    effects = np.random.default_rng(1).standard_t(3, size=len(parts))
    bars = {"labels": parts, "unit": "logit", "largest": 20}
    yield "attribution", lambda: plots.draw_bars(effects, title="What wrote the next token", **bars)
    ids = gpt.ids(LONG)[:256]
    losses = [np.nan] + [-score.logprob for score in gpt.score(ids)[1:]]
    pieces = [gpt.tokenizer.decode([token]) for token in ids]
    yield "surprise", lambda: plots.draw_text(losses, tokens=pieces, title="How surprising each token was", unit="nats")
    yield (
        "loss-along",
        lambda: plots.draw_along(losses[1:], name="position", unit="loss, nats", title="Loss", smooth=16),
    )


def shapes() -> Iterator[tuple[str, Callable[[], object]]]:
    rng = np.random.default_rng(2)
    for rows, columns in ((1, 1), (3, 3), (12, 12), (12, 300), (300, 12), (64, 64), (1024, 1024)):
        axes = [("layer", range(rows)), ("token", [f"Ġword{i}" for i in range(columns)])]
        values = rng.normal(size=(rows, columns))
        yield f"draw-{rows}x{columns}", lambda v=values, a=axes: plots.draw(v, axes=a, title="Numbers", diverging=True)
    axes = [("layer", range(12)), ("head", range(12)), ("position", range(40))]
    yield "draw-3", lambda: plots.draw(rng.normal(size=(12, 12, 40)), axes=axes, title="Three axes", unit="logit")
    words = ["東京", "\n", "$x$", " to", "\U0001f98a", "é", "﷽", "<|endoftext|>", "a" * 80]
    yield (
        "draw-1",
        lambda: plots.draw(np.arange(9) - 3.0, axes=[("token", words)], title="Odd $words$ 東京", diverging=True),
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in gallery(ca.load()):
        start = time.perf_counter()
        figure = draw()
        for kind in ("png", "svg", "pdf") if "-v" in sys.argv else ("png",):
            save(figure, folder / f"{name}.{kind}")
        size = (folder / f"{name}.png").stat().st_size
        print(f"{name:24} {time.perf_counter() - start:5.2f} s {size / 1e3:8.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
