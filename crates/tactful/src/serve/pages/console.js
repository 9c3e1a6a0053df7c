import { ask, drawing, element, token } from "./shared.js";

const at = (id) => document.getElementById(id);

function table(heads, rows) {
  const cell = (name, value, n) => element(name, n > 0 ? { class: "number" } : name === "th" ? { scope: "col" } : {}, String(value));
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((head, n) => cell("th", head, n)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value, n) => cell("td", value, n))))));
}

function bars(flow) {
  const rows = Object.entries(flow).sort((a, b) => b[1] - a[1]);
  if (!rows.length) return element("p", { class: "soft" }, "No event has come in yet.");
  const most = Math.max(...rows.map(([, count]) => count));
  const height = rows.length * 24 + 6;
  const svg = drawing("svg", { viewBox: `0 0 640 ${height}`, width: "100%", role: "img", "aria-label": rows.map(([name, count]) => `${name}: ${count}`).join(", ") });
  rows.forEach(([name, count], n) => {
    const y = 6 + n * 24;
    const label = drawing("text", { x: 0, y: y + 12 });
    label.textContent = name.replaceAll("_", " ");
    const number = drawing("text", { x: 190 + (380 * count) / most, y: y + 12 });
    number.textContent = count.toLocaleString("en");
    svg.append(label, drawing("rect", { class: ["used", "known"].includes(name) ? "block" : "shut", x: 180, y, width: Math.max(2, (380 * count) / most), height: 15, rx: 2 }), number);
  });
  return svg;
}

function timeline(rollout) {
  const from = Date.parse(rollout.from), until = Date.parse(rollout.until), width = 640;
  const x = (when) => 150 + ((width - 160) * (Math.min(Math.max(Date.parse(when), from), until) - from)) / (until - from);
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${rollout.rows.length * 26 + 34}`, width: "100%", role: "img", "aria-label": rollout.rows.map((row) => `${row.name}: ${row.spans.map((span) => `${span.state} from ${span.from.slice(0, 10)}`).join(", ")}`).join("; ") });
  rollout.rows.forEach((row, n) => {
    const y = 4 + n * 26;
    const label = drawing("text", { x: 0, y: y + 13 });
    label.textContent = row.name;
    svg.append(label);
    for (const span of row.spans) {
      const block = drawing("rect", { class: span.state === "used" ? "block" : "shut", "fill-opacity": span.state === "used" ? 1 : 0.35, x: x(span.from), y, width: Math.max(1, x(span.until) - x(span.from)), height: 17, rx: 2 });
      const title = drawing("title");
      title.textContent = `${row.name}: ${span.state}, ${span.from.slice(0, 10)} to ${span.until.slice(0, 10)}`;
      block.append(title);
      svg.append(block);
    }
  });
  for (const tick of rollout.ticks) {
    const label = drawing("text", { x: x(tick), y: rollout.rows.length * 26 + 22, "text-anchor": "middle" });
    label.textContent = tick.slice(0, 10);
    svg.append(label);
  }
  return svg;
}

async function part(id, work) {
  try { at(id).replaceChildren(await work()); } catch (error) { at(id).replaceChildren(element("p", { class: "soft" }, error.message)); }
}

async function show() {
  await Promise.all([
    part("outcomes", async () => bars((await ask("GET", "/v1/flow")).flow)),
    part("timeline", async () => timeline(await ask("GET", "/v1/rollout"))),
    part("campaigns", async () => {
      const campaigns = await ask("GET", "/v1/campaigns");
      return campaigns.length ? table(["Campaign", "Ads", "Spent", "Budget", "Paced", "Shown"], campaigns.map((one) => [`${one.campaign} (${one.advertiser})`, one.ads, one.spent.toFixed(2), one.budget.toFixed(2), `${one.budget ? Math.round((100 * one.spent) / one.budget) : 0} %`, one.shown ?? "–"])) : element("p", { class: "soft" }, "No campaign yet.");
    }),
    part("score", async () => {
      const { metrics } = await ask("GET", "/v1/model");
      const kept = metrics.curve.find((one) => one.scale === 1);
      const rows = [["English, real prompts", `${(100 * kept.recall).toFixed(1)} %`, `${(100 * kept.false_alarms).toFixed(1)} %`], ...Object.entries(metrics.languages).map(([name, one]) => [name, `${(100 * one.recall).toFixed(0)} % of ${one.sensitive}`, `${(100 * one.false_alarms).toFixed(0)} % of ${one.harmless}`])];
      return table(["Held-out texts", "Sensitive ones stopped", "Harmless ones stopped"], rows);
    }),
    part("ready", async () => { const answer = await fetch("/readyz"); return document.createTextNode(answer.ok ? "Ready." : "Not ready: stopping."); }),
  ]);
  const policy = await ask("GET", "/v1/policy");
  at("version").textContent = `${policy.version} (${policy.id})`;
  at("policy").textContent = policy.words;
}

at("who").addEventListener("submit", (event) => { event.preventDefault(); token(at("token").value); show(); });
await show();
document.body.dataset.ready = "true";
setInterval(() => part("outcomes", async () => bars((await ask("GET", "/v1/flow")).flow)), 3000);
