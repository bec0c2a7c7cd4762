/** The list of calls, with filters that are in the page's address. It follows what happens. */

import { element, length, moment, money, seconds } from "./elements";
import { again, ask, type Line, type Page } from "./records";

const RESULTS = ["", "completed", "transferred", "abandoned", "failed", "unknown"];
const KINDS = ["", "browser", "phone", "synthetic"];
const AGAIN_MS = 3000;
const COLUMNS = ["Started", "Length", "Caller", "Language", "Turns", "Longest wait", "Barge-ins", "Cost", "Ending", ""];

export async function showList(main: HTMLElement, say: (words: string) => void): Promise<void> {
  const filters = form();
  const body = element("tbody", { "data-testid": "calls" });
  const head = element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, name)));
  const table = element("div", { class: "wide" }, element("table", {}, element("thead", {}, head), body));
  const more = element("button", { type: "button", "data-testid": "more", hidden: "" }, "Older calls");
  main.replaceChildren(filters, table, more);
  const load = async (after = ""): Promise<Page> => {
    const query = new URLSearchParams(location.search);
    if (after) query.set("after", after);
    return ask<Page>(`/api/calls?${query}`);
  };
  let newest = await load();
  let next = newest.next;
  const isFirst = (): boolean => next === newest.next;
  const show = (page: Page): void => {
    body.append(...page.calls.map(row));
    next = page.next;
    more.toggleAttribute("hidden", next === null);
    if (!body.children.length) body.append(element("tr", {}, element("td", { colspan: "10" }, "No calls.")));
  };
  show(newest);
  more.addEventListener("click", () => next && load(next).then(show, (error: Error) => say(error.message)));
  await again(AGAIN_MS, say, async () => {
    if (!isFirst() || document.hidden) return true; // nobody who reads on is sent back to the top
    const now = await load();
    if (!isFirst() || JSON.stringify(now) === JSON.stringify(newest)) return true;
    const chosen = document.activeElement?.closest("[data-call]")?.getAttribute("data-call");
    newest = now;
    body.replaceChildren();
    show(now);
    if (chosen) body.querySelector<HTMLElement>(`[data-call="${CSS.escape(chosen)}"] a`)?.focus();
    return true;
  });
}

function form(): HTMLElement {
  const now = new URLSearchParams(location.search);
  const choice = (name: string, label: string, values: string[]): HTMLElement => {
    const select = element("select", { name, "data-testid": `filter-${name}` });
    for (const value of values) {
      const option = element("option", { value }, value || "any");
      option.toggleAttribute("selected", now.get(name) === value);
      select.append(option);
    }
    return element("label", {}, label, select);
  };
  const field = (name: string, label: string, type = "text"): HTMLElement =>
    element("label", {}, label, element("input", { name, type, value: now.get(name) ?? "", "data-testid": `filter-${name}` }));
  const tick = (name: string, label: string): HTMLElement => {
    const box = element("input", { name, type: "checkbox", value: "true", "data-testid": `filter-${name}` });
    box.toggleAttribute("checked", now.get(name) === "true");
    return element("label", { class: "tick" }, box, label);
  };
  const made = element(
    "form",
    { class: "filters", "aria-label": "Filters" },
    choice("result", "Result", RESULTS),
    field("reason", "Reason"),
    choice("caller_kind", "Caller", KINDS),
    field("agent_name", "Agent"),
    field("stage", "Stage"),
    field("language", "Language"),
    field("since", "From (UTC)", "date"),
    field("until", "Before (UTC)", "date"),
    field("named", "Call or room"),
    tick("live", "Live"),
    tick("failing", "Provider failed"),
    element("button", { type: "submit" }, "Show"),
  ) as HTMLFormElement;
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(made)) if (value) query.set(name, String(value));
    location.search = query.toString();
  });
  return made;
}

function row(line: Line): HTMLElement {
  const badges = [
    ...(line.ended_at ? [] : [element("span", { class: "badge live" }, "live")]),
    ...(line.jobs > 1 ? [element("span", { class: "badge" }, "resumed")] : []),
    ...(line.failures ? [element("span", { class: "badge bad" }, line.failures === 1 ? "1 failure" : `${line.failures} failures`)] : []),
  ];
  const cells: (string | HTMLElement)[] = [
    element("a", { href: `/calls/${encodeURIComponent(line.call_id)}` }, moment(line.started_at)),
    length(line.started_at, line.ended_at),
    line.caller_kind,
    line.language ?? "",
    String(line.turns),
    line.worst_ms === null ? "" : seconds(line.worst_ms),
    line.barge_ins ? String(line.barge_ins) : "",
    line.usd === null ? "" : money(line.usd),
    line.result ? `${line.result} (${line.reason})` : "",
  ];
  const last = element("td", {}, ...badges);
  return element("tr", { "data-call": line.call_id }, ...cells.map((cell) => element("td", {}, cell)), last);
}
