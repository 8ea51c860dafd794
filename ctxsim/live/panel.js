// Colours what Locust's tables can only name: each cell's verdict, and the tab of all of them.
(() => {
  const COLOURS = { findings: "#d32f2f", inconclusive: "#ed6c02", clean: "#2e7d32" };
  const state = new URL("state.json", document.currentScript.src);

  function paint() {
    for (const cell of document.querySelectorAll("td")) {
      cell.style.color = COLOURS[cell.textContent] ?? "";
    }
  }

  async function look() {
    const answer = await fetch(state).catch(() => null);
    // Where the server has ended, Locust's own page says so.
    if (answer === null || !answer.ok) return;
    const { verdict } = await answer.json();
    for (const tab of document.querySelectorAll('[role="tab"]')) {
      if (tab.textContent === "Isolation") tab.style.color = COLOURS[verdict] ?? "";
    }
  }

  setInterval(look, 1000);
  new MutationObserver(paint).observe(document.body, {
    childList: true, subtree: true, characterData: true,
  });
})();
