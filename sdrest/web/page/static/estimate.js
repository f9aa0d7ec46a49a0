// The time that a running job still needs, from its speed so far.

const MIN_SECONDS = 1;

export class DurationEstimate {
  #first = null;
  #last = null;

  /** Records that `fraction` of the job is done at `now` (milliseconds); a lower one than before restarts. */
  record(fraction, now = performance.now()) {
    if (!this.#first || fraction < this.#last.fraction) this.#first = { fraction, now };
    this.#last = { fraction, now };
  }

  /** The remaining seconds; null while they are unknown. */
  remaining() {
    if (!this.#first) return null;
    const seconds = (this.#last.now - this.#first.now) / 1000;
    const done = this.#last.fraction - this.#first.fraction;
    if (seconds < MIN_SECONDS || done <= 0) return null;
    return (seconds / done) * (1 - this.#last.fraction);
  }
}
