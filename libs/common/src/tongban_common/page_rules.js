// What a careful reader of a page would check by hand. Evaluated in the page; gives its faults.
(() => {
  const faults = [];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = (e) => `${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}.${e.className.baseVal ?? e.className}`;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);

  if (document.documentElement.lang !== "zh-CN") faults.push("page: no language");
  if (!document.title.trim()) faults.push("page: no title");
  for (const one of ["h1", "main"]) {
    const n = document.querySelectorAll(one).length;
    if (n !== 1) faults.push(`page: ${n} ${one}`);
  }
  const seen = new Set();
  for (const e of document.querySelectorAll("[id]")) {
    if (seen.has(e.id)) faults.push(`${name(e)}: the id is there twice`);
    seen.add(e.id);
  }
  for (const e of document.querySelectorAll("[style], script:not([src])")) faults.push(`${name(e)}: inline`);
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) faults.push(`${name(e)}: tabindex`);
  for (const e of document.querySelectorAll("[aria-describedby]")) {
    for (const id of e.getAttribute("aria-describedby").split(/\s+/)) {
      if (!document.getElementById(id)) faults.push(`${name(e)}: described by nothing (${id})`);
    }
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const label = [...(e.labels ?? [])].map((each) => each.textContent).join("") || e.getAttribute("aria-label");
    if (!label?.trim()) faults.push(`${name(e)}: no label`);
  }
  for (const e of document.querySelectorAll("a, button, summary")) {
    if (!(e.textContent.trim() || e.getAttribute("aria-label"))) faults.push(`${name(e)}: no name`);
  }
  for (const e of document.querySelectorAll("img:not([alt]), svg:not([aria-hidden]):not([aria-label])")) {
    faults.push(`${name(e)}: no text instead`);
  }
  for (const e of document.querySelectorAll("table")) {
    if (e.checkVisibility() && !e.caption && !e.classList.contains("sheet-signs")) faults.push(`${name(e)}: no caption`);
  }
  const wide = document.documentElement;
  if (wide.scrollWidth > wide.clientWidth) {
    const out = all("body *").filter((e) => e.getBoundingClientRect().right > wide.clientWidth + 1);
    faults.push(`page: wider than the window (${out.slice(0, 3).map(name).join(", ")})`);
  }
  for (const e of all("button, input:not([type=hidden]), select, textarea, summary")) {
    const box = (e.closest("label") ?? e).getBoundingClientRect();
    if (e.closest(".sr") || box.height === 0) continue;
    if (box.height < 24 || box.width < 24) faults.push(`${name(e)}: too small to hit`);
  }

  // Contrast, WCAG 2.2: 4.5 to 1, and 3 to 1 for large text.
  const parts = (color) => {
    const found = color.match(/[\d.]+/g).map(Number);
    return [...found.slice(0, 3), found[3] ?? 1];
  };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !shown(e) || e.closest(".sr, .skip, script, option")) continue;
    const style = getComputedStyle(e);
    const under = ground(e);
    let alpha = 1;
    for (let at = e; at; at = at.parentElement) alpha *= Number(getComputedStyle(at).opacity);
    const ink = parts(e.closest("svg") ? style.fill : style.color);
    const rgb = over([...ink.slice(0, 3), ink[3] * alpha], under);
    const [a, b] = [light(rgb), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5) && !told.has(name(e))) {
      told.add(name(e));
      faults.push(`${name(e)}: contrast ${ratio.toFixed(2)} (${texts.currentNode.data.trim().slice(0, 12)})`);
    }
  }
  return faults;
})()
