/** The list of calls, with filters that are in the page's address. */

import { element, length, moment, money, seconds } from "./elements";
import { ask, type Line, type Page } from "./records";

const RESULTS = ["", "completed", "transferred", "abandoned", "failed", "unknown"];
const KINDS = ["", "browser", "phone", "synthetic"];
const COLUMNS = ["Started", "Length", "Caller", "Language", "Turns", "Longest wait", "Barge-ins", "Cost", "Ending", ""];

export async function showList(main: HTMLElement): Promise<void> {
  const filters = form();
  const body = element("tbody", { "data-testid": "calls" });
  const head = element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, name)));
  const table = element("div", { class: "wide" }, element("table", {}, element("thead", {}, head), body));
  const more = element("button", { type: "button", "data-testid": "more", hidden: "" }, "Older calls");
  main.replaceChildren(filters, table, more);
  let next: string | null = null;
  const load = async (): Promise<void> => {
    const query = new URLSearchParams(location.search);
    if (next) query.set("after", next);
    const page = await ask<Page>(`/api/calls?${query}`);
    body.append(...page.calls.map(row));
    next = page.next;
    more.toggleAttribute("hidden", next === null);
    if (!body.children.length) body.append(element("tr", {}, element("td", { colspan: "10" }, "No calls.")));
  };
  more.addEventListener("click", () => void load());
  await load();
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
  const text = (name: string, label: string): HTMLElement =>
    element("label", {}, label, element("input", { name, value: now.get(name) ?? "", "data-testid": `filter-${name}` }));
  const tick = (name: string, label: string): HTMLElement => {
    const box = element("input", { name, type: "checkbox", value: "true", "data-testid": `filter-${name}` });
    box.toggleAttribute("checked", now.get(name) === "true");
    return element("label", { class: "tick" }, box, label);
  };
  const made = element(
    "form",
    { class: "filters", "aria-label": "Filters" },
    choice("result", "Result", RESULTS),
    choice("caller_kind", "Caller", KINDS),
    text("stage", "Stage"),
    text("language", "Language"),
    text("named", "Call or room"),
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
    ...(line.failures ? [element("span", { class: "badge bad" }, `${line.failures} failures`)] : []),
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
