/** Elements with their attributes and content. Texts are always texts: nothing that anybody said becomes markup. */

type Content = Node | string;

export function element(name: string, attributes: Record<string, string> = {}, ...content: Content[]): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

export function shape(name: string, attributes: Record<string, string | number>, ...content: Content[]): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...content);
  return made;
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
export const money = (usd: number): string => `$${usd.toFixed(4)}`;
export const moment = (iso: string): string => new Date(iso).toLocaleString();

export function length(from: string, to: string | null): string {
  const total = Math.max(0, Math.round(((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000));
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, "0")}`;
}
