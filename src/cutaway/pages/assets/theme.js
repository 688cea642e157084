// @ts-check
// Light or dark: as the system has it, until somebody says otherwise.

import { isDark, themeChanged } from "./colour.js";
import { button } from "./toolbar.js";

/** The button that changes it. */
export function themeButton() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);
  return button("◐", "Light or dark", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    themeChanged();
  });
}
