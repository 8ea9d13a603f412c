// The agent's form: what is known stands beside it while the call goes on. It works without, too.
"use strict";
(() => {
  const form = document.querySelector("form[data-hints]");
  if (!form) return;
  const beside = document.getElementById("hints");
  const look = form.querySelector("[data-look]");
  let waiting, running;

  const refresh = async () => {
    running?.abort();
    running = new AbortController();
    beside.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.hints, { method: "POST", body, signal: running.signal });
      if (answer.ok) beside.innerHTML = await answer.text();
      beside.setAttribute("aria-busy", "false");
    } catch (fault) {
      if (fault.name !== "AbortError") beside.setAttribute("aria-busy", "false");
    }
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 350);
  };
  form.addEventListener("input", soon);
  look?.setAttribute("hidden", "");

  // Taking over a suggestion: no round trip, nothing typed is lost.
  form.addEventListener("click", (event) => {
    const taken = event.target.closest("[data-take]");
    if (!taken) return;
    event.preventDefault();
    const field = form.elements[taken.dataset.take];
    field.value = taken.value;
    field.focus();
    soon();
  });

  // Only what belongs to the way of ending that is chosen.
  const ending = () => new FormData(form).get("ending");
  const show = () => {
    for (const each of form.querySelectorAll("[data-when]")) each.hidden = each.dataset.when !== ending();
  };
  form.addEventListener("change", show);
  show();

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.ctrlKey) return;
    event.preventDefault();
    form.requestSubmit();
  });
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
  });
  addEventListener("pageshow", () => { isSent = false; });
})();
