"use strict";
// Texts reach the page by textContent only, addresses by `safe` only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { clusters, points, sources } = data;
  const count = points.x.length, LISTED = 200, REACH = 14, SHIFTS = [-15, 15, -36, 36, -57, 57], FARTHEST = 0.6, CLOSEST = 400;
  const byId = (id) => document.getElementById(id);
  const canvas = byId("map"), tip = byId("tip"), pen = canvas.getContext("2d");
  const order = new Map(clusters.map((cluster, at) => [cluster.id, at]));
  const groupOf = Int32Array.from(points.cluster, (id) => order.get(id));
  const shownClusters = new Set(clusters.map((_, at) => at));
  const lower = new Array(count);
  const visible = new Uint8Array(count).fill(1);
  let view = { x: 0, y: 0, scale: 1 }, wide = 1, high = 1, ratio = 1;
  let hovered = -1, chosen = -1, dirty = false, ink = {};

  // A grid of cells over the plane: what is near the pointer is looked for in a few of them.
  const cells = Math.max(1, Math.min(256, Math.round(Math.sqrt(count / 2))));
  const grid = Array.from({ length: cells * cells }, () => []);
  const cell = (value) => Math.max(0, Math.min(cells - 1, Math.floor((value + 1) / 2 * cells)));
  for (let i = 0; i < count; i++) grid[cell(points.y[i]) * cells + cell(points.x[i])].push(i);

  const most = (values) => values.reduce((found, value) => Math.max(found, Math.abs(value)), 1e-3);
  const farX = most(points.x), farY = most(points.y), EDGE = 36;
  const unit = () => Math.max(10, Math.min((wide / 2 - EDGE) / farX, (high / 2 - EDGE) / farY)) * view.scale;
  const toX = (x) => wide / 2 + (x - view.x) * unit();
  const toY = (y) => high / 2 - (y - view.y) * unit();
  const fromX = (px) => view.x + (px - wide / 2) / unit();
  const fromY = (py) => view.y - (py - high / 2) / unit();

  const safe = (address) => {
    // Only https, a path of the server this page came from, or one from its folder; never a scheme, which may run or
    // read something: a relative path is percent-encoded and so has no colon.
    if (typeof address !== "string" || !address) return "";
    if (/^https:\/\/[^\s]+$/i.test(address)) return address;
    if (/^(?!\/)(?:[\w.~\/-]|%[0-9A-F]{2})+$/.test(address)) return address;
    return /^\/(?![\/\\])[^\s]*$/.test(address) && location.protocol.startsWith("http") ? address : "";
  };

  function element(name, text = "", className = "") {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function shape(context, kind, x, y, r) {
    if (kind === 0 && r < 2.2) { context.rect(x - r * .9, y - r * .9, r * 1.8, r * 1.8); return; }  // as round, and quick
    if (kind === 0) { context.moveTo(x + r, y); context.arc(x, y, r, 0, 7); return; }
    if (kind === 1) { context.rect(x - r * .85, y - r * .85, r * 1.7, r * 1.7); return; }
    const turns = kind === 2 ? [[0, -1.15], [1, .8], [-1, .8]] : [[0, -1.25], [1.05, 0], [0, 1.25], [-1.05, 0]];
    turns.forEach(([dx, dy], at) => at ? context.lineTo(x + dx * r, y + dy * r) : context.moveTo(x + dx * r, y + dy * r));
    context.closePath();
  }

  function colours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "faint", "halo", "card", "quiet"]) ink[name] = style.getPropertyValue("--" + name).trim();
    ink.font = getComputedStyle(document.body).fontFamily;
  }

  const colour = (group) => clusters[group].id < 0 ? ink.quiet : clusters[group].colour;
  const radius = () => Math.max(1.5, Math.min(6.5, 18 / Math.pow(count, .25) * Math.pow(view.scale, .25) * Math.sqrt(Math.min(wide, high) / 750)));

  function draw() {
    dirty = false;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    const r = radius(), k = unit(), ox = wide / 2 - view.x * k, oy = high / 2 + view.y * k;
    const paths = clusters.map(() => new Path2D()), rest = new Path2D();
    for (let i = 0; i < count; i++) {
      const x = ox + points.x[i] * k, y = oy - points.y[i] * k;
      if (x < -r || y < -r || x > wide + r || y > high + r) continue;
      const group = groupOf[i];
      shape(visible[i] ? paths[group] : rest, clusters[group].shape, x, y, visible[i] ? r : r * .8);
    }
    pen.fillStyle = ink.faint;
    pen.fill(rest);
    pen.globalAlpha = count > 3000 ? .75 : .88;
    for (let group = clusters.length - 1; group >= 0; group--) {
      pen.fillStyle = colour(group);
      if (clusters[group].id < 0) pen.globalAlpha *= .5;
      pen.fill(paths[group]);
      pen.globalAlpha = count > 3000 ? .75 : .88;
    }
    pen.globalAlpha = 1;
    labels();
    for (const at of [chosen, hovered]) if (at >= 0) {
      pen.beginPath();
      shape(pen, clusters[groupOf[at]].shape, toX(points.x[at]), toY(points.y[at]), r + 3);
      pen.fillStyle = colour(groupOf[at]);
      pen.fill();
      pen.lineWidth = 2;
      pen.strokeStyle = ink.ink;
      pen.stroke();
    }
  }

  function labels() {
    // The largest first; a label that would cover another is moved up or down, or waits until there is room.
    const taken = [];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.font = `600 ${wide < 500 ? 12 : 13.5}px ${ink.font}`;
    for (const [group, cluster] of clusters.entries()) {
      if (cluster.id < 0 || !shownClusters.has(group) || cluster.x === null) continue;
      const text = wide < 500 ? cluster.short[0] : cluster.short.join(" · ");
      const half = pen.measureText(text).width / 2 + 4;
      if (half * 2 > wide) continue;
      const px = toX(cluster.x), py = toY(cluster.y);
      if (px < 0 || px > wide || py < 0 || py > high) continue;
      const x = Math.max(half, Math.min(wide - half, px));
      const free = (y) => y > 10 && y < high - 10 && !taken.some((other) =>
        x - half < other[2] && x + half > other[0] && y - 10 < other[3] && y + 10 > other[1]);
      const y = SHIFTS.map((shift) => py + shift).find(free);
      if (y === undefined) continue;
      taken.push([x - half, y - 10, x + half, y + 10]);
      pen.lineWidth = 4;
      pen.strokeStyle = ink.halo;
      pen.strokeText(text, x, y);
      pen.fillStyle = ink.ink;
      pen.fillText(text, x, y);
    }
  }

  function redraw() {
    if (!dirty) { dirty = true; requestAnimationFrame(draw); }
  }

  function nearest(px, py) {
    const x = fromX(px), y = fromY(py), reach = REACH / unit();
    let best = -1, least = reach * reach;
    for (let row = cell(y - reach); row <= cell(y + reach); row++) {
      for (let column = cell(x - reach); column <= cell(x + reach); column++) {
        for (const i of grid[row * cells + column]) {
          const distance = (points.x[i] - x) ** 2 + (points.y[i] - y) ** 2;
          if (visible[i] && distance < least) { best = i; least = distance; }
        }
      }
    }
    return best;
  }

  function swatch(target, group) {
    const context = target.getContext("2d");
    context.clearRect(0, 0, 26, 26);
    context.beginPath();
    shape(context, clusters[group].shape, 13, 13, 9);
    context.fillStyle = colour(group);
    context.fill();
  }

  const nameOf = (at) => points.title[at] || points.uri[at];

  function hover(at, { told = true } = {}) {
    if (at === hovered) return;
    hovered = at;
    canvas.classList.toggle("over", at >= 0);
    tip.hidden = at < 0 || !told;
    if (!tip.hidden) {
      tip.replaceChildren(element("strong", nameOf(at)), element("span", clusters[groupOf[at]].label, "of"));
      if (points.text[at]) tip.append(element("span", points.text[at], "text"));
      const x = toX(points.x[at]), y = toY(points.y[at]), box = tip.getBoundingClientRect();
      const left = x + 16 + box.width > wide ? Math.max(4, x - 16 - box.width) : x + 16;
      const top = Math.max(4, Math.min(high - box.height - 4, y + 12));
      tip.style.transform = `translate(${left}px, ${top}px)`;
    }
    redraw();
  }

  function choose(at, { centre = false } = {}) {
    chosen = at;
    const card = byId("chosen");
    card.hidden = at < 0;
    if (at < 0) { card.replaceChildren(); redraw(); return; }
    const of = element("p", "", "of"), address = safe(points.href[at]), place = element("div", "", "row");
    const mark = element("canvas", "", "swatch");
    mark.width = mark.height = 26;
    swatch(mark, groupOf[at]);
    of.append(mark, " " + clusters[groupOf[at]].label);
    card.replaceChildren(element("h3", nameOf(at)), of);
    if (points.text[at]) card.append(element("p", points.text[at]));
    if (address) {
      const link = element("a", "Open the source");
      link.href = address;
      link.rel = "noopener noreferrer";
      link.target = "_blank";
      place.append(link);
    }
    const copy = element("button", "Copy the address"), uri = element("code", points.uri[at]);
    copy.type = "button";
    copy.id = "copy";
    copy.addEventListener("click", () => copied(copy, uri));
    place.append(copy);
    const where = element("p");
    where.append(uri);
    card.append(where, place);
    if (centre) { view.x = points.x[at]; view.y = points.y[at]; }
    byId("status").textContent = nameOf(at) + ", in " + clusters[groupOf[at]].label;
    redraw();
  }

  async function copied(button, uri) {
    try {
      await navigator.clipboard.writeText(uri.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(uri);
      button.textContent = "Selected: press Ctrl-C";
    }
  }

  function filter() {
    const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean), source = byId("source").value;
    const found = [];
    for (let i = 0; i < count; i++) {
      let fits = shownClusters.has(groupOf[i]) && (source === "" || points.source[i] === Number(source));
      if (fits && words.length) {
        lower[i] ??= [points.title[i], points.text[i], points.uri[i], clusters[groupOf[i]].label].join("\n").toLowerCase();
        fits = words.every((word) => lower[i].includes(word));
      }
      visible[i] = fits ? 1 : 0;
      if (fits) found.push(i);
    }
    if (chosen >= 0 && !visible[chosen]) choose(-1);
    hover(-1);
    list(found);
    redraw();
  }

  function list(found) {
    const rows = found.slice(0, LISTED).map((at) => {
      const row = element("tr"), box = element("td"), button = element("button", nameOf(at));
      button.type = "button";
      button.append(element("span", clusters[groupOf[at]].label, "of"));
      button.addEventListener("click", () => {
        choose(at, { centre: true });
        byId("chosen").scrollIntoView({ block: "nearest" });  // on a phone it is far above the list
      });
      button.addEventListener("focus", () => hover(at, { told: false }));
      button.addEventListener("blur", () => hover(-1));
      box.append(button);
      row.append(box);
      return row;
    });
    byId("list").replaceChildren(...rows);
    const number = (value) => value.toLocaleString("en");
    const more = found.length > LISTED ? `, the first ${LISTED} listed` : "";
    const text = `${number(found.length)} of ${number(count)} ${data.level}${more}`;
    byId("shown").textContent = text;
    byId("status").textContent = text;
  }

  function zoom(factor, px = wide / 2, py = high / 2) {
    const x = fromX(px), y = fromY(py);
    view.scale = Math.max(FARTHEST, Math.min(CLOSEST, view.scale * factor));
    view.x += x - fromX(px);
    view.y += y - fromY(py);
    hover(-1);
    redraw();
  }

  function showAll() {
    view = { x: 0, y: 0, scale: 1 };
    hover(-1);
    redraw();
  }

  function step(by) {
    for (let i = 1; i <= count; i++) {
      const at = ((chosen < 0 && by < 0 ? 0 : chosen) + by * i + count * 2) % count;
      if (visible[at]) { choose(at, { centre: view.scale > 1 }); return; }
    }
  }

  const fingers = new Map();
  let moved = 0;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event), before = fingers.get(event.pointerId);
    if (!before) { hover(nearest(...now)); return; }
    const others = [...fingers].filter(([id]) => id !== event.pointerId);
    fingers.set(event.pointerId, now);
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (others.length) {
      const fixed = others[0][1], length = (place) => Math.hypot(place[0] - fixed[0], place[1] - fixed[1]);
      zoom(length(now) / Math.max(1, length(before)), (now[0] + fixed[0]) / 2, (now[1] + fixed[1]) / 2);
    } else if (moved > 4) {
      canvas.classList.add("moving");
      view.x -= (now[0] - before[0]) / unit();
      view.y += (now[1] - before[1]) / unit();
      hover(-1);
      redraw();
    }
  });
  const released = (event) => {
    fingers.delete(event.pointerId);
    canvas.classList.remove("moving");
    if (event.type === "pointerup" && moved <= 4 && !fingers.size) choose(nearest(...at(event)));
  };
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", released);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0016)), ...at(event));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(2, ...at(event)));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = 60 / unit(), keys = {
      ArrowLeft: () => { view.x -= far; }, ArrowRight: () => { view.x += far; },
      ArrowUp: () => { view.y += far; }, ArrowDown: () => { view.y -= far; },
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), "0": showAll,
      n: () => step(1), p: () => step(-1), Escape: () => choose(-1),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
    redraw();
  });

  byId("closer").addEventListener("click", () => zoom(1.6));
  byId("wider").addEventListener("click", () => zoom(1 / 1.6));
  byId("all").addEventListener("click", showAll);
  byId("words").addEventListener("input", filter);
  byId("source").addEventListener("change", filter);
  byId("every").addEventListener("click", () => {
    clusters.forEach((_, group) => shownClusters.add(group));
    press();
  });

  const buttons = [...document.querySelectorAll("#legend button")];
  function press() {
    for (const [group, button] of buttons.entries()) button.setAttribute("aria-pressed", String(shownClusters.has(group)));
    filter();
  }
  buttons.forEach((button, group) => {
    button.addEventListener("click", () => {
      // The first click shows one cluster alone, further ones add and take away; none at all means all.
      if (shownClusters.size === clusters.length) shownClusters.clear();
      if (!shownClusters.delete(group)) shownClusters.add(group);
      if (!shownClusters.size) clusters.forEach((_, each) => shownClusters.add(each));
      press();
    });
  });
  sources.forEach((name, number) => {
    const option = element("option", name);
    option.value = String(number);
    byId("source").append(option);
  });
  if (sources.length < 2) byId("source").parentElement.hidden = true;

  function dress() {
    colours();
    buttons.forEach((button, group) => swatch(button.querySelector("canvas"), group));
    if (chosen >= 0) choose(chosen);
    redraw();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  new ResizeObserver(() => {
    const box = canvas.getBoundingClientRect();
    wide = Math.max(1, box.width);
    high = Math.max(1, box.height);
    ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    redraw();
  }).observe(canvas);
  dress();
  filter();
})();
