// How long a running job will take, from how fast it went so far.

const LEAST_SECONDS = 1;

export class Pace {
  #first = null;
  #last = null;

  /** Notes that `fraction` of the job is done at `now` (milliseconds). Going back starts anew. */
  note(fraction, now = performance.now()) {
    if (!this.#first || fraction < this.#last.fraction) this.#first = { fraction, now };
    this.#last = { fraction, now };
  }

  /** The seconds that are left; null as long as nobody can know. */
  left() {
    if (!this.#first) return null;
    const seconds = (this.#last.now - this.#first.now) / 1000;
    const done = this.#last.fraction - this.#first.fraction;
    if (seconds < LEAST_SECONDS || done <= 0) return null;
    return (seconds / done) * (1 - this.#last.fraction);
  }
}
