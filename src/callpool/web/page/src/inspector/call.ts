/** One call: its picture, its transcript beside it, and its facts. A call that goes on is asked for again. */

import { element, length, moment, money, seconds } from "./elements";
import { picture } from "./picture";
import { again, ask, type CallRecord, type Turn } from "./records";

const AGAIN_MS = 1000;
const LEGEND = [
  ["caller", "caller"],
  ["end-of-turn", "end of turn"],
  ["stt", "transcript"],
  ["llm", "first token"],
  ["tts", "first sound"],
  ["agent", "agent"],
  ["tool", "tool"],
  ["barge_in", "barge-in"],
  ["provider_error", "provider error"],
  ["budget", "budget"],
  ["job", "job"],
] as const;

export async function showCall(main: HTMLElement, id: string, say: (words: string) => void): Promise<void> {
  const path = `/api/calls/${encodeURIComponent(id)}`;
  let chosen: number | null = null;
  let drawn = "";
  const draw = (record: CallRecord): void => {
    const text = JSON.stringify(record);
    if (text === drawn) return;
    drawn = text;
    const transcript = element("ol", { class: "transcript", "data-testid": "transcript" });
    const view = element("div", { class: "wide" });
    const choose = (n: number): void => {
      chosen = n;
      for (const one of main.querySelectorAll("[data-turn]"))
        one.classList.toggle("chosen", one.getAttribute("data-turn") === String(n));
      transcript.querySelector(`[data-turn="${n}"]`)?.scrollIntoView({ block: "nearest" });
    };
    view.append(picture(record, choose));
    transcript.append(...record.turns.map((turn) => said(turn, choose)));
    const legend = LEGEND.map(([kind, label]) => element("span", { class: `key ${kind}` }, label));
    main.replaceChildren(
      facts(record),
      element("div", { class: "legend", "aria-label": "Legend" }, ...legend),
      element("div", { class: "beside" }, view, transcript),
      costs(record),
    );
    if (chosen !== null) choose(chosen);
  };
  const look = async (): Promise<boolean> => {
    const record = await ask<CallRecord>(path);
    draw(record);
    say(record.ended_at ? "" : "live");
    return record.ended_at === null;
  };
  if (await look()) await again(AGAIN_MS, say, look);
}

function facts(record: CallRecord): HTMLElement {
  const ending = record.ending ? `${record.ending.result} (${record.ending.reason})` : "goes on";
  const told: [string, string][] = [
    ["Call", record.call_id],
    ["Started", moment(record.started_at)],
    ["Length", length(record.started_at, record.ended_at)],
    ["Ending", ending],
    ["Caller", record.caller.kind],
    ["Language", record.language ?? ""],
    ["Agent", record.agent_name],
    ["Jobs", record.jobs.map((job) => `${job.worker}${job.how ? `: ${job.how}` : ""}`).join(", ")],
    ["Cost", record.cost.total_usd === null ? "" : money(record.cost.total_usd)],
  ];
  const made = element("dl", { class: "facts", "data-testid": "facts" });
  for (const [name, value] of told) made.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  if (record.trace_url) {
    const link = element("a", { href: record.trace_url, rel: "noreferrer", "data-testid": "trace" }, "open");
    made.append(element("div", {}, element("dt", {}, "Trace"), element("dd", {}, link)));
  }
  return made;
}

function said(turn: Turn, choose: (n: number) => void): HTMLElement {
  const { total } = turn.latency_ms;
  const notes = [turn.stage, total === null ? "" : seconds(total), turn.interrupted ? "interrupted" : "", turn.cost_usd === null ? "" : money(turn.cost_usd)];
  const made = element("li", { "data-turn": String(turn.n), tabindex: "0" });
  made.append(element("p", { class: "note" }, [`${turn.n}`, ...notes.filter(Boolean)].join(" · ")));
  if (turn.caller_text !== null) made.append(element("p", { class: "said-caller" }, turn.caller_text));
  for (const tool of turn.tools) made.append(element("p", { class: tool.ok ? "used" : "used failed" }, tool.name));
  if (turn.agent_text !== null) made.append(element("p", { class: "said-agent" }, turn.agent_text));
  made.addEventListener("click", () => choose(turn.n));
  made.addEventListener("focus", () => choose(turn.n));
  return made;
}

function costs(record: CallRecord): HTMLElement {
  const rows = record.cost.items.map((item) => {
    const cells = [item.stage, `${item.provider}/${item.model}`, item.quantity.toLocaleString(), item.unit];
    return element("tr", {}, ...[...cells, item.usd === null ? "no price" : money(item.usd)].map((cell) => element("td", {}, cell)));
  });
  const head = ["Stage", "Model", "Quantity", "Unit", "Cost"].map((name) => element("th", { scope: "col" }, name));
  const table = element("table", { "data-testid": "costs" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  return rows.length ? element("div", { class: "wide" }, table) : element("div");
}
