const table = document.querySelector("table");
const only = document.getElementById("only");
const find = document.getElementById("find");

// A rule's cases stand in the row after its own.
table.addEventListener("click", (event) => {
  const line = event.target.closest("tr.line");
  if (!line) return;
  const more = line.nextElementSibling;
  more.hidden = !more.hidden;
  line.querySelector("button").setAttribute("aria-expanded", String(!more.hidden));
});

only.addEventListener("change", () => table.classList.toggle("only", only.checked));

find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  for (const row of table.tBodies[0].rows) {
    if (row.classList.contains("group")) {
      row.classList.toggle("hidden", wanted !== "");
    } else if (row.classList.contains("line")) {
      const more = row.nextElementSibling;
      const rule = row.id.toLowerCase();
      const found = rule === wanted || row.cells[0].textContent.toLowerCase().includes(wanted)
        || more.textContent.toLowerCase().includes(wanted);
      row.classList.toggle("hidden", !found);
      more.classList.toggle("hidden", !found);
    }
  }
});
