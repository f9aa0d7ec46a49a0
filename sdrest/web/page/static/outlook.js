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
  record({ type, params, seed, status, resultUrl, startedAt, finishedAt, imageUrls }) {
    if (status !== "COMPLETE" || !startedAt || !finishedAt || !imageUrls?.length || !params?.steps) return;
    const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 / count(params);
    const others = this.#measured.filter((other) => other.resultUrl !== resultUrl);
    this.#measured = [...others, { type, model: params.model || "", resultUrl, finishedAt, seconds, work: work(params), seed: seed ?? params.seed, iterations: number(params.iterations, 1) }]
      .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt)).slice(0, KEPT);
  }

  /** What becomes of a seed that has made more pictures than a request asks for. */
  fewer(type, { seed, ...request }) {
    const asked = number(request.iterations, 1);
    const made = Math.max(0, ...this.#measured.filter((job) => job.type === type && String(job.seed) === seed).map((job) => job.iterations));
    return made > asked ? `This seed has made ${made} pictures; ${asked === 1 ? "this one will be like the first" : `these will be like the first ${asked}`}.` : "";
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
