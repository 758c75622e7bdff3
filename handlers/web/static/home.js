// A student's start page: progress moves, and what was missed while the line was down is fetched.

import { read } from "./api.js";
import { whenMissed } from "./line.js";
import { showProgress } from "./progress.js";

whenMissed(async () => {
  const { items } = await read("/enrollments?page_size=50");
  for (const row of items) showProgress({ ...row, enrollment_id: row.id });
});
