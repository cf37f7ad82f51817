(function () {
  "use strict";
  var root = document.documentElement;
  var themes = ["auto", "light", "dark"];
  var theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", function () {
    var next = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
    if (next === "auto") { delete root.dataset.theme; } else { root.dataset.theme = next; }
    document.getElementById("theme-name").textContent = next;
  });

  var net = document.querySelector(".picture .scroll .net");
  var parts = Array.from(net.querySelectorAll(".edge, .tip, .node, .node-name"));
  var numbers = function (part) { return Array.from(part.classList).filter(function (c) { return /^n\d+$/.test(c); }); };
  function light(wanted) {
    net.classList.toggle("lit", wanted.length > 0);
    var near = {};
    parts.forEach(function (part) {
      var mine = numbers(part);
      var on = wanted.length > 0 && wanted.every(function (n) { return mine.indexOf(n) >= 0; });
      part.classList.toggle("on", on);
      if (on) { mine.forEach(function (n) { near[n] = true; }); }
    });
    parts.forEach(function (part) {
      var mine = numbers(part);
      if (mine.length === 1 && near[mine[0]]) { part.classList.add("on"); }
    });
  }
  net.addEventListener("mouseover", function (event) {
    var part = event.target.closest(".hit, .node, .node-name");
    light(part ? numbers(part) : []);
  });
  net.addEventListener("mouseleave", function () { light([]); });
})();
