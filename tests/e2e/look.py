"""A browser that looks at the page of an index, finds faults and keeps screenshots; the examples it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
# What every page of ours has to have, and how much its words have to stand out (WCAG 2.2 AA), told by the browser.
AUDIT = r"""() => {
  const problems = [], all = (query) => [...document.querySelectorAll(query)];
  const seen = (each) => each.getClientRects().length > 0;
  if (document.documentElement.lang !== "en") problems.push("no language");
  if (all("main").length !== 1) problems.push("not one main");
  if (all("h1").length !== 1) problems.push("not one h1");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4").filter(seen)) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) problems.push(`after h${level} comes ${heading.outerHTML.slice(0, 60)}`);
    level = next;
  }
  const ids = all("[id]").map((each) => each.id);
  if (new Set(ids).size !== ids.length) problems.push("an id twice");
  for (const field of all("input:not([type=hidden]), select, textarea"))
    if (!field.labels.length && !field.ariaLabel) problems.push(`no label: ${field.outerHTML}`);
  for (const each of all("a, button"))
    if (!(each.innerText || each.textContent).trim() && !each.ariaLabel && !each.querySelector("img[alt]"))
      problems.push(`no name: ${each.outerHTML.slice(0, 80)}`);
  for (const image of all("img")) if (!image.alt) problems.push(`no words for ${image.src}`);
  for (const each of all("nav, section[aria-labelledby], [role=region]"))
    if (!each.ariaLabel && !each.getAttribute("aria-labelledby")) problems.push(`unnamed ${each.tagName}`);
  for (const each of all("[aria-labelledby], [aria-describedby]"))
    for (const id of `${each.getAttribute("aria-labelledby") || ""} ${each.getAttribute("aria-describedby") || ""}`.split(" "))
      if (id && !document.getElementById(id)) problems.push(`nothing is called ${id}`);
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
  const colour = (value, under) => {
    pen.fillStyle = `rgb(${under})`; pen.fillRect(0, 0, 1, 1); pen.fillStyle = value; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    const chain = []; for (let at = each; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
    return chain.reduce((under, value) => colour(value, under), [255, 255, 255]);
  };
  for (const each of all("body *")) {
    const words = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!words || !seen(each) || each.closest(".unseen, svg, video, .off, .skip")) continue;
    const style = getComputedStyle(each), under = behind(each);
    if (style.visibility === "hidden") continue;
    const [a, b] = [luminance(colour(style.color, under)), luminance(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) problems.push(`contrast ${ratio.toFixed(2)}: ${each.outerHTML.slice(0, 90)}`);
  }
  for (const each of all(".top nav")) if (each.scrollWidth > each.clientWidth) problems.push("the menu is cut");
  if (document.documentElement.scrollWidth > innerWidth) problems.push("wider than the window");
  return problems;
}"""


class Looked:
    """What a browser saw while somebody looked around."""

    def __init__(self, context: Any, pictures: Path, size: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self._pictures, self._size = pictures, size
        context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    def keep(self, name: str) -> None:
        """Keep a picture of the page, and find nothing wrong with it."""
        assert self.page.evaluate(AUDIT) == [], f"{name} on a {self._size}"
        # What is loaded when it comes into sight has to come into sight before the picture is taken.
        self.page.evaluate("document.querySelectorAll('img').forEach((each) => { each.loading = 'eager' })")
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=self._pictures / f"explore-{name}-{self._size}.png", full_page=True)

    def stayed_here(self) -> None:
        """Nothing left this machine, and nothing ran."""
        assert not [url for url in self.requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
        assert (self.dialogs, self.errors) == ([], [])
