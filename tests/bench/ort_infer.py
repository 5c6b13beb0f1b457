# SPDX-License-Identifier: Apache-2.0
"""ort_infer.py MODEL THREADS COUNT - times COUNT inferences by ONNX Runtime on the CPU, and prints them as one JSON line.

Inputs are the numbers of qk_ort_input() in ort.h, dimensions that the model leaves open being 1, so that both runtimes do
the same work and their answers can be compared.
"""
import json
import sys
import time

import numpy
import onnxruntime


def input_of(value):
    if value.type != "tensor(float)":
        sys.exit(f"input {value.name} is {value.type}, not float")
    shape = [dim if isinstance(dim, int) else 1 for dim in value.shape]
    index = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint64)
    spread = ((index * 2654435761 & 0xFFFFFFFF) >> 8).astype(numpy.float32) / numpy.float32(16777216)
    return spread.reshape(shape)


def main():
    model, threads, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = {value.name: input_of(value) for value in session.get_inputs()}
    for _ in range(10):
        outputs = session.run(None, inputs)
    took_us = []
    for _ in range(count):
        begun = time.perf_counter_ns()
        outputs = session.run(None, inputs)
        took_us.append((time.perf_counter_ns() - begun) / 1e3)
    took_us.sort()
    magnitudes = numpy.concatenate([numpy.abs(output.astype(numpy.float64)).ravel() for output in outputs])
    print(json.dumps({
        "version": onnxruntime.__version__,
        "p50_us": took_us[(count * 50 + 99) // 100 - 1],
        "p99_us": took_us[(count * 99 + 99) // 100 - 1],
        "checksum": float(magnitudes.mean()),
    }))


main()
