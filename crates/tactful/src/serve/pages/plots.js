// Plots, drawn here: no library, no canvas, so that they are sharp, follow the colours and can be read aloud.
import { day, drawing, element, shortDay } from "./shared.js";

const text = (x, y, words, more = {}) => {
  const made = drawing("text", { x, y, ...more });
  made.textContent = words;
  return made;
};

// A weight day by day: what was, then, broken, what will be if nothing happens. Dots are the days that it came from.
export function weightPlot({ instants, now, values, most, days, label }) {
  const [width, height, foot] = [336, 92, 18];
  const x = (n) => 4 + ((width - 8) * n) / (instants.length - 1);
  const y = (value) => 6 + (height - foot - 10) * (1 - value / Math.max(most, 0.001));
  const point = (n) => `${x(n).toFixed(1)},${y(values[n]).toFixed(1)}`;
  const until = Array.from({ length: now + 1 }, (_, n) => point(n)).join(" ");
  const after = Array.from({ length: instants.length - now }, (_, n) => point(now + n)).join(" ");
  const base = height - foot;
  const short = (n) => shortDay(instants[n]);
  const marks = days.map((when) => instants.findIndex((instant) => instant.slice(0, 10) >= when)).filter((n) => n >= 0 && n <= now);
  return drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    drawing("polygon", { class: "area", points: `${x(0)},${base} ${until} ${x(now)},${base}` }),
    drawing("line", { class: "rule", x1: 4, x2: width - 4, y1: base, y2: base }),
    drawing("line", { class: "today", x1: x(now), x2: x(now), y1: 4, y2: base }),
    drawing("polyline", { class: "line", points: until }),
    drawing("polyline", { class: "line ahead", points: after }),
    ...[...new Set(marks)].map((n) => drawing("circle", { class: "dot", cx: x(n), cy: y(values[n]), r: 4 })),
    text(4, height - 4, short(0)), text(x(now), height - 4, "now", { "text-anchor": "middle" }), text(width - 4, height - 4, short(instants.length - 1), { "text-anchor": "end" }));
}

// Lengths beside their names. `rows`: [name, value, class, shown as]. Short names stay beside their bars on a phone, too.
export function bars(rows, most = Math.max(...rows.map(([, value]) => value), 0.000001)) {
  const short = rows.every(([name]) => name.length <= 16);
  return element("ul", { class: short ? "plain bars short" : "plain bars" }, ...rows.map(([name, value, kind, shown]) => {
    const fill = element("span", { class: kind || "used-fill" });
    fill.style.width = `${Math.min(100, (100 * value) / most)}%`;
    return element("li", {}, element("span", {}, name), element("span", { class: "track" }, fill), element("span", { class: "number" }, shown ?? value.toLocaleString("en")));
  }));
}

// A few values as a small line.
export function spark(values, label) {
  const [width, height] = [120, 32];
  const most = Math.max(...values, 0.000001);
  const points = values.map((value, n) => `${2 + ((width - 4) * n) / Math.max(1, values.length - 1)},${height - 3 - ((height - 6) * value) / most}`).join(" ");
  return drawing("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, drawing("polyline", { class: "line", points }));
}

// What came in lately, oldest left, one column an interval. `columns`: [[count of the first kind, …], …].
export function columns(list, kinds, room, label) {
  const [width, height] = [600, 120];
  const most = Math.max(4, ...list.map((column) => column.reduce((sum, count) => sum + count, 0)));
  const step = width / room;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height + 2}`, width: "100%", height: height + 2, preserveAspectRatio: "none", role: "img", "aria-label": label },
    drawing("line", { class: "rule", x1: 0, x2: width, y1: height + 1, y2: height + 1 }));
  list.forEach((column, n) => {
    let foot = height;
    column.forEach((count, kind) => {
      const tall = (count * (height - 6)) / most;
      foot -= tall;
      if (count) svg.append(drawing("rect", { class: kinds[kind], x: (room - list.length + n) * step + 0.5, y: foot, width: step - 1, height: tall }));
    });
  });
  return svg;
}

// Accounts that were told: a column a day in its kinds, a line for all so far, and marks at the days that count.
// `days`: [[day, [count of the first kind, …]], …], oldest first; `marks`: [[day, words], …].
export function arrivals(days, fills, marks, label) {
  const [width, height, left, foot, head] = [380, 190, 40, 22, 30];
  const time = (when) => Date.parse(when.slice(0, 10));
  const all = [...days.map(([when]) => time(when)), ...marks.map(([when]) => time(when))];
  const [first, last] = [Math.min(...all), Math.max(...all)];
  const whole = Math.max(last - first, 86400000);
  const x = (when) => left + ((width - left - 12) * (time(when) - first)) / whole;
  const total = days.reduce((sum, [, counts]) => sum + counts.reduce((a, b) => a + b, 0), 0);
  const y = (count) => height - foot - ((height - foot - head) * count) / Math.max(total, 1);
  const wide = Math.max(2, ((width - left - 12) * 86400000) / whole - 1);
  const svg = drawing("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ...[0, total].flatMap((count) => [drawing("line", { class: "rule", x1: left, x2: width - 12, y1: y(count), y2: y(count) }), text(left - 6, y(count) + 4, count.toLocaleString("en"), { "text-anchor": "end" })]));
  let sum = 0;
  const line = [];
  for (const [when, counts] of days) {
    let top = 0;
    counts.forEach((count, kind) => {
      if (count) svg.append(drawing("rect", { class: fills[kind], x: Math.min(x(when), width - 12 - wide), y: y(top + count), width: wide, height: y(top) - y(top + count) }));
      top += count;
    });
    line.push(`${x(when)},${y(sum)}`, `${x(when)},${y((sum += top))}`);
  }
  svg.append(drawing("polyline", { class: "line", points: [...line, `${width - 12},${y(sum)}`].join(" ") }));
  // The words stand in two rows, so that neighbours do not meet.
  marks.forEach(([when, words], n) => {
    const end = x(when) > width / 2;
    svg.append(drawing("line", { class: "today", x1: x(when), x2: x(when), y1: head - 4, y2: height - foot }), text(x(when) + (end ? -4 : 4), n % 2 ? 24 : 11, words, { "text-anchor": end ? "end" : "start" }));
  });
  const [from, until] = [first, last].map((when) => day(new Date(when).toISOString()));
  svg.append(text(left, height - 4, from), text(width - 12, height - 4, until, { "text-anchor": "end" }));
  return svg;
}

// Recall against false alarms, the setting that ships filled.
export function curve(points, kept) {
  const [width, height, left, foot] = [380, 240, 44, 36];
  const [low, wide] = [0.7, Math.max(0.3, ...points.map((one) => one.false_alarms)) * 1.05];
  const x = (value) => left + ((width - left - 14) * value) / wide;
  const y = (value) => 10 + (height - foot - 10) * (1 - (value - low) / (1 - low));
  const percent = (value) => `${Math.round(100 * value)} %`;
  const svg = drawing("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": `Sensitive texts stopped against harmless texts stopped too: ${points.map((one) => `${percent(one.recall)} at ${percent(one.false_alarms)}`).join(", ")}. The setting that ships: ${percent(kept.recall)} at ${percent(kept.false_alarms)}.` });
  for (const tick of [0.7, 0.8, 0.9, 1]) svg.append(drawing("line", { class: "rule", x1: left, x2: width - 14, y1: y(tick), y2: y(tick) }), text(left - 6, y(tick) + 4, percent(tick), { "text-anchor": "end" }));
  for (let tick = 0; tick <= wide; tick += 0.1) svg.append(text(x(tick), height - foot + 16, percent(tick), { "text-anchor": "middle" }));
  svg.append(text(x(wide / 2), height - 4, "harmless texts stopped too", { "text-anchor": "middle" }),
    drawing("polyline", { class: "line", points: [...points].sort((a, b) => a.false_alarms - b.false_alarms).map((one) => `${x(one.false_alarms)},${y(Math.max(low, one.recall))}`).join(" ") }));
  for (const one of points) svg.append(drawing("circle", { class: one === kept ? "chosen" : "point", cx: x(one.false_alarms), cy: y(Math.max(low, one.recall)), r: one === kept ? 6 : 4 }));
  svg.append(text(x(kept.false_alarms) + 10, y(kept.recall) + 16, `ships: ${percent(kept.recall)} at ${percent(kept.false_alarms)}`));
  return svg;
}

// Spans of time on lanes, as blocks of the page so that their words stay readable on a phone.
export function lanes(from, until, rows, ticks) {
  const [first, last] = [Date.parse(from), Date.parse(until)];
  const part = (when) => (100 * (Math.min(Math.max(Date.parse(when), first), last) - first)) / (last - first);
  const items = rows.map(({ name, spans }) => {
    const lane = element("span", { class: "lane" });
    for (const { kind, words, from: begin, until: end } of spans) {
      const block = element("span", { class: kind }, element("span", {}, words));
      block.style.left = `${part(begin)}%`;
      block.style.width = `${part(end) - part(begin)}%`;
      lane.append(block);
    }
    return element("li", {}, element("span", {}, name), lane);
  });
  const foot = element("span", { class: "ticks" });
  const today = new Date().toISOString();
  if (today > from && today < until) {
    for (const item of items) {
      const mark = element("i", {});
      mark.style.left = `${part(today)}%`;
      item.lastChild.append(mark);
    }
  }
  ticks.forEach((when, n) => {
    const tick = element("span", {}, day(when));
    if (n === ticks.length - 1) tick.style.right = "0";
    else tick.style.left = `${part(when)}%`;
    foot.append(tick);
  });
  return element("ul", { class: "plain spans" }, ...items, element("li", { "aria-hidden": "true" }, element("span"), foot));
}
