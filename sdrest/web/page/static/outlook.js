// How long a request will take, from the jobs that were made.

const KEPT = 40;
const NEAREST = 5;

const number = (value, missing) => (Number.isFinite(Number(value ?? NaN)) ? Number(value) : missing);

/** How many pictures a request asks for. */
export const count = ({ iterations, batchSize }) => number(iterations, 1) * number(batchSize, 1);

/** The work of one picture: its steps, for each of its pixels where the request has a size. */
function work({ steps, strength, width, height }) {
  return number(steps, 1) * Math.max(0.1, number(strength, 1)) * number(width, 1) * number(height, 1);
}

export class Outlook {
  #measured = [];

  /** Records how long a job took, once it is complete. */
  record({ type, params, status, resultUrl, startedAt, finishedAt, imageUrls }) {
    if (status !== "COMPLETE" || !startedAt || !finishedAt || !imageUrls?.length || !params?.steps) return;
    const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 / count(params);
    const others = this.#measured.filter((other) => other.resultUrl !== resultUrl);
    this.#measured = [...others, { type, model: params.model || "", resultUrl, finishedAt, seconds, work: work(params) }]
      .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt)).slice(0, KEPT);
  }

  /** The seconds that a request will take; null while no job of its type and model was made. */
  seconds(type, request) {
    const asked = work(request);
    const distance = (job) => Math.abs(Math.log(job.work / asked));
    const like = this.#measured
      .filter((job) => job.type === type && job.model === (request.model || ""))
      .sort((a, b) => distance(a) - distance(b)).slice(0, NEAREST)
      .map((job) => (job.seconds / job.work) * asked).sort((a, b) => a - b);
    return like.length ? like[Math.floor((like.length - 1) / 2)] * count(request) : null;
  }
}
