/** A call as a picture: turns and their phases on a time axis, what happened in it, and its cost as it grew. */

import { money, seconds, shape } from "./elements";
import type { CallRecord, Turn } from "./records";

const WIDTH = 960;
const LEFT = 44;
const ROW = 26;
const BANDS = 40;
const CURVE = 64;

interface Bar {
  kind: string;
  label: string;
  from: number;
  to: number;
}

/** The bars of a turn, in milliseconds since the call began. Phases lie where they must have been: the model's
 * first token and the voice's first sound come right before the answer is heard. */
export function bars(turn: Turn, began: number): Bar[] {
  if (!turn.started_at) return [];
  const start = Date.parse(turn.started_at) - began;
  const { end_of_turn, stt_final, llm_first_token, tts_first_audio, total, playout } = turn.latency_ms;
  const spokenUntil = start + (turn.n ? (turn.spoken_ms ?? 0) : 0);
  const made: Bar[] = [];
  const add = (kind: string, label: string, from: number, ms: number | null): void => {
    if (ms) made.push({ kind, label: `${label} ${seconds(ms)}`, from, to: from + ms });
  };
  if (turn.n) add("caller", "caller speaks", start, turn.spoken_ms);
  add("end-of-turn", "end of turn", spokenUntil, end_of_turn);
  add("stt", "final transcript", spokenUntil, stt_final);
  const heard = spokenUntil + (total ?? 0);
  if (total) {
    add("tts", "first sound", heard - (tts_first_audio ?? 0), tts_first_audio);
    add("llm", "first token", heard - (tts_first_audio ?? 0) - (llm_first_token ?? 0), llm_first_token);
  }
  if (total || !turn.n) add("agent", "agent is heard", heard, playout);
  return made;
}

export function picture(record: CallRecord, choose: (n: number) => void): SVGElement {
  const began = Date.parse(record.started_at);
  const at = (iso: string): number => Date.parse(iso) - began;
  const rows = record.turns.map((turn) => ({ turn, bars: bars(turn, began) }));
  const last = Math.max(1000, ...rows.flatMap((row) => row.bars.map((bar) => bar.to)), ...record.events.map((one) => at(one.at)));
  const end = record.ended_at ? Math.max(last, at(record.ended_at)) : last;
  const x = (ms: number): number => LEFT + (Math.max(0, ms) / end) * (WIDTH - LEFT - 8);
  const wide = (from: number, to: number): number => Math.max(1.5, x(to) - x(from));
  const bottom = BANDS + rows.length * ROW;
  const made = shape("svg", {
    viewBox: `0 0 ${WIDTH} ${bottom + CURVE + 22}`,
    role: "img",
    "aria-label": `${record.turns.length} turns within ${seconds(end)}`,
    "data-testid": "waterfall",
  });

  record.stages.forEach((stage, i) => {
    if (stage.skipped) return;
    const following = record.stages.slice(i + 1).find((one) => !one.skipped);
    const [from, to] = [at(stage.entered_at), following ? at(following.entered_at) : end];
    const box = { x: x(from), y: 2, width: wide(from, to), height: 16, class: `stage stage-${i % 2}` };
    made.append(shape("rect", box, shape("title", {}, stage.stage)));
    if (wide(from, to) > 60) made.append(shape("text", { x: x(from) + 4, y: 14, class: "small" }, stage.stage));
  });
  record.jobs.forEach((job, i) => {
    const [from, to] = [Math.max(0, at(job.started_at)), job.ended_at ? at(job.ended_at) : end];
    const told = `job ${i + 1} on ${job.worker}${job.how ? `: ${job.how}` : ""}`;
    made.append(shape("rect", { x: x(from), y: 22, width: wide(from, to), height: 5, class: "job" }, shape("title", {}, told)));
  });
  rows.forEach(({ turn, bars: drawn }, i) => {
    const y = BANDS + i * ROW;
    const row = shape("g", { class: "turn", "data-turn": turn.n, tabindex: 0, role: "button", "aria-label": `turn ${turn.n}` });
    row.append(shape("rect", { x: 0, y, width: WIDTH, height: ROW - 2, class: "row" }));
    row.append(shape("text", { x: 8, y: y + 16, class: "small" }, String(turn.n)));
    for (const bar of drawn) {
      const thin = bar.kind === "stt" || bar.kind === "llm" || bar.kind === "tts";
      const box = { x: x(bar.from), y: y + (thin ? 14 : 4), width: wide(bar.from, bar.to), height: thin ? 7 : 9, class: bar.kind };
      row.append(shape("rect", box, shape("title", {}, bar.label)));
    }
    for (const tool of turn.tools) {
      if (!tool.started_at) continue;
      const mark = { cx: x(at(tool.started_at)), cy: y + 12, r: 3.5, class: tool.ok ? "tool" : "tool failed" };
      row.append(shape("circle", mark, shape("title", {}, `${tool.name} ${tool.ms === null ? "" : seconds(tool.ms)}`)));
    }
    row.addEventListener("click", () => choose(turn.n));
    row.addEventListener("keydown", (event) => (event as KeyboardEvent).key === "Enter" && choose(turn.n));
    made.append(row);
  });
  for (const event of record.events) {
    const i = rows.findIndex((row) => row.turn.n === event.turn_n);
    const y = event.kind === "barge_in" && i >= 0 ? BANDS + i * ROW : 28;
    const height = event.kind === "barge_in" ? ROW - 2 : bottom - 28;
    const mark = { x: x(at(event.at)) - 1, y, width: 2, height, class: `event ${event.kind}` };
    made.append(shape("rect", mark, shape("title", {}, `${event.kind.replace("_", " ")}: ${event.detail}`)));
  }

  let usd = 0;
  const total = record.turns.reduce((sum, turn) => sum + (turn.cost_usd ?? 0), 0);
  const y = (value: number): number => bottom + CURVE - (total ? (value / total) * (CURVE - 14) : 0);
  const points = [`${x(0)},${y(0)}`];
  for (const { turn, bars: drawn } of rows) {
    const till = drawn.at(-1)?.to;
    if (turn.cost_usd === null || till === undefined) continue;
    points.push(`${x(till)},${y(usd)}`, `${x(till)},${y((usd += turn.cost_usd))}`);
  }
  points.push(`${x(end)},${y(usd)}`);
  made.append(shape("polyline", { points: points.join(" "), class: "cost", "data-testid": "cost-curve" }));
  made.append(shape("text", { x: LEFT, y: bottom + 14, class: "small" }, `cost ${money(usd)}`));
  for (let tick = 0; tick <= 4; tick++) {
    const ms = (end / 4) * tick;
    const anchor = tick === 4 ? "end" : "start";
    made.append(shape("text", { x: x(ms), y: bottom + CURVE + 16, class: "small", "text-anchor": anchor }, `${(ms / 1000).toFixed(0)} s`));
  }
  return made;
}
