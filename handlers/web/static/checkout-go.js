// Goes on to the gateway by itself. The link stays for whoever comes back; coming back by the browser goes on no more.

import { page } from "./page.js";

const [entry] = performance.getEntriesByType("navigation");
if (entry?.type === "navigate") location.assign(page.data.link);
