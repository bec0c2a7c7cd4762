/** The API's documents, as far as the pages need them. Times are ISO 8601, durations milliseconds, money USD. */

export interface Line {
  call_id: string;
  agent_name: string;
  caller_kind: string;
  language: string | null;
  started_at: string;
  ended_at: string | null;
  result: string | null;
  reason: string | null;
  turns: number;
  worst_ms: number | null;
  barge_ins: number;
  failures: number;
  jobs: number;
  usd: number | null;
}

export interface Page {
  calls: Line[];
  next: string | null;
}

export interface Turn {
  n: number;
  stage: string;
  caller_text: string | null;
  agent_text: string | null;
  interrupted: boolean;
  tools: { name: string; ok: boolean; ms: number | null; started_at: string | null }[];
  latency_ms: Record<"end_of_turn" | "stt_final" | "llm_first_token" | "tts_first_audio" | "total" | "playout", number | null>;
  cost_usd: number | null;
  started_at: string | null;
  spoken_ms: number | null;
}

export interface CallRecord {
  call_id: string;
  agent_name: string;
  caller: { kind: string };
  language: string | null;
  started_at: string;
  ended_at: string | null;
  ending: { result: string; reason: string } | null;
  stages: { stage: string; entered_at: string; profile: string | null; skipped: boolean }[];
  turns: Turn[];
  cost: {
    total_usd: number | null;
    by_stage: Record<string, number>;
    by_provider: Record<string, number>;
    items: { stage: string; provider: string; model: string; unit: string; quantity: number; usd: number | null }[];
  };
  jobs: { job_id: string; worker: string; started_at: string; ended_at: string | null; how: string | null }[];
  events: { at: string; kind: "barge_in" | "provider_error" | "budget"; turn_n: number; detail: string }[];
  trace_url: string | null;
}

/** What a request came to: a document, or one line of what is wrong. */
export async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  const document = await answer.json().catch(() => ({ error: `${answer.status} ${answer.statusText}` }));
  if (!answer.ok) throw new Error(document.error);
  return document as T;
}

/** Look again every so often, until there is nothing more to see. A look that fails is told of and tried again. */
export async function again(ms: number, say: (words: string) => void, look: () => Promise<boolean>): Promise<void> {
  let failed = false;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    try {
      if (failed) say("");
      failed = false;
      if (!(await look())) return;
    } catch (error) {
      failed = true;
      say(`This may be out of date: ${(error as Error).message}`);
    }
  }
}
