"""The rival: all-MiniLM-L6-v2 in ONNX Runtime, int8, 32 texts at a time, on one core; what one would pick without us. Prints
the texts a second, tokenising included, on the same texts that `tactful eval` reads:

    pip install onnxruntime==1.32.0 onnx onnxscript && taskset -c 0 python rival.py prompts.jsonl
"""
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoModel, AutoTokenizer

import teacher

BATCH, RUNS = 32, 5


class Pooled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = AutoModel.from_pretrained(teacher.MODEL)

    def forward(self, input_ids, attention_mask):
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask[:, :, None].float()
        return (hidden * weight).sum(1) / weight.sum(1)


def main(prompts):
    texts = [json.loads(line)["text"] for line in open(prompts, encoding="utf-8")]
    tokenizer = AutoTokenizer.from_pretrained(teacher.MODEL)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        example = tokenizer(["hello there", "a b"], padding=True, return_tensors="pt")
        torch.onnx.export(Pooled().eval(), (example["input_ids"], example["attention_mask"]), str(folder / "f32.onnx"),
                          input_names=["input_ids", "attention_mask"], output_names=["vector"], dynamo=False,
                          dynamic_axes={n: {0: "b", 1: "t"} for n in ("input_ids", "attention_mask")})
        quantize_dynamic(folder / "f32.onnx", folder / "int8.onnx", per_channel=True, weight_type=QuantType.QInt8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(folder / "int8.onnx"), options)
        rates = []
        for _ in range(RUNS):
            start = time.perf_counter()
            for k in range(0, len(texts), BATCH):
                batch = tokenizer(texts[k:k + BATCH], padding=True, truncation=True, max_length=256, return_tensors="np")
                session.run(None, {n: batch[n].astype(np.int64) for n in ("input_ids", "attention_mask")})
            rates.append(len(texts) / (time.perf_counter() - start))
    print(f"{sorted(rates)[RUNS // 2]:.0f} texts a second")


if __name__ == "__main__":
    main(*sys.argv[1:])
