// k6 run -e COURSE=crs_… -e QUIZ=quz_… -e STUDENTS=200 -e MINUTES=5 tests/perf/k6/realistic.js
//
// An exam: students come within a minute, read, answer every question with time to think, change their minds, lose the line
// now and then and come back, and hand in. Each registers anew and enrols, so use a school that may be thrown away.

import exec from "k6/execution";
import { check } from "k6";
import { Counter } from "k6/metrics";
import { Line, call, pause, register } from "./school.js";

const STUDENTS = Number(__ENV.STUDENTS || 50);
const MINUTES = Number(__ENV.MINUTES || 2);
const DROP_RATE = Number(__ENV.DROP_RATE || 0.05);
const ARRIVAL_SECONDS = Number(__ENV.ARRIVAL_SECONDS || 60);

const saved = new Counter("answers_acknowledged");
const drops = new Counter("lines_dropped");

export const options = {
  scenarios: { exam: { executor: "per-vu-iterations", vus: STUDENTS, iterations: 1, maxDuration: `${MINUTES + 5}m` } },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    "command_reply_ms{command:answer.save}": ["p(95)<250", "p(99)<1000"],
  },
};

/** A word that no other run uses. */
export function setup() {
  if (!__ENV.COURSE || !__ENV.QUIZ) throw new Error("COURSE and QUIZ are needed: the ids of a published quiz and its course");
  return { run: Date.now().toString(36) };
}

const answers = {
  multiple_choice: (question) => question.options[0].id,
  multiple_select: (question) => [question.options[0].id],
  true_false: () => Math.random() < 0.5,
  short_answer: () => "Cairo",
  numeric: () => (Math.random() * 50).toFixed(2),
};

class Student {
  constructor(run) {
    const number = exec.vu.idInTest;
    this.device = `k6-${run}-${number}`;
    this.token = register(`k6-${run}-${number}@example.org`, `k6 pass phrase ${run}`, `Student ${number}`);
    this.revisions = new Map();
    this.seq = 0;
  }

  async sit(quizId) {
    call("POST", "/enrollments", { token: this.token, body: { course_id: __ENV.COURSE } });
    call("GET", `/quizzes/${quizId}`, { token: this.token, name: "/quizzes/{id}" });
    await this.open();
    const attempt = await this.line.ask("attempt.start", { quiz_id: quizId, device_id: this.device });
    this.attempt = attempt.id;
    this.lease = attempt.lease;
    const questions = attempt.questions.filter((question) => answers[question.question_type]);
    const think = (MINUTES * 60) / (questions.length * 1.3 + 1);
    for (const question of [...questions, ...questions.filter(() => Math.random() < 0.3)]) {
      await pause(think * (0.5 + Math.random()));
      if (Math.random() < DROP_RATE) await this.comeBack();
      await this.save(question);
    }
    const done = await this.line.ask("attempt.submit", { attempt_id: this.attempt });
    check(done, { "the attempt is handed in": (view) => view.status !== "in_progress" });
    await this.line.close();
  }

  async open() {
    this.line = new Line(this.token);
    await this.line.welcome;
  }

  async comeBack() {
    drops.add(1);
    await this.line.close();
    await this.open();
    const attempt = await this.line.ask("attempt.resume", {
      attempt_id: this.attempt,
      device_id: this.device,
      lease: this.lease,
    });
    this.lease = attempt.lease;
  }

  async save(question) {
    this.seq += 1;
    const { revision } = await this.line.ask("answer.save", {
      attempt_id: this.attempt,
      device_id: this.device,
      lease: this.lease,
      question_id: question.id,
      value: answers[question.question_type](question),
      op_id: `${this.device}-${this.seq}`,
      seq: this.seq,
      base_revision: this.revisions.get(question.id) || 0,
    });
    this.revisions.set(question.id, revision);
    saved.add(1);
  }
}

export default async function ({ run }) {
  await pause(Math.random() * ARRIVAL_SECONDS);
  const student = new Student(run);
  await student.sit(__ENV.QUIZ);
}
