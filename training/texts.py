"""The texts that the model is trained on, with what is known of each.

A row is {"text", "subjects": set or None, "interests": [leaf] or None, "weight", "source"}; None means
that nobody has said. Nothing of ../shared/data/eval is ever read as training text: its prompts are
read only to drop whatever equals one of them.
"""
import glob
import gzip
import hashlib
import json
import pathlib
import random
import re

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data"
SUBJECTS = ["religion", "orientation", "politics", "health", "ethnicity", "philosophy", "union"]
POOL_NAMES = {
    "religion": "religion",
    "sexual_orientation_gender_identity": "orientation",
    "political_views": "politics",
    "health": "health",
    "race_ethnic_origin": "ethnicity",
    "philosophical_beliefs": "philosophy",
    "trade_union": "union",
}
# Share-alike or GPL sources stay out of what is shipped.
LEFT_OUT = ("covid-q", "crows-pairs", "sgd", "xsid", "hint3", "cooking-stackexchange", "sib-200",
            "multilingual-hatecheck", "kosbi")


def leaves():
    """The leaves in the order of the file: (id, name, description without what belongs elsewhere)."""
    rows = []
    for line in open(HERE.parent / "taxonomy" / "interests.tsv", encoding="utf-8"):
        id_, name, parent, description = line.rstrip("\n").split("\t")[:4]
        if parent and id_ != "id":
            rows.append((id_, name, description.split(";")[0].strip()))
    return rows


def normal(text):
    return re.sub(r"\W+", " ", text.lower()).strip()[:60]


def jsonl(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8")
    with opened as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def authored():
    """Texts of our own: training/authored/*.jsonl and *.tsv (leaf, text)."""
    for path in sorted(glob.glob(str(HERE / "authored" / "*.jsonl"))):
        for row in jsonl(path):
            subjects = row.get("sensitive")
            interests = row.get("interests") if "interests" in row else None
            yield {"text": row["text"], "subjects": set(subjects or []), "interests": interests,
                   "weight": 3.0, "source": "authored"}
    for path in sorted(glob.glob(str(HERE / "authored" / "*.tsv"))):
        for line in open(path, encoding="utf-8"):
            leaf, _, text = line.rstrip("\n").partition("\t")
            if pathlib.Path(path).name.startswith("languages"):
                language, subjects, text = line.rstrip("\n").split("\t")
                yield {"text": text, "subjects": set(subjects.split(",")) - {"none"}, "interests": None,
                       "weight": 3.0, "source": "authored", "language": language}
                continue
            if leaf in SUBJECTS or leaf == "none":
                yield {"text": text, "subjects": {leaf} - {"none"}, "interests": None,
                       "weight": 3.0, "source": "authored"}
            elif text:
                yield {"text": text, "subjects": set(), "interests": [leaf], "weight": 3.0,
                       "source": "authored"}


def held_out_languages():
    """Texts of our own in other languages, for measuring which of them the model may serve."""
    rows = []
    for path in sorted(glob.glob(str(HERE / "languages" / "*.tsv"))):
        for line in open(path, encoding="utf-8"):
            language, subjects, text = line.rstrip("\n").split("\t")
            rows.append({"language": language, "subjects": set(subjects.split(",")) - {"none"}, "text": text})
    return rows


def labelled():
    """Real prompts that were labelled by reading: ids here, texts in the shared pool."""
    labels = {}
    for path in sorted(glob.glob(str(HERE / "labels" / "*.jsonl"))):
        for row in jsonl(path):
            labels[row["id"]] = row
    if not labels:
        return
    for row in jsonl(DATA / "prompts.jsonl.gz"):
        label = labels.get(row["id"])
        if label:
            interests = label["interests"]
            if interests is not None:
                interests = [one for entry in interests for one in entry.split("|")]
            yield {"text": row["text"], "subjects": set(label["sensitive"]), "interests": interests,
                   "weight": 4.0, "source": "labelled"}


def sample(rows, count, rng):
    rows = list(rows)
    rng.shuffle(rows)
    return rows[:count]


def pools(rng):
    by = {}
    for row in jsonl(DATA / "sensitive_pool.jsonl.gz"):
        if row["lang"] != "en" or row["source"].startswith(LEFT_OUT) or len(row["text"]) < 12:
            continue
        by.setdefault(row["category"], []).append(row)
    for category, rows in sorted(by.items()):
        for row in sample(rows, 1700, rng):
            subject = POOL_NAMES.get(category)
            yield {"text": row["text"][:400], "subjects": {subject} if subject else None,
                   "interests": None, "weight": 0.5, "source": "sensitive_pool"}
    rows = [r for r in jsonl(DATA / "hard_negative_candidates.jsonl.gz") if r["source"].startswith("reddit")]
    for row in sample(rows, 2500, rng):
        yield {"text": row["text"][:400], "subjects": set(), "interests": None, "weight": 0.3,
               "source": "hard_negative_candidates"}
    topics = [r for r in jsonl(DATA / "intent_topic_pool.jsonl.gz")
              if r["lang"] == "en" and not r["source"].startswith(LEFT_OUT)]
    hobbies = [r for r in topics if r["source"].startswith("reddit")]
    short = [r for r in topics if not r["source"].startswith("reddit")]
    for row in sample(hobbies, 5000, rng) + sample(short, 5000, rng):
        yield {"text": row["text"][:400], "subjects": set(), "interests": None, "weight": 0.5,
               "source": "intent_topic_pool"}
    items = [r for r in jsonl(DATA / "inventory_pool.jsonl.gz")
             if not str(r["category"]).startswith("sensitive") and r["category"] != "healthcare"]
    for row in sample(items, 7000, rng):
        yield {"text": row["title"][:200], "subjects": None, "interests": None, "weight": 0.3,
               "source": "inventory_pool"}
    prompts = [r for r in jsonl(DATA / "prompts.jsonl.gz") if r["lang"] == "en" and len(r["text"]) >= 8]
    for row in sample(prompts, 13000, rng):
        yield {"text": row["text"][:400], "subjects": None, "interests": None, "weight": 0.5,
               "source": "prompts"}


def unlabelled(rng):
    """What people typed, for the fast path to learn from the encoder's opinion of it."""
    def row(text, source, language="en"):
        return {"text": text[:400], "subjects": None, "interests": None, "weight": 0.0, "source": source,
                "language": language}
    for r in jsonl(DATA / "prompts.jsonl.gz"):
        yield row(r["text"], "prompts", r["lang"])
    chats = []
    for r in jsonl(DATA / "chats.jsonl.gz"):
        if not r["source"].startswith(LEFT_OUT):
            chats += [t["text"] for t in r["turns"] if t["role"] == "user" and 12 < len(t["text"]) < 400]
    for text in sample(chats, 60000, rng):
        yield row(text, "chats")
    sensitive = [r for r in jsonl(DATA / "sensitive_pool.jsonl.gz") if not r["source"].startswith(LEFT_OUT)]
    for r in sensitive:
        yield row(r["text"], "sensitive_pool_rest", r["lang"])
    for r in jsonl(DATA / "hard_negative_candidates.jsonl.gz"):
        yield row(r["text"], "hard_negative_rest")
    topics = [r for r in jsonl(DATA / "intent_topic_pool.jsonl.gz") if not r["source"].startswith(LEFT_OUT)]
    for r in sample(topics, 45000, rng):
        yield row(r["text"], "intent_rest", r["lang"])
    for r in sample(jsonl(DATA / "inventory_pool.jsonl.gz"), 15000, rng):
        yield row(r["title"], "inventory_rest")


def key(text):
    """The whole text, for looking its vector up."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def all_texts():
    evaluated = {normal(row["text"]) for row in jsonl(DATA / "eval" / "prompts.jsonl")}
    evaluated |= {normal(row["text"]) for row in held_out_languages()}
    rng = random.Random(20251216)
    seen, rows = set(), []
    for row in [*labelled(), *authored(), *pools(rng), *unlabelled(rng)]:
        known = normal(row["text"]) if row.get("language", "en") == "en" else row["text"]
        if known and len(row["text"]) > 1 and normal(row["text"]) not in evaluated \
                and (known not in seen or row["source"] == "authored"):
            seen.add(known)
            rows.append(row)
    return rows
