"""CTranslate2: it generates and does no less, so the clock is read whenever it hands out a token."""

import itertools
import json
import time
from pathlib import Path

import ctranslate2


class Model:
    def __init__(self, files, dtype, threads):
        self.generator = ctranslate2.Generator(
            files, device="cpu", compute_type=dtype, inter_threads=1, intra_threads=threads
        )
        self.vocabulary = json.loads(Path(files, "vocabulary.json").read_text(encoding="utf-8"))

    def read(self, rows, ids):
        self.generate(rows, ids, 1)

    def decode_s(self, rows, ids, steps):
        arrivals = []

        def arrived(step):
            if step.batch_id == 0:
                arrivals.append(time.perf_counter())
            return False

        self.generate(rows, ids, steps + 1, arrived)
        return [after - before for before, after in itertools.pairwise(arrivals)]

    def generate(self, rows, ids, new, callback=None):
        prompt = [self.vocabulary[i] for i in ids]
        self.generator.generate_batch(
            [prompt] * rows,
            max_length=new,
            min_length=new,
            include_prompt_in_result=False,
            sampling_topk=1,
            callback=callback,
        )
