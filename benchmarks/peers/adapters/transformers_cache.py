"""transformers: the model with its dynamic cache."""

import time

import torch
import transformers


class Model:
    def __init__(self, files, dtype, threads):
        torch.set_num_threads(threads)
        transformers.logging.disable_progress_bar()
        self.model = transformers.GPT2LMHeadModel.from_pretrained(files, dtype=getattr(torch, dtype)).eval()

    def read(self, rows, ids):
        self.cache = transformers.DynamicCache()
        self.run(torch.tensor([ids] * rows))

    @torch.inference_mode()
    def run(self, ids):
        self.model(ids, past_key_values=self.cache, use_cache=True, logits_to_keep=1)

    def decode_s(self, rows, ids, steps):
        self.read(rows, ids)
        new, seconds = torch.ones(rows, 1, dtype=torch.long), []
        for _ in range(steps):
            start = time.perf_counter()
            self.run(new)
            seconds.append(time.perf_counter() - start)
        return seconds
