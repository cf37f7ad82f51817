(function () {
  "use strict";
  var root = document.documentElement;
  var byId = function (id) { return document.getElementById(id); };
  var all = function (selector, within) { return Array.from((within || document).querySelectorAll(selector)); };

  var themes = ["auto", "light", "dark"];
  var theme = byId("theme");
  theme.hidden = false;
  theme.addEventListener("click", function () {
    var next = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
    if (next === "auto") { delete root.dataset.theme; } else { root.dataset.theme = next; }
    byId("theme-name").textContent = next;
  });

  function order(a, b) {
    var x = parseFloat(a), y = parseFloat(b);
    if (a === "" || b === "") { return a === b ? 0 : a === "" ? 1 : -1; }
    return isNaN(x) || isNaN(y) ? a.localeCompare(b) : x - y;
  }
  all("table.sortable").forEach(function (table) {
    all("thead th", table).forEach(function (head, index) {
      head.querySelector("button").addEventListener("click", function () {
        var falling = head.getAttribute("aria-sort") !== "descending" && (index > 0 || head.getAttribute("aria-sort") === "ascending");
        all("thead th", table).forEach(function (other) { other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        var body = table.tBodies[0];
        var value = function (row) { return row.cells[index].dataset.v; };
        Array.from(body.rows).sort(function (a, b) {
          var x = value(a), y = value(b);
          return x === "" || y === "" || !falling ? order(x, y) : order(y, x);
        }).forEach(function (row) { body.appendChild(row); });
      });
    });
  });

  addEventListener("beforeprint", function () {
    all("details.score, #audit details").forEach(function (item) { item.open = true; });
  });

  var filter = byId("filter"), grid = byId("column-grid");
  if (!filter) { return; }
  all(".tools").forEach(function (tools) { tools.hidden = false; });
  var named = all("#columns [data-name]");
  var figures = all("article.figure", grid);
  filter.addEventListener("input", function () {
    var words = filter.value.trim().toLowerCase();
    named.forEach(function (item) {
      item.classList.toggle("hidden", item.dataset.name.toLowerCase().indexOf(words) < 0);
    });
    var shown = figures.filter(function (item) { return !item.classList.contains("hidden"); }).length;
    byId("filter-count").textContent = words ? shown + " of " + figures.length + " charts" : "";
  });
  byId("order").addEventListener("change", function (event) {
    var by = event.target.value;
    figures.slice().sort(function (a, b) {
      if (by === "name") { return a.dataset.name.localeCompare(b.dataset.name); }
      var key = by === "table" ? "position" : "rank";
      return a.dataset[key] - b.dataset[key];
    }).forEach(function (item) { grid.appendChild(item); });
  });
})();
