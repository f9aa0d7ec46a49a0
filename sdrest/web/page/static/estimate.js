// The time that running jobs still need, from their speed so far.

import { madeFraction } from "./store.js";

const MIN_SECONDS = 1;

class DurationEstimate {
  #first = null;
  #last = null;

  /** Records that `fraction` of the job is done at `now` (milliseconds); the first step restarts, so does a lower one than before. */
  record(fraction, now) {
    if (!this.#first?.fraction || fraction < this.#last.fraction) this.#first = { fraction, now };
    this.#last = { fraction, now };
  }

  /** The remaining seconds; null while they are unknown. */
  remaining() {
    const seconds = (this.#last.now - this.#first.now) / 1000;
    const done = this.#last.fraction - this.#first.fraction;
    if (seconds < MIN_SECONDS || done <= 0) return null;
    return (seconds / done) * (1 - this.#last.fraction);
  }
}

const estimates = new Map();

/** Records how far a job is; forgets it once it does not run. */
export function record(job, now = performance.now()) {
  if (job.status !== "IN_PROGRESS") return estimates.delete(job.resultUrl);
  if (!estimates.has(job.resultUrl)) estimates.set(job.resultUrl, new DurationEstimate());
  return estimates.get(job.resultUrl).record(madeFraction(job), now);
}

/** The seconds that a job still needs; null while they are unknown. */
export const secondsLeft = ({ resultUrl }) => estimates.get(resultUrl)?.remaining() ?? null;
