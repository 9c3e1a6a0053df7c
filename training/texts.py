"""The texts that the model is trained on, with what is known of each.

A row is {"text", "subjects": set or None, "interests": [leaf or leaf|leaf] or None, "also": [leaf], "stage",
"source", "language"}; None means that nobody has said. Nothing of ../shared/data/eval is ever read as training text: its prompts are
read only to drop whatever equals one of them.
"""
import gzip
import json
import pathlib
import random
import re

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data"
SUBJECTS = ["religion", "orientation", "politics", "health", "ethnicity", "philosophy", "union"]
# Share-alike or GPL sources stay out of what is shipped.
LEFT_OUT = ("covid-q", "crows-pairs", "sgd", "xsid", "hint3", "cooking-stackexchange", "sib-200",
            "multilingual-hatecheck", "kosbi")


# As `crates/reader/src/model.rs` has them: a turn of fewer words is also judged together with the two messages before it, of
# which so many characters count.
LEANS_ON_CONTEXT, OF_EACH_BEFORE = 6, 240


def leaves():
    """The leaves in the order of the file: (id, name, description without what belongs elsewhere)."""
    rows = []
    for line in open(HERE.parent / "taxonomy" / "interests.tsv", encoding="utf-8"):
        id_, name, parent, description = line.rstrip("\n").split("\t")[:4]
        if parent and id_ != "id":
            rows.append((id_, name, description.split(";")[0].strip()))
    return rows


def bare(text):
    return re.sub(r"\W+", " ", text.lower()).strip()[:60]


def jsonl(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8")
    with opened as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def authored():
    """Texts of our own. authored/*.jsonl: text, sensitive, interests, also, stage, lang; authored/*.tsv: subject or
    `none` or leaf, text; authored/languages/*.tsv: language, subjects or `none`, leaf, `-` for none or `?` where nobody said,
    text."""
    known = {id_ for id_, _, _ in leaves()}
    for path in sorted((HERE / "authored").glob("*.jsonl")):
        for row in jsonl(path):
            stage = row.get("stage")
            interests = row.get("interests")
            if stage == "dislike":
                interests = row.get("liked", [])
            elif interests is not None:
                interests = [leaf for leaf in interests if leaf in known]
            yield {"text": row["text"], "subjects": set(row.get("sensitive") or []), "interests": interests,
                   "also": row.get("also", []), "stage": stage, "source": "authored", "language": row.get("lang", "en")}
    for path in sorted((HERE / "authored").glob("*.tsv")):
        for line in open(path, encoding="utf-8"):
            what, _, text = line.rstrip("\n").partition("\t")
            is_subject = what in SUBJECTS
            yield {"text": text, "subjects": {what} if is_subject else set(), "source": "authored", "language": "en",
                   "interests": [what] if what in known else None}
    for path in sorted((HERE / "authored" / "languages").glob("*.tsv")):
        for line in open(path, encoding="utf-8"):
            language, subjects, leaf, text = line.rstrip("\n").split("\t")
            subjects = set(subjects.split(",")) - {"none"}
            interests = [leaf] if leaf in known else None if subjects or leaf == "?" else []
            yield {"text": text, "subjects": subjects, "interests": interests, "source": "authored",
                   "language": language}


def described():
    """What the taxonomy itself says of each leaf: its name, and its description without what belongs elsewhere."""
    for id_, name, description in leaves():
        for text in (name, description):
            yield {"text": text, "subjects": set(), "interests": [id_], "source": "authored", "language": "en"}


def held_out_languages():
    """Texts of our own in twenty languages that no training sees, for measuring: held-out/."""
    labels = {row["id"]: set(row["sensitive"]) for row in jsonl(HERE / "held-out" / "labels.jsonl")}
    return [{"language": row["lang"], "subjects": labels[row["id"]], "text": row["text"]}
            for row in jsonl(HERE / "held-out" / "prompts.jsonl")]


def joined(turns, at):
    """A turn together with the two messages before it."""
    before = [t["text"][:OF_EACH_BEFORE] for t in turns[max(0, at - 2):at]]
    return "\n".join([*before, turns[at]["text"]])


def short_turns():
    """The person's short turns of the real chats, each with what came before: (id of the chat # place of the turn, text)."""
    for r in jsonl(DATA / "chats.jsonl.gz"):
        if not r["source"].startswith(LEFT_OUT):
            for at, turn in enumerate(r["turns"]):
                if at and turn["role"] == "user" and len(turn["text"].split()) < LEANS_ON_CONTEXT:
                    yield f"{r['id']}#{at}", joined(r["turns"], at)


def labelled():
    """Real prompts and short turns that were labelled by reading: ids here, texts in the shared pool."""
    labels = {}
    # What was judged again later counts: files are numbered in the order in which they were made.
    for path in sorted((HERE / "labels").glob("*.jsonl"), key=lambda path: int(path.stem.split("-")[-1])):
        for row in jsonl(path):
            labels[row["id"]] = row

    def row(id_, text, language, source):
        label = labels[id_]
        return {"text": text, "id": id_, "subjects": set(label["sensitive"]), "interests": label["interests"],
                "also": label.get("also", []), "source": source, "language": language}
    for r in jsonl(DATA / "prompts.jsonl.gz"):
        if r["id"] in labels:
            yield row(r["id"], r["text"], r["lang"][:2], "labelled")
    for id_, text in short_turns():
        if id_ in labels:
            yield row(id_, text, "en", "labelled_together")


def sample(rows, count, rng):
    rows = list(rows)
    rng.shuffle(rows)
    return rows[:count]


def unlabelled(rng):
    """What people typed, for the fast path to learn from the encoder's opinion of it."""
    def row(text, source, language="en"):
        return {"text": text[:400], "subjects": None, "interests": None, "source": source, "language": language[:2]}
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
    for _, text in sample(short_turns(), 15000, rng):
        yield row(text, "together") | {"text": text}


def all_texts():
    """Every text once, what was labelled by reading first; none that stands in a set for measuring."""
    evaluated = {bare(row["text"]) for row in jsonl(DATA / "eval" / "prompts.jsonl")}
    evaluated |= {bare(row["text"]) for row in held_out_languages()}
    seen, rows = set(), []
    for row in [*labelled(), *authored(), *unlabelled(random.Random(20251216)), *described()]:
        # A text of no Latin letters may have a form that is short or empty.
        known = bare(row["text"])
        if len(known) < 12:
            known = row["text"].lower()
        if len(row["text"]) > 1 and bare(row["text"]) not in evaluated and known not in seen:
            seen.add(known)
            rows.append(row)
    return rows
