"""OpenVINO: keys and values are the request's own state."""

import time

import numpy as np
import openvino


class Model:
    def __init__(self, files, dtype, threads):
        options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        if dtype == "fp32":
            # Where the processor has bfloat16, it would otherwise compute in that, and store keys in 8 bits.
            options |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        compiled = openvino.Core().compile_model(files, "CPU", options)
        self.request = compiled.create_infer_request()

    def read(self, rows, ids):
        self.request.reset_state()
        self.run(np.array([ids] * rows))

    def run(self, ids):
        self.request.infer({0: ids, 1: np.arange(len(ids), dtype=np.int32)}, share_inputs=True)

    def decode_s(self, rows, ids, steps):
        self.read(rows, ids)
        new, seconds = np.ones((rows, 1), np.int64), []
        for _ in range(steps):
            start = time.perf_counter()
            self.run(new)
            seconds.append(time.perf_counter() - start)
        return seconds
