/** Pages for staff: `/` lists calls, `/calls/ID` shows one. */

import { showCall } from "./call";
import { element } from "./elements";
import { showList } from "./list";

const main = document.getElementById("main") as HTMLElement;
const status = document.getElementById("status") as HTMLElement;
const say = (words: string): void => {
  status.textContent = words;
};
const shown = location.pathname.match(/^\/calls\/(.+)$/)?.[1];

try {
  if (shown) await showCall(main, decodeURIComponent(shown), say);
  else await showList(main, say);
} catch (error) {
  main.append(element("p", { class: "notice", "data-testid": "problem" }, (error as Error).message));
}
