// The list of assignments: a grade that comes meanwhile is said, and waits for the reader.

import { gradeWords, tell } from "./assignment-told.js";
import { on } from "./line.js";

on("assignment_graded", (data) => tell(gradeWords(data), location.href));
