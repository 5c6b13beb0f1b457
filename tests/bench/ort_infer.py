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


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, payload, whole) of each field of a protobuf message; the payload is None unless it has a length."""
    at = 0
    while at < len(data):
        begun = at
        key, at = varint(data, at)
        payload = None
        if key & 7 == 0:
            _, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            payload, at = data[at:at + size], at + size
        else:
            at += 8 if key & 7 == 1 else 4
        yield key >> 3, payload, data[begun:at]


def text(message, number):
    return next(payload for field, payload, _ in fields(message) if field == number)


def without_overridable_weights(model):
    """Weights that are also listed as inputs could be given anew at each run, so ONNX Runtime would not fold them. Quark takes
    them for constants; for both to do the same work, they are taken from the list of inputs."""
    graph = text(model, 7)
    weights = {text(payload, 8) for field, payload, _ in fields(graph) if field == 5}
    kept = b"".join(whole for field, payload, whole in fields(graph)
                    if not (field == 11 and text(payload, 1) in weights))
    size, length = bytearray(), len(kept)
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    rest = b"".join(whole for field, _, whole in fields(model) if field != 7)
    return rest + bytes([7 << 3 | 2]) + bytes(size) + kept


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
    options.log_severity_level = 3
    with open(model, "rb") as file:
        plain = without_overridable_weights(file.read())
    session = onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
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
