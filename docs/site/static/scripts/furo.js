// Stands in for the theme's own script. That of Debian 12 imports a module, which a page of file:// may not load.
(function () {
  "use strict";

  const modes = ["auto", "light", "dark"];
  const isDark = window.matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch (error) { // a browser that keeps nothing for pages of files
      return document.body.dataset.theme || "auto";
    }
  }

  function turn() {
    // The first click changes what is seen: from auto to the other one.
    const order = isDark.matches ? modes : ["auto", "dark", "light"];
    const next = order[(order.indexOf(stored()) + 1) % order.length];
    document.body.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch (error) {
      // Then it holds for this page.
    }
  }

  function begin() {
    document.documentElement.classList.remove("no-js");
    document.querySelectorAll(".theme-toggle").forEach((button) => button.addEventListener("click", turn));
    const header = document.querySelector("header");
    window.addEventListener("scroll", () => header.classList.toggle("scrolled", window.scrollY > 0), { passive: true });
    const here = document.querySelector(".sidebar-tree .current-page");
    if (here) {
      const box = document.querySelector(".sidebar-scroll");
      box.scrollTop = Math.max(0, here.offsetTop - box.clientHeight / 2);
    }
  }

  document.addEventListener("DOMContentLoaded", begin);
})();
