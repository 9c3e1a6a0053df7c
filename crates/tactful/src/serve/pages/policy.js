// A policy in words, and what one changed of the one before.
import { ask, day, element } from "./shared.js";

// The words come as headings with sentences under them, one a line.
function draw(words, mark = () => null) {
  const parts = [];
  for (const line of words.split("\n").slice(1).filter(Boolean)) {
    if (!line.startsWith("- ")) parts.push(element("h3", {}, line), element("ul", {}));
    else if (parts.length) parts.at(-1).append(element("li", {}, mark(line) || line.slice(2)));
  }
  return parts;
}

export async function policyWords() {
  const policy = await ask("GET", "/v1/policy");
  return [element("p", { class: "soft" }, `${policy.version}, id ${policy.id}`), ...draw(policy.words),
    element("details", {}, element("summary", {}, "As its file has it"), element("pre", {}, policy.text))];
}

export async function pastPolicies() {
  const all = await ask("GET", "/v1/overview/policies");
  if (!all.length) return element("p", { class: "soft" }, "None was put in force here yet.");
  return all.map((one, n) => {
    const earlier = all[n + 1];
    const was = new Set((earlier?.words || "").split("\n"));
    const is = new Set(one.words.split("\n"));
    const gone = [...was].filter((line) => line.startsWith("- ") && !is.has(line));
    const title = `${one.version}, ${n ? "in force from" : "in force since"} ${day(one.since)}`;
    return element("details", { open: n === 0 && all.length > 1 }, element("summary", {}, title),
      element("p", { class: "soft" }, earlier ? "What is new is marked; what was taken out stands at the end." : "The first one here."),
      element("div", { class: "words" }, ...draw(one.words, (line) => (earlier && !was.has(line) ? element("ins", {}, `New: ${line.slice(2)}`) : null)),
        ...(earlier && gone.length ? [element("h3", {}, "Taken out"), element("ul", {}, ...gone.map((line) => element("li", {}, element("del", {}, line.slice(2)))))] : [])));
  });
}
