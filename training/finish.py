"""Calibration, thresholds and figures, from what each path said of the texts that were held out; then the files."""
import json
import pickle
import struct

import blake3
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

import fast
import judge
import texts
import wide

# Of the labelled prompts that touch a subject, the share that the thresholds keep out: of all, and of each subject. Of
# our own texts in other languages, which are harder than what people type (hints, half of the harmless ones look-alikes).
RECALL, RECALL_EACH, RECALL_THERE = 0.97, 0.93, 0.94
# Of what the judge would have stopped, the share that the fast path may let pass unasked; and of what it stops unasked,
# the share that must be sensitive.
CLEAR_LOSS, STOP_PRECISION = 0.01, 0.83
# Where the fast path is so sure of its best leaf, from and to, the judge is asked.
LEAVES_DOUBTFUL = (0.1, 0.8)
# Most texts that show no interest may be given one.
INVENTED = 0.15
CANDIDATES, MOST = 4, 3
# What the fast path tells beside its best leaf must be so sure, since nobody else is asked.
BESIDE = 0.8
SHARES = (0.0, 0.2, 0.35, 0.5, 0.75, 1.0)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def calibrate(j, f, truth):
    """Log-odds = a x judge + b x fast + c of the subject, by logistic regression on all subjects at once."""
    one = np.tile(np.eye(7), (len(j), 1))
    x = np.column_stack([j.ravel(), f.ravel(), one])
    fit = LogisticRegression(C=10, fit_intercept=False, max_iter=2000).fit(x, truth.ravel() > 0)
    w = fit.coef_[0]
    return w[0], w[1], w[2:]


def highest(value, recall):
    """The highest threshold that keeps this share of the values."""
    value = np.sort(value)[::-1]
    return value[min(len(value) - 1, int(np.ceil(recall * len(value))) - 1)]


def set_thresholds(odds, truth, recall):
    """One for all subjects at first; a subject that is missed too often gets a lower one."""
    sensitive = truth.any(1)
    thresholds = np.full(7, highest(odds.max(1)[sensitive], recall))
    for s in range(7):
        mine = truth[:, s] > 0
        if mine.sum() >= 20 and (odds >= thresholds).any(1)[mine].mean() < RECALL_EACH:
            others = np.delete(odds, s, 1) >= np.delete(thresholds, s)
            left = mine & ~others.any(1)
            need = int(np.ceil(RECALL_EACH * mine.sum())) - int((mine & others.any(1)).sum())
            if need > 0:
                thresholds[s] = min(thresholds[s], np.sort(odds[left, s])[::-1][need - 1])
    return thresholds


def leaf_rows(logits, words):
    """Of each text its best leaves, and what tells how sure each is: one, how far its log-odds are above those of no
    interest, how far behind the best leaf, how far the best is above the fourth, the logarithm of the words."""
    logits = logits.astype(np.float32)
    order = np.argsort(-logits[:, :-1], 1)[:, :CANDIDATES]
    top = np.take_along_axis(logits, order, 1)
    none = logits[:, -1:]
    length = np.log(np.clip(words, 1, 200))[:, None] * np.ones_like(top)
    x = np.stack([np.ones_like(top), top - none, top - top[:, :1], (top[:, :1] - top[:, 3:4]) * np.ones_like(top),
                  length], -1)
    return order, x


def matches(got, wanted, fair):
    """Right, wrong and missed, as the scorecard counts them."""
    left, right, wrong = list(wanted), 0, 0
    for leaf in got:
        hit = next((w for w in left if leaf in w), None)
        if hit is not None:
            left.remove(hit)
            right += 1
        elif not any(leaf in w for w in wanted) and leaf not in fair:
            wrong += 1
    return right, wrong, len(left)


def score(order, sure, rows, ids, cut):
    right = wrong = missed = invented = empty = 0
    group = [0, 0, 0]
    first = []
    for best, p, row in zip(order, sure, rows):
        got = [ids[leaf] for leaf, q in list(zip(best, p))[:MOST] if q >= cut]
        wanted = [set(entry.split("|")) for entry in row["interests"]]
        fair = {leaf for entry in row.get("also", []) for leaf in entry.split("|")}
        r, w, m = matches(got, wanted, fair)
        right, wrong, missed = right + r, wrong + w, missed + m
        of = lambda leaf: leaf.split(".")[0]
        wide = [set(map(of, w)) for w in wanted]
        wide = [w for k, w in enumerate(wide) if w not in wide[:k]]
        group = [a + b for a, b in zip(group, matches(list(dict.fromkeys(map(of, got))), wide, set(map(of, fair))))]
        if not wanted:
            empty += 1
            invented += bool(got) and not set(got) <= fair
        else:
            first.append(any(ids[best[0]] in w for w in wanted))
    f1 = lambda r, w, m: 2 * r / max(1, 2 * r + w + m)
    return {"f1": f1(right, wrong, missed), "precision": right / max(1, right + wrong),
            "recall": right / max(1, right + missed), "group_f1": f1(*group), "invented": invented / max(1, empty),
            "first": float(np.mean(first))}


def fit_leaves(logits, rows, ids):
    words = np.array([len(r["text"].split()) for r in rows])
    order, x = leaf_rows(logits, words)
    fair = [{l for e in r.get("also", []) for l in e.split("|")} for r in rows]
    wanted = [{l for e in r["interests"] for l in e.split("|")} for r in rows]
    y = np.array([[ids[l] in w for l in best] for best, w in zip(order, wanted)])
    counted = np.array([[ids[l] in w or ids[l] not in a for l in best] for best, w, a in zip(order, wanted, fair)])
    fit = LogisticRegression(C=10, fit_intercept=False, max_iter=2000).fit(x[counted], y[counted])
    sure = logistic(x @ fit.coef_[0])
    found = [(score(order, sure, rows, ids, cut), float(cut)) for cut in np.arange(0.1, 0.6, 0.02)]
    allowed = [f for f in found if f[0]["invented"] <= INVENTED] or found[-1:]
    figures, cut = max(allowed, key=lambda f: f[0]["f1"] + f[0]["group_f1"])
    return fit.coef_[0], cut, figures


def finish(work, out):
    data = pickle.loads((work / "data.pkl").read_bytes())
    ids = [id_ for id_, _, _ in texts.leaves()]
    part = dict(np.load(work / "held-out.npz"))
    rows = [data["rows"][i] for i in part["rows"]]
    truth = data["truth"]["subjects"][part["rows"]]
    source = np.array([r["source"] for r in rows])
    language = np.array([r["language"] for r in rows])
    english = (language == "en") & (source == "labelled")
    others = language != "en"
    j, f = part["judge_subjects"], part["fast_subjects"]
    metrics = {"labelled": int(english.sum()), "labelled_sensitive": int(truth[english].any(1).sum())}

    # English: both paths.
    by_judge, by_fast, bias = calibrate(j[english], f[english], truth[english])
    odds = by_judge * j + by_fast * f + bias
    thresholds = set_thresholds(odds[english], truth[english], RECALL)
    sensitive = truth.any(1)
    stops = (odds >= thresholds).any(1)
    greatest = f.max(1)
    asked = np.sort(greatest[english & sensitive & stops])
    clear = float(asked[int(CLEAR_LOSS * len(asked))])
    stop = float("inf")
    for cut in np.arange(-2.0, 6.0, 0.05):
        over = english & (greatest >= cut)
        if over.sum() >= 50 and sensitive[over].mean() >= STOP_PRECISION:
            stop = float(cut)
            break
    doubtful = (greatest >= clear) & (greatest < stop)
    whole = (greatest >= stop) | (doubtful & stops)
    curve = []
    for shift in np.arange(-2.0, 2.01, 0.25):
        moved = (greatest >= stop) | ((greatest >= clear) & (odds >= thresholds + shift).any(1))
        curve.append({"shift": float(shift), "recall": float(moved[english & sensitive].mean()),
                      "false_alarms": float(moved[english & ~sensitive].mean())})
    metrics |= {
        "recall": float(whole[english & sensitive].mean()), "false_alarms": float(whole[english & ~sensitive].mean()),
        "doubtful": float(doubtful[english].mean()), "curve": curve,
        "subjects": {s: {"texts": int(truth[english, k].sum()), "recall": float(whole[english & (truth[:, k] > 0)].mean())}
                     for k, s in enumerate(texts.SUBJECTS) if truth[english, k].any()},
        "at_12_percent": {
            name: float((value[english & sensitive] > np.sort(value[english & ~sensitive])[::-1][
                int(0.12 * (english & ~sensitive).sum())]).mean())
            for name, value in (("fast", greatest), ("judge", j.max(1)), ("both", odds.max(1)))},
    }
    together = source == "labelled_together"
    metrics["short_turns"] = {
        "sensitive": int((together & sensitive).sum()), "recall": float(whole[together & sensitive].mean()),
        "harmless": int((together & ~sensitive).sum()), "false_alarms": float(whole[together & ~sensitive].mean())}
    ours = (language == "en") & (source == "authored")
    metrics["authored"] = {"recall": float(whole[ours & sensitive].mean()),
                           "false_alarms": float(whole[ours & ~sensitive].mean())}

    # Other languages: the judge with the hashed words beside it.
    by_judge_there, by_fast_there, bias_there = calibrate(j[others], f[others], truth[others])
    odds_there = by_judge_there * j + by_fast_there * f + bias_there
    thresholds_there = set_thresholds(odds_there[others], truth[others], RECALL_THERE)
    metrics["languages"] = {}
    held_truth = np.array([[s in r["subjects"] for s in texts.SUBJECTS] for r in data["held"]])
    held_language = np.array([r["language"] for r in data["held"]])
    hj = np.load(work / "judge-languages.npz")["arr_0"]
    hf = np.load(work / "fast-languages.npz")["arr_0"]
    held_stops = np.where((held_language == "en")[:, None], by_judge * hj + by_fast * hf + bias >= thresholds,
                          by_judge_there * hj + by_fast_there * hf + bias_there >= thresholds_there).any(1)
    for code in sorted(set(held_language)):
        hot = held_truth.any(1)
        mine = held_language == code
        metrics["languages"][code] = {
            "sensitive": int((mine & hot).sum()), "recall": float(held_stops[mine & hot].mean()),
            "harmless": int((mine & ~hot).sum()), "false_alarms": float(held_stops[mine & ~hot].mean())}
    supported = [c for c, m in metrics["languages"].items() if c != "en" and m["recall"] >= 0.85]

    # Leaves, and stages.
    told = (source == "labelled") & np.array([r["interests"] is not None for r in rows]) & (language == "en")
    mine = [rows[i] for i in np.where(told)[0]]
    fast_leaves, judge_leaves = part["fast_leaves"].astype(np.float32), part["judge_leaves"].astype(np.float32)
    tried = []
    for share in SHARES:
        tried.append((share, *fit_leaves(judge_leaves[told] + share * fast_leaves[told], mine, ids)))
    beside, judge_sure, judge_cut, judge_figures = max(tried, key=lambda t: t[3]["f1"] + t[3]["group_f1"])
    fast_sure, fast_cut, fast_figures = fit_leaves(fast_leaves[told], mine, ids)
    metrics["interests"] = {"fast": fast_figures, "judge": judge_figures, "fast_beside_judge": beside}
    stages = np.array([data["truth"]["stages"][i] for i in part["rows"]])
    staged = stages >= 0
    if staged.any():
        metrics["stages"] = {name: float((part[f"{name}_stages"][staged].argmax(1) == stages[staged]).mean())
                             for name in ("fast", "judge")}
    metrics["thresholds"] = {s: float(logistic(t)) for s, t in zip(texts.SUBJECTS, thresholds)}
    print(json.dumps({k: v for k, v in metrics.items() if k != "curve"}, indent=1))
    for point in curve:
        print(point)
    model = torch.load(work / "judge.pt", weights_only=False)
    quick, step = torch.load(work / "fast.pt", weights_only=False)
    typed = [i for i, r in enumerate(data["rows"]) if r["source"] in ("labelled", "chats") and r["language"] == "en"]
    write(out, model, judge.often([data["ids"][i] for i in typed]), quick, step, {
        "leaves": ids, "languages": supported, "clear": clear, "stop": stop if np.isfinite(stop) else 1e6,
        "english": {"by_judge": by_judge, "by_fast": by_fast, "bias": list(bias), "thresholds": list(thresholds)},
        "elsewhere": {"by_judge": by_judge_there, "by_fast": by_fast_there, "bias": list(bias_there),
                      "thresholds": list(thresholds_there)},
        "fast_beside_judge": beside,
        "fast_leaves": {"sure": list(fast_sure), "threshold": fast_cut, "beside": BESIDE},
        "leaves_doubtful": list(LEAVES_DOUBTFUL),
        "judge_leaves": {"sure": list(judge_sure), "threshold": judge_cut, "beside": judge_cut},
    }, metrics)


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return float(value) if isinstance(value, (np.floating, float)) else value


def whole_steps(layer, scale=1.0):
    """A layer's rows as whole steps of -127 to 127, and what a step of each row is worth."""
    weight = layer.weight.detach().numpy()
    steps = np.maximum(np.abs(weight).max(1), 1e-6) / 127
    return np.round(weight / steps[:, None]).astype(np.int8), (steps * scale).astype("<f4")


def write(out, model, often, quick, step, header, metrics):
    """`tactful.bin`: see crates/reader/src/weights.rs for the layout; and the encoder."""
    table = np.round(quick.table.weight.detach().numpy() / step).astype(np.int8)
    hashed = quick.hashed.weight.detach().numpy()
    hashed_steps = np.maximum(np.abs(hashed).max(0), 1e-6) / 127
    hashed = np.hstack([np.round(hashed / hashed_steps).astype(np.int8), np.zeros((fast.BUCKETS, 1), np.int8)])
    header = plain(header | {
        "dim": fast.TABLE, "hidden": fast.HIDDEN, "tokens": int(table.shape[0]), "buckets": fast.BUCKETS,
        "wide": judge.VECTOR, "hashed_steps": list(hashed_steps)})
    vocabulary = (fast.MODEL / "vocab.txt").read_bytes().decode().rstrip("\n").encode()
    encoded = json.dumps(header).encode()
    body = b"TACTMDL4"
    for counted in (encoded, vocabulary):
        body += struct.pack("<I", len(counted)) + counted
    body += table.tobytes() + hashed.tobytes()

    def layer(linear, scale):
        rows, steps = whole_steps(linear, scale)
        bias = linear.bias.detach().numpy().astype("<f4") if linear.bias is not None else np.zeros(len(rows), "<f4")
        return rows.tobytes() + steps.tobytes() + bias.tobytes()

    # The table's sum comes in at length one; what was trained on it scaled takes the scale into its steps.
    body += layer(quick.hidden, fast.SCALE) + layer(quick.direct, fast.SCALE)
    body += layer(quick.subjects, 1.0) + layer(quick.leaves, 1.0) + layer(quick.stages, 1.0)
    # The leaves of the judge are told by its vector and by its gist.
    of_vector, of_gist = (torch.nn.Linear(n, model.leaves.out_features, bias) for n, bias in ((judge.VECTOR, True), (judge.GIST, False)))
    of_vector.weight.data, of_gist.weight.data = model.leaves.weight.split([judge.VECTOR, judge.GIST], 1)
    of_vector.bias = model.leaves.bias
    body += layer(model.subjects, wide.SCALE) + layer(of_vector, wide.SCALE) + layer(model.stages, wide.SCALE)
    body += layer(of_gist, 1.0)
    body += blake3.blake3(body).digest()
    (out / "tactful.bin").write_bytes(body)
    size = model.save(out / "encoder.bin", often)
    metrics["bytes"] = {"tactful.bin": len(body), "encoder.bin": size}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    print(f"{len(body) / 1e6:.1f} MB and {size / 1e6:.1f} MB")
