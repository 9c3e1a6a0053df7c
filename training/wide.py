"""Fine-tunes the whole sentence encoder, with heads for the subjects, the leaves and the stages, on what was labelled by
reading, what we wrote, and what the teacher says of other texts. It does not ship: the judge (judge.py) and the fast path
learn from what it says."""
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from encoder import DIM, FEATURES, Encoder

EPOCHS, RATE, HEAD_RATE, ATTENTION_RATE, TOKENS_A_BATCH = 4, 5e-4, 3e-3, 1e-3, 2048
# The vectors have length one; scaled, the heads learn as fast as the rest.
SCALE = 4.0
LEAVES_SHARE, STAGES_SHARE = 0.5, 0.1


class Wide(nn.Module):
    def __init__(self, leaves, stages):
        super().__init__()
        self.encoder = Encoder()
        self.subjects, self.leaves, self.stages = (nn.Linear(DIM, n) for n in (7, leaves + 1, stages))
        for head, bias in ((self.subjects, -2.5), (self.leaves, 0.0), (self.stages, 0.0)):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, bias)
        self.gist = nn.Linear(FEATURES, leaves + 1, bias=False)
        nn.init.zeros_(self.gist.weight)

    def forward(self, ids):
        v, evidence, gist = self.encoder(ids)
        scaled = v * SCALE
        return v, self.subjects(scaled) + evidence, self.leaves(scaled) + self.gist(gist), self.stages(scaled)


def batches(lengths, of, rng):
    """Texts of like length together, none of more tokens than a batch holds unless it is alone."""
    of, out = rng.permutation(of), []
    for part in np.array_split(of, max(1, len(of) // 1024)):
        batch, size = [], 0
        for i in part[np.argsort(lengths[part], kind="stable")]:
            if batch and size + lengths[i] > TOKENS_A_BATCH:
                out.append(batch)
                batch, size = [], 0
            batch.append(i)
            size += lengths[i]
        out.append(batch)
    return [out[k] for k in rng.permutation(len(out))]


def warm_up(optimiser, steps):
    """The rate rises over the first steps, then falls to nearly nothing."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1, (s + 1) / (0.06 * steps)) * max(0.02, 1 - s / steps))


def leaf_loss(logits, wanted, also):
    """Cross-entropy with the share that each leaf has in the label (the last: none). What would be a fair answer too is
    left out of the sum."""
    away = torch.zeros_like(logits)
    for row, leaves in enumerate(also):
        away[row, leaves] = -1e4
    return -(wanted * F.log_softmax(logits + away, 1)).sum(1)


def fit(ids, truth, use, half, log=print):
    """truth: subjects (n x 7, probabilities), leaves (n x leaves + 1, rows of zeros where nobody said), also (lists),
    stages (n, -1 where nobody said). Trains on the rows `use`, of which it sees those of `half` in every second epoch."""
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    model = Wide(truth["leaves"].shape[1] - 1, truth["stage_count"])
    model.train()
    heads = [p for head in (model.subjects, model.leaves, model.stages) for p in head.parameters()]
    ours = [model.encoder.w["attention"], model.encoder.w["attention_b"], model.gist.weight]
    body = [p for n, p in model.encoder.named_parameters() if p.requires_grad and "attention" not in n]
    lengths = np.array([len(x) for x in ids])
    often, rarely = use[~half[use]], rng.permutation(use[half[use]])
    parts = [rarely[::2], rarely[1::2]]
    plan = [b for epoch in range(EPOCHS) for b in batches(lengths, np.concatenate([often, parts[epoch % 2]]), rng)]
    optimiser = torch.optim.AdamW([{"params": body, "lr": RATE}, {"params": heads, "lr": HEAD_RATE},
                                   {"params": ours, "lr": ATTENTION_RATE}], weight_decay=0.01)
    rate = warm_up(optimiser, len(plan))
    start, total = time.time(), 0.0
    for step, batch in enumerate(plan):
        _, subjects, leaves, stages = model([ids[i] for i in batch])
        want = torch.tensor(truth["leaves"][batch])
        said = want.sum(1)
        stage = torch.tensor(truth["stages"][batch])
        loss = F.binary_cross_entropy_with_logits(
            subjects, torch.tensor(truth["subjects"][batch]), reduction="none").sum(1).mean()
        found = leaf_loss(leaves, want, [truth["also"][i] for i in batch])
        loss = loss + LEAVES_SHARE * found.sum() / said.sum().clamp(min=1)
        if (stage >= 0).any():
            loss = loss + STAGES_SHARE * F.cross_entropy(stages, stage, ignore_index=-1)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body, 1.0)
        optimiser.step()
        rate.step()
        total += loss.item()
        if step % max(1, len(plan) // 8) == 0:
            log(f"wide: step {step} of {len(plan)}, mean loss {total / (step + 1):.3f}, {time.time() - start:.0f} s")
    model.eval()
    return model


@torch.no_grad()
def apply(model, ids):
    """Vectors (float16), log-odds of the subjects, of the leaves (float16), of the stages."""
    lengths = np.array([len(x) for x in ids])
    kinds = (np.float16, np.float32, np.float16, np.float32)
    out = [np.zeros((len(ids), part.shape[1]), kind) for part, kind in zip(model(ids[:1]), kinds)]
    for batch in batches(lengths, np.arange(len(ids)), np.random.default_rng(0)):
        for array, value in zip(out, model([ids[i] for i in batch])):
            array[batch] = value.numpy()
    return out
