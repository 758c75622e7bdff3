// The sign-in page: whose session only slept is let through without asking. Everything else works without scripts.

import { refreshSession } from "./api.js";
import { cookie, page } from "./page.js";

const next = new URLSearchParams(location.search).get("next");
const isOwn = next && next.startsWith("/") && !next.startsWith("//") && !next.startsWith("/\\");
const isRefused = document.querySelector(".error-summary") !== null;

if (cookie(page.csrf_cookie) && !isRefused && (await refreshSession())) location.replace(isOwn ? next : "/home");
