"use strict";
// What the server does with a query, done at once. Without this script everything works the slow way.
(() => {
        const form = document.querySelector("form");
        const body = () => document.querySelector(".list tbody");
        if (!form || !body())
                return;
        const whole = !document.querySelector(".pages");
        const order = {
                attention: (a, b) => a.dataset.rank - b.dataset.rank || a.dataset.expiry - b.dataset.expiry,
                name: () => 0,
                expiry: (a, b) => a.dataset.expiry - b.dataset.expiry,
                next: (a, b) => a.dataset.next - b.dataset.next,
        };
        const byName = (a, b) => (a.dataset.name < b.dataset.name ? -1 : a.dataset.name > b.dataset.name ? 1 : 0);

        function remember() {
                const query = new URLSearchParams();
                for (const [key, value] of new FormData(form))
                        if (value && !(key === "show" && value === "all") && !(key === "sort" && value === "attention"))
                                query.set(key, value);
                const text = query.toString();
                history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
        }

        function arrange() {
                const words = form.elements.q.value.trim().toLowerCase();
                const show = form.elements.show.value;
                const sort = form.elements.sort.value;
                const rows = [...body().rows];
                rows.sort((a, b) => order[sort](a, b) || byName(a, b));
                let shown = 0;
                for (const row of rows) {
                        row.hidden = !(show === "all" || row.dataset.group === show) || !row.dataset.names.includes(words);
                        shown += !row.hidden;
                }
                body().append(...rows);
                document.querySelector("#count").textContent = shown === rows.length ? "" : "Showing " + shown + " of " + rows.length + ".";
                document.querySelector(".none").hidden = shown > 0;
                for (const th of document.querySelectorAll("th[data-sort]"))
                        if (th.dataset.sort === sort)
                                th.setAttribute("aria-sort", "ascending");
                        else
                                th.removeAttribute("aria-sort");
                for (const a of document.querySelectorAll(".chips a"))
                        if (a.dataset.show === show)
                                a.setAttribute("aria-current", "true");
                        else
                                a.removeAttribute("aria-current");
        }

        if (!whole)
                return; // the server knows the other pages
        const change = () => { arrange(); remember(); };
        document.documentElement.classList.add("live");
        form.querySelector("button").hidden = true;
        form.addEventListener("submit", (event) => { event.preventDefault(); change(); });
        form.addEventListener("input", change);
        for (const [selector, field] of [["th[data-sort] a", "sort"], [".chips a", "show"]])
                for (const link of document.querySelectorAll(selector))
                        link.addEventListener("click", (event) => {
                                event.preventDefault();
                                form.elements[field].value = (link.closest("[data-sort]") || link).dataset[field];
                                change();
                        });
        document.addEventListener("keydown", (event) => {
                if (event.key === "/" && !event.target.closest("input, select, textarea")) {
                        event.preventDefault();
                        form.elements.q.focus();
                }
        });

        // What is new, once a minute while somebody looks.
        setInterval(async () => {
                if (document.hidden)
                        return;
                try {
                        const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
                        if (!answer.ok)
                                return;
                        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
                        if (fresh.querySelector(".pages"))
                                return;
                        for (const selector of [".list tbody", ".list svg.ticks", ".sub"]) {
                                const from = fresh.querySelector(selector), to = document.querySelector(selector);
                                if (from && to)
                                        to.replaceWith(document.adoptNode(from));
                        }
                        for (const a of document.querySelectorAll(".chips a"))
                                a.querySelector("b").textContent = fresh.querySelector('.chips a[data-show="' + a.dataset.show + '"] b').textContent;
                        arrange();
                } catch {
                        // the server is away for a moment
                }
        }, 60000);
        arrange();
})();
