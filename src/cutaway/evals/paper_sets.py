"""The test sets of the paper's table 3: their files, what is done to their text, and the figures to compare with.

Source: Radford et al. 2019, table 3. What others measure is from huggingface/transformers#483 and #13761 and
EleutherAI/lm-evaluation-harness#2159.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cutaway.errors import EvaluationError, did_you_mean
from cutaway.evals.detokenize import NEWS, PENN, TREEBANK_TEXT, WIKITEXT, Detokenizer

Kind: TypeAlias = Literal["text", "bytes", "last words", "cloze"]
SIZES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a set: what it is, and what the paper has for the four sizes of the model."""

    name: str
    """The key of ours, and what it is called."""
    unit: str
    """What it is counted in."""
    paper: Sequence[float] = ()
    others: str = ""


@dataclass(frozen=True, kw_only=True)
class PaperSet:
    """A test set."""

    name: str
    kind: Kind
    files: Sequence[str]
    """Names that its file may have in a folder, the likeliest first."""
    figures: Sequence[Figure]
    hub: str = ""
    """Where the Hub has it; nothing where it has to come from elsewhere."""
    source: str = ""
    """Where else."""
    detokenizer: Detokenizer | None = None
    tail_bytes: int = 0
    """How much at the end of the whole file is the test set."""
    note: str = ""


BY_WORDS = "e^(loss / words of the original between white space)"
BY_IDS = "e^(loss / tokens)"
ARCHIVE_1BW, HELDOUT = "1-billion-word-language-modeling-benchmark-r13output", "news.en.heldout-00000-of-00050"
LAMBADA_WORD = "share of passages whose last word, all its tokens, greedy decoding writes, in %"

LAMBADA_FIGURES = (
    Figure(name="perplexity", unit="e^(loss / last words)", paper=(35.13, 15.60, 10.87, 8.63), others="124M: 40.06"),
    Figure(name="accuracy", unit=LAMBADA_WORD, others="124M: 32.56"),
    Figure(
        name="accuracy_without_stop_words",
        unit="the same where no stop word may be written first; the paper's figure is taken to be this",
        paper=(45.99, 55.48, 60.12, 63.24),
    ),
)

SETS = (
    PaperSet(
        name="lambada",
        kind="last words",
        files=("lambada_test.jsonl", "lambada_openai.jsonl", "lambada_test.parquet"),
        figures=LAMBADA_FIGURES,
        hub="EleutherAI/lambada_openai/data/lambada_test.jsonl",
        note="OpenAI's version, with capitals and quotation marks, as released with the model",
    ),
    PaperSet(
        name="lambada-plain",
        kind="last words",
        files=("lambada_test_plain_text.txt", "lambada_plain.jsonl", "lambada_plain.parquet"),
        figures=tuple(Figure(name=figure.name, unit=figure.unit) for figure in LAMBADA_FIGURES),
        hub="cimec/lambada/test",
        detokenizer=TREEBANK_TEXT,
        note="the original version, in lower case; spaces and quotation marks are mended, capitals are not",
    ),
    PaperSet(
        name="cbt-cn",
        kind="cloze",
        files=("cbtest_CN_test_2500ex.txt", "CBTest/data/cbtest_CN_test_2500ex.txt"),
        figures=(Figure(name="accuracy", unit="% of 10 candidates", paper=(87.65, 92.35, 93.45, 93.30)),),
        source="CBTest.tgz of the Children's Book Test",
        detokenizer=TREEBANK_TEXT,
        note="each candidate with the rest of its sentence, after the 20 sentences before it",
    ),
    PaperSet(
        name="cbt-ne",
        kind="cloze",
        files=("cbtest_NE_test_2500ex.txt", "CBTest/data/cbtest_NE_test_2500ex.txt"),
        figures=(Figure(name="accuracy", unit="% of 10 candidates", paper=(83.4, 87.1, 88.0, 89.05)),),
        source="CBTest.tgz of the Children's Book Test",
        detokenizer=TREEBANK_TEXT,
        note="as cbt-cn",
    ),
    PaperSet(
        name="wikitext2",
        kind="text",
        files=("wikitext2.txt", "wikitext-2-raw/wiki.test.raw", "wiki.test.raw", "wikitext-2-test.raw.txt"),
        figures=(
            Figure(name="perplexity", unit=BY_IDS, paper=(29.41, 22.76, 19.93, 18.34), others="124M: 29.2 to 29.9"),
            Figure(name="word_perplexity", unit=BY_WORDS),
        ),
        hub="Salesforce/wikitext/wikitext-2-raw-v1/test",
        detokenizer=WIKITEXT,
    ),
    PaperSet(
        name="ptb",
        kind="text",
        files=("ptb.test.txt", "simple-examples/data/ptb.test.txt"),
        figures=(
            Figure(name="word_perplexity", unit=BY_WORDS, paper=(65.85, 47.33, 40.31, 35.76)),
            Figure(name="perplexity", unit=BY_IDS),
        ),
        source="Mikolov's simple-examples.tgz",
        detokenizer=PENN,
        note="<unk> and N stay; which unit the paper counts is not said",
    ),
    PaperSet(
        name="enwik8",
        kind="bytes",
        files=("enwik8",),
        figures=(Figure(name="bits_per_byte", unit="bits a byte", paper=(1.16, 1.01, 0.97, 0.93)),),
        source="enwik8.zip of the Hutter prize",
        tail_bytes=5_000_000,
        note="the last 5,000,000 bytes, as is usual",
    ),
    PaperSet(
        name="text8",
        kind="bytes",
        files=("text8",),
        figures=(
            Figure(name="bits_per_byte", unit="bits a character; each is a byte", paper=(1.17, 1.06, 1.02, 0.98)),
        ),
        source="text8.zip of Matt Mahoney",
        tail_bytes=5_000_000,
        note="the last 5,000,000 characters, as is usual",
    ),
    PaperSet(
        name="wikitext103",
        kind="text",
        files=("wikitext103.txt", "wikitext-103-raw/wiki.test.raw"),
        figures=(
            Figure(name="word_perplexity", unit=BY_WORDS, paper=(37.50, 26.37, 22.05, 17.48), others="124M: 37.4"),
            Figure(name="perplexity", unit=BY_IDS),
        ),
        hub="Salesforce/wikitext/wikitext-103-raw-v1/test",
        detokenizer=WIKITEXT,
        note="the same text as wikitext2, in the paper counted by words",
    ),
    PaperSet(
        name="1bw",
        kind="text",
        files=("1bw.txt", HELDOUT, f"{ARCHIVE_1BW}/heldout-monolingual.tokenized.shuffled/{HELDOUT}"),
        figures=(
            Figure(name="word_perplexity", unit=BY_WORDS, paper=(75.20, 55.72, 44.575, 42.16)),
            Figure(name="perplexity", unit=BY_IDS),
        ),
        source=f"{ARCHIVE_1BW}.tar.gz",
        detokenizer=NEWS,
        note="sentences as lines of one text; they are shuffled, so what comes before helps little",
    ),
)

NAMES = tuple(each.name for each in SETS)


def set_named(name: str) -> PaperSet:
    """The set of that name.

    Raises: EvaluationError when there is none.
    """
    for each in SETS:
        if each.name == name:
            return each
    raise EvaluationError(f"the paper has no set {name!r}; {did_you_mean(name, NAMES)}")
