/** Pages for staff: `/` lists calls, `/calls/ID` shows one. */

import { showCall } from "./call";
import { element } from "./elements";
import { showList } from "./list";

const main = document.getElementById("main") as HTMLElement;
const status = document.getElementById("status") as HTMLElement;
const shown = location.pathname.match(/^\/calls\/(.+)$/)?.[1];

try {
  if (shown) await showCall(main, decodeURIComponent(shown), (words) => (status.textContent = words));
  else await showList(main);
} catch (error) {
  main.append(element("p", { class: "notice", "data-testid": "problem" }, (error as Error).message));
}
