"""llama.cpp by its C interface: one batch a call, a sequence a row."""

import ctypes
import time

import llama_cpp as lib

CONTEXT, BATCH = 1024, 512


class Model:
    def __init__(self, files, dtype, threads):
        lib.llama_backend_init()
        self.quiet = lib.llama_log_callback(lambda *_: None)
        lib.llama_log_set(self.quiet, ctypes.c_void_p(0))
        self.model = lib.llama_model_load_from_file(files.encode(), lib.llama_model_default_params())
        self.threads, self.contexts = threads, {}
        self.batch = lib.llama_batch_init(BATCH, 0, 1)

    def context(self, rows):
        if rows not in self.contexts:
            params = lib.llama_context_default_params()
            params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = CONTEXT, BATCH, BATCH, rows
            params.n_threads = params.n_threads_batch = self.threads
            self.contexts[rows] = lib.llama_init_from_model(self.model, params)
        return self.contexts[rows]

    def read(self, rows, ids):
        context = self.context(rows)
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        piece = BATCH // rows
        for begin in range(0, len(ids), piece):
            part = ids[begin : begin + piece]
            self.run(context, rows, part, begin, last=begin + len(part) == len(ids))

    def run(self, context, rows, ids, begin, last=True):
        batch = self.batch
        batch.n_tokens = rows * len(ids)
        places = ((row, i) for row in range(rows) for i in range(len(ids)))
        for place, (row, i) in enumerate(places):
            batch.token[place], batch.pos[place] = ids[i], begin + i
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, row
            batch.logits[place] = last and i == len(ids) - 1
        if lib.llama_decode(context, batch):
            raise RuntimeError("llama_decode failed")
        lib.llama_synchronize(context)

    def decode_s(self, rows, ids, steps):
        self.read(rows, ids)
        seconds = []
        for step in range(steps):
            start = time.perf_counter()
            self.run(self.context(rows), rows, [1], len(ids) + step)
            seconds.append(time.perf_counter() - start)
        return seconds
