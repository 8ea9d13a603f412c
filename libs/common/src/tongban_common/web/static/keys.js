// Keys for those who work through lists all day: j and k, Enter, x, /. Every page works without.
"use strict";
(() => {
  const rows = () => [...document.querySelectorAll(".table tbody tr:not(.table__empty)")];
  const isTyping = (at) => at.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  // What the row is about, not what stands beside it.
  const opens = (row) => row.querySelector("a.matter") ?? row.querySelector("a");
  let at = -1;

  const go = (step) => {
    const all = rows();
    if (!all.length) return;
    const inside = document.activeElement.closest(".table tbody tr");
    at = Math.max(0, Math.min(all.length - 1, (inside ? all.indexOf(inside) : at) + step));
    all[at].tabIndex = -1;
    all[at].focus();
    all[at].scrollIntoView({ block: "nearest" });
  };
  const acts = {
    j: () => go(1),
    k: () => go(-1),
    "/": () => document.querySelector("[data-search]")?.focus(),
    x: () => document.activeElement.closest("tr")?.querySelector("input[type=checkbox]")?.click(),
    Enter: () => document.activeElement.matches("tr") && opens(document.activeElement)?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    const act = acts[event.key];
    if (!act || (event.key === "Enter" && !document.activeElement.matches("tr"))) return;
    event.preventDefault();
    act();
  });

  // How many are chosen, and all of the page at once.
  const picks = [...document.querySelectorAll("[data-pick]")];
  const count = document.querySelector("[data-count]");
  const all = document.querySelector("[data-all]");
  const tell = () => {
    const n = picks.filter((each) => each.checked).length;
    if (count) count.textContent = n ? `已选 ${n} 件` : "未选";
    if (all) all.checked = n > 0 && n === picks.length;
  };
  picks.forEach((each) => each.addEventListener("change", tell));
  if (all) {
    all.closest("[hidden]")?.removeAttribute("hidden");
    all.addEventListener("change", () => {
      picks.forEach((each) => { each.checked = all.checked; });
      tell();
    });
  }
  tell();
})();
