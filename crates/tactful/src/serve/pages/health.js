// How requests fare, from the server's own metrics.
import { element } from "./shared.js";

// name{a="b",…} value; a route has braces of its own.
function samples(text) {
  return text.split("\n").map((line) => line.match(/^(\w+)\{(.*)\} (\S+)$/)).filter(Boolean).map(([, name, labels, value]) => ({
    name, value: Number(value), labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, of]) => [key, of])),
  }));
}

// The bound of the bucket in which the share lies: an upper estimate.
function within(buckets, share) {
  const most = Math.max(...buckets.map((bucket) => bucket.value));
  const found = buckets.find((bucket) => bucket.value >= share * most);
  return found?.labels.le === "+Inf" ? "over 10 s" : `≤ ${Math.round(1000 * Number(found?.labels.le))} ms`;
}

export async function routes() {
  const all = samples(await (await fetch("/metrics")).text());
  const by = new Map();
  for (const { name, labels, value } of all) {
    if (!labels.route?.startsWith("/v1")) continue;
    const route = by.get(labels.route) || { count: 0, failed: 0, refused: 0, buckets: [] };
    if (name.endsWith("http_requests_total")) {
      route.count += value;
      if (labels.status >= "500") route.failed += value;
      else if (labels.status >= "400") route.refused += value;
    } else if (name.endsWith("_bucket")) route.buckets.push({ labels, value });
    by.set(labels.route, route);
  }
  // The busiest.
  const rows = [...by].filter(([, route]) => route.count).sort((a, b) => b[1].count - a[1].count).slice(0, 12);
  const cell = (value, bad) => element("td", { class: bad ? "number bad" : "number" }, String(value));
  return element("table", {}, element("thead", {}, element("tr", {}, ...["Route", "Requests", "Refused", "Failed", "p50", "p99"].map((head, n) => element("th", { scope: "col", class: n ? "number" : undefined }, head)))),
    element("tbody", {}, ...rows.map(([route, { count, refused, failed, buckets }]) => element("tr", {}, element("th", { scope: "row" }, route.replace("/v1/", "")), cell(count), cell(refused), cell(failed, failed), cell(within(buckets, 0.5)), cell(within(buckets, 0.99))))));
}
