// The console: what becomes of what comes in, where the rollout stands, who was told, how the model does, what is spent.
import { about, ask, at, day, element, reach, refusal, region, token } from "./shared.js";
import { arrivals, bars, columns, curve, lanes, spark } from "./plots.js";
import { policyWords, pastPolicies } from "./policy.js";
import { routes } from "./health.js";

const EVERY = 2000;
const DAY = 86400000;
const ROOM = 60;

const NAMES = {
  used: "used: taught an interest", nothing_of_interest: "read: no interest in it", sensitive: "stopped: sensitive, the chat is shut", shut: "in a chat that is shut",
  known: "told of an account, a notice, a link", not_the_person: "not said by the person", queue_full: "turned away: the queue was full", unknown_item: "an item that is not known",
};
const nameOf = (code) => NAMES[code] || `refused: ${refusal(code)}`;
// Four kinds to look at; the names beside the bars tell the rest.
const KINDS = [["used", "used-fill", "used"], ["nothing_of_interest", "nothing-fill", "no interest in it"], ["refused", "refused-fill", "refused, stopped or shut"], ["known", "known-fill", "about accounts"]];
const kindOf = (code) => (["used", "nothing_of_interest", "known"].includes(code) ? code : "refused");
const fillOf = (code) => KINDS.find(([kind]) => kind === kindOf(code))[1];
const number = (value) => value.toLocaleString("en");

// Each part stands on its own: what may not be seen, or fails, says so in its place.
async function part(id, work) {
  try { at(id).replaceChildren(...[await work()].flat()); } catch (error) {
    at(id).replaceChildren(element("p", { class: "soft" }, error.status === 401 || error.status === 403 ? "Not with this key." : `Not to be had: ${error.message}`));
    if (error.status === 401 || error.status === 403) at("key").hidden = false;
  }
}

let last = null;
const seen = [];
async function live() {
  const held = at("hold").getAttribute("aria-pressed") === "true";
  await part("outcomes", async () => {
    const { ever, here } = await ask("GET", "/v1/overview/outcomes");
    // A server that began anew counts from nothing.
    if (last && Object.entries(last).some(([code, count]) => count > (here[code] || 0))) last = {};
    if (last) {
      const column = KINDS.map(([kind]) => Object.entries(here).filter(([code]) => kindOf(code) === kind).reduce((sum, [code, count]) => sum + count - (last[code] || 0), 0));
      seen.push(column);
      if (seen.length > ROOM) seen.shift();
    }
    last = here;
    if (held) return [...at("outcomes").childNodes];
    const sums = KINDS.map((_, n) => seen.reduce((sum, column) => sum + column[n], 0));
    at("live").replaceChildren(columns(seen, KINDS.map(([, fill]) => fill), ROOM, `Events of the last two minutes: ${KINDS.map(([, , words], n) => `${sums[n]} ${words}`).join(", ")}`));
    at("tallest").textContent = `the tallest: ${number(Math.max(0, ...seen.map((column) => column.reduce((sum, count) => sum + count, 0))))}`;
    at("live-key").replaceChildren(...KINDS.map(([, fill, words], n) => element("li", {}, element("i", { class: fill }), `${words}: ${sums[n]}`)));
    const all = Object.entries(ever).sort((a, b) => b[1] - a[1]);
    const total = all.reduce((sum, [, count]) => sum + count, 0);
    const used = ever.used || 0;
    tiles({ "Events since the data was made": number(total), "of which used": total ? `${Math.round((100 * used) / total)} %` : "–" });
    return all.length ? bars(all.map(([code, count]) => [nameOf(code), count, fillOf(code)])) : element("p", { class: "soft" }, "Nothing has come in yet.");
  });
}

const figures = Object.fromEntries(["Events since the data was made", "of which used", "Accounts", "Notices still due", "Sensitive texts stopped, in the model's test", "Campaigns", "Spent of all budgets"].map((name) => [name, "–"]));
function tiles(more) {
  Object.assign(figures, more);
  at("tiles").replaceChildren(...Object.entries(figures).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

const STATES = { before: ["before", "not yet"], left_out: ["not", "left out"], read: ["read", "read, not used"], used: ["used", "chats count"], off: ["not", "switched off"] };
const CHOICES = { "opt-in": ", if the person said yes", "opt-out": ", unless the person says no", none: "" };
const GROUPS = { EU: "European Union", UK: "United Kingdom", EEA: "European Economic Area", elsewhere: "Elsewhere" };
async function timeline() {
  const { from, effective, until, places } = await ask("GET", "/v1/overview/rollout");
  const rows = places.map(({ name, spans }) => ({ name: GROUPS[name] || region(name), spans: spans.map((span) => {
    const [kind, words] = STATES[span.state];
    return { ...span, kind, words: `${words}${CHOICES[span.choice]}` };
  }) }));
  at("rollout-words").replaceChildren(...rows.map((row) => element("li", {}, `${row.name}: ${row.spans.map((span, n) => `${n ? "then " : ""}${span.words}${n ? ` from ${day(span.from)} on` : ""}`).join(", ")}.`)));
  return lanes(from, until, rows, [from, effective, until]);
}

const CHANNELS = [["email", "by e-mail", "known-fill"], ["in_app", "in the app", "used-fill"]];
const by = (channel) => CHANNELS.find(([name]) => name === channel)?.[1] || channel;

async function told() {
  const view = await ask("GET", "/v1/overview/notices");
  const all = view.regions.reduce((sum, one) => ({ accounts: sum.accounts + one.accounts, told: sum.told + one.told, due: sum.due + one.due }), { accounts: 0, told: 0, due: 0 });
  tiles({ Accounts: number(all.accounts), "Notices still due": number(all.due) });
  at("rule").textContent = view.required
    ? `A chat counts from ${day(view.effective)} on, once a notice was delivered ${view.lead_days} days before${view.first_day ? ` (not before ${day(view.first_day)})` : ""}, ${view.channels.map(by).join(" or ")}.`
    : "The policy in force asks for no notice.";
  const [days, kinds] = [new Map(), new Map()];
  for (const one of view.delivered) {
    const counts = days.get(one.day) || CHANNELS.map(() => 0);
    counts[CHANNELS.findIndex(([channel]) => channel === one.channel)] += one.accounts;
    days.set(one.day, counts);
    const kind = `${one.notice}, version ${one.version}, ${by(one.channel)}`;
    kinds.set(kind, (kinds.get(kind) || 0) + one.accounts);
  }
  const sum = (n) => [...days.values()].reduce((all, counts) => all + counts[n], 0);
  const marks = [view.first_day && [view.first_day, "may be told from"], [view.effective, "chats count"], [new Date().toISOString(), "today"]].filter(Boolean);
  at("delivered").replaceChildren(...(days.size
    ? [arrivals([...days], CHANNELS.map(([, , fill]) => fill), marks, `Notices delivered: ${[...days].map(([when, counts]) => `${counts.reduce((a, b) => a + b, 0)} on ${day(when)}`).join(", ")}.`),
      element("figcaption", {}, "A column is what was delivered on a day; the line is all of it so far."),
      element("ul", { class: "key" }, ...CHANNELS.map(([channel, , fill], n) => element("li", {}, element("i", { class: fill }), `${by(channel)}: ${number(sum(n))}`))),
      element("ul", { class: "soft" }, ...[...kinds].map(([name, accounts]) => element("li", {}, `${name}: ${number(accounts)}`)))]
    : [element("p", { class: "soft" }, "None yet.")]));
  const state = (one) => [one.told < one.accounts ? `${number(one.told)} of ${number(one.accounts)} told` : `all ${number(one.accounts)} told`,
    one.ready < one.told ? `${number(one.told - one.ready)} of them less than ${view.lead_days} days ago` : "", one.due ? `${number(one.due)} due` : one.told < one.accounts ? "none due" : ""].filter(Boolean).join(", ");
  return bars(view.regions.map((one) => [region(one.region), one.accounts ? one.ready / one.accounts : 0, "used-fill", state(one)]), 1);
}

async function score() {
  const { model, metrics } = await ask("GET", "/v1/model");
  const parts = [];
  const kept = metrics.curve?.find((one) => one.shift === 0);
  const percent = (value) => `${Math.round(100 * value)} %`;
  if (kept) {
    tiles({ "Sensitive texts stopped, in the model's test": percent(kept.recall) });
    parts.push(element("figure", {}, element("figcaption", {}, "Sensitive texts stopped, against harmless ones stopped too; each point a setting."), curve(metrics.curve, kept)));
  }
  if (metrics.subjects) {
    parts.push(element("h3", {}, "Sensitive texts stopped, by subject"), bars(Object.entries(metrics.subjects).map(([name, one]) => [name, one.recall, one.recall < 0.9 ? "refused-fill" : "used-fill", `${percent(one.recall)} of ${number(one.texts)}`]), 1));
  }
  const { judge } = metrics.interests || {};
  if (judge) {
    const shares = [["right, of what was found", judge.precision], ["found, of what was there", judge.recall], ["both, as F1", judge.f1], ["both, by group of interests", judge.group_f1]];
    parts.push(element("h3", {}, "Interests, by the judge"), bars([...shares.map(([name, share]) => [name, share, "used-fill", percent(share)]), ["found where there is none", judge.invented, "refused-fill", percent(judge.invented)]], 1));
  }
  if (metrics.languages) {
    const languages = new Intl.DisplayNames("en", { type: "language" });
    const rows = Object.entries(metrics.languages).map(([code, one]) => ({ name: languages.of(code), ...one })).sort((a, b) => b.recall - a.recall);
    parts.push(element("h3", {}, "Sensitive texts stopped, by language"), bars(rows.map((one) => [one.name, one.recall, one.recall < 0.75 ? "refused-fill" : "used-fill", percent(one.recall)]), 1),
      element("details", {}, element("summary", {}, "Harmless texts stopped too, by language"), bars(rows.map((one) => [one.name, one.false_alarms, "nothing-fill", percent(one.false_alarms)]), 1)));
  }
  parts.push(element("p", { class: "soft" }, `Measured on texts that the model had not seen${metrics.labelled ? ` (${number(metrics.labelled)} labelled by reading)` : ""}. Model ${model}.`));
  return parts;
}

async function campaigns() {
  const [all, spending] = await Promise.all([ask("GET", "/v1/campaigns"), ask("GET", "/v1/overview/spending")]);
  if (!all.length) return element("p", { class: "soft" }, "No campaign yet.");
  const spent = all.reduce((sum, one) => sum + one.spent, 0);
  tiles({ Campaigns: number(all.length), "Spent of all budgets": `${Math.round((100 * spent) / Math.max(all.reduce((sum, one) => sum + one.budget, 0), 0.01))} %` });
  const FIRST = 12;
  const rows = [...all].sort((a, b) => b.spent / (b.budget || 1) - a.spent / (a.budget || 1)).map((one) => {
    const days = spending[one.campaign] || [];
    const share = one.budget ? one.spent / one.budget : 0;
    const fill = element("span", { class: share > 0.9 ? "refused-fill" : "used-fill" });
    fill.style.width = `${Math.min(100, 100 * share)}%`;
    // The last week that it spent in, with the days on which it spent nothing.
    const [until, since] = [days.at(-1), days[0]].map((one) => Date.parse(one?.day || 0) / DAY);
    const lately = days.filter((one) => Date.parse(one.day) / DAY > until - 7);
    const daily = lately.reduce((sum, one) => sum + one.spent, 0) / Math.min(7, until - since + 1);
    const left = daily > 0 ? Math.floor((one.budget - one.spent) / daily) : null;
    return element("tr", {}, element("th", { scope: "row" }, one.campaign, element("div", { class: "soft" }, one.advertiser), element("span", { class: "track" }, fill)),
      element("td", { class: "number" }, `${one.spent.toFixed(2)} of ${one.budget.toFixed(2)} (${Math.round(100 * share)} %)`),
      element("td", {}, days.length ? spark(days.map((one) => one.spent), `Spent a day: ${daily.toFixed(2)} lately`) : "–"),
      element("td", { class: "number" }, left === null ? "–" : left > 365 ? "over a year" : left === 1 ? "1 day" : `${left} days`),
      element("td", { class: "number" }, one.shown === null ? "too few to tell" : number(one.shown)));
  });
  const table = (some) => element("table", {}, element("thead", {}, element("tr", {}, ...["Campaign", "Spent", "Day by day", "Lasts, at this pace", "Shown"].map((head, n) => element("th", { scope: "col", class: [1, 3, 4].includes(n) ? "number" : undefined }, head)))), element("tbody", {}, ...some));
  // Those that run out first; the others on asking.
  const more = rows.slice(FIRST);
  return [table(rows.slice(0, FIRST)), ...(more.length ? [element("details", {}, element("summary", {}, `${more.length} more campaigns`), table(more))] : [])];
}

async function show() {
  await Promise.all([
    live(), part("timeline", timeline), part("told", told), part("score", score), part("campaigns", campaigns),
    part("policy", policyWords), part("past", pastPolicies), health(),
  ]);
}

async function health() {
  await part("ready", async () => {
    const answer = await reach("/readyz").catch(() => null);
    if (!answer) return element("strong", { class: "bad" }, "✕ Cannot be reached: what stands here is from before");
    return element("strong", { class: answer.ok ? "good" : "bad" }, answer.ok ? "✓ Ready" : "✕ Stopping");
  });
  await part("routes", routes);
}

at("who").addEventListener("submit", (event) => { event.preventDefault(); token(at("token").value); at("key").hidden = true; last = null; show(); });
at("hold").addEventListener("click", () => at("hold").setAttribute("aria-pressed", String(at("hold").getAttribute("aria-pressed") !== "true")));
if (!(await about()).demo) at("to-feed").remove();
await show();
document.body.dataset.ready = "true";
setInterval(live, EVERY);
setInterval(health, 5 * EVERY);
