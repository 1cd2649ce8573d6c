"""``python portable_step.py FORMAT MODEL IN.npz OUT.npz``: one step of an exported model, by its own runtime alone."""

import sys

import numpy as np


def saved_model(path, given):
    import tensorflow as tf

    step = tf.saved_model.load(path).signatures["step"]
    return step(**{name: tf.constant(value) for name, value in given.items()})


def onnx(path, given):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return dict(zip([out.name for out in session.get_outputs()], session.run(None, given), strict=True))


def litert(path, given):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=path).get_signature_runner("step")(**given)


if __name__ == "__main__":
    kind, model, source, target = sys.argv[1:]
    results = {"saved_model": saved_model, "onnx": onnx, "litert": litert}[kind](model, dict(np.load(source)))
    np.savez(target, **{name: np.asarray(value) for name, value in results.items()})
    assert "kerasgen" not in sys.modules
    assert kind == "saved_model" or "tensorflow" not in sys.modules
