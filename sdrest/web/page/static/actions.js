// What the buttons of jobs do: on the stage, in the gallery, in the viewer.

import { announce } from "./announce.js";
import * as api from "./api.js";
import { confirmed } from "./deletion.js";
import { confirm } from "./dialogs.js";
import { ApiError, OfflineError, sentence } from "./errors.js";
import { repeat } from "./repeat.js";
import { toast } from "./toasts.js";

const PAGE = 60;

/**
 * The actions on the jobs of `store`. `page` has what they need of the rest: `compose()`,
 * `forget(job)`, `remove(jobs)`, `submitted(job, params, take)`, `view(job, index)`.
 */
export function jobActions(store, page) {
  /** Runs an action and shows its errors. */
  const guarded = (action) => async (...given) => {
    try {
      return await action(...given);
    } catch (error) {
      if (error instanceof ApiError && error.status === 410) page.forget(given[0]);
      const close = toast(sentence(error), { role: "alert" });
      if (error instanceof OfflineError) document.addEventListener("connected", close, { once: true });
      return undefined;
    }
  };

  /** Makes a request for a job and takes the job that is answered. */
  const asked = (request) => guarded(async ({ resultUrl }) => {
    const take = store.answers();
    take(await request(resultUrl));
  });

  return {
    cancel: asked(api.cancel),
    cancelAll: guarded(async () => {
      if (!(await confirm("Cancel all jobs that wait or run?", "Cancel all", "Keep them"))) return;
      await api.cancelAll();
      announce("Cancelled all jobs.");
    }),
    retry: asked(api.retry),
    /** Deletes the job of a picture; resolves to whether it did. */
    remove: async (job) => {
      const isMeant = await confirmed([job], 1);
      if (isMeant) page.remove([job]);
      return isMeant;
    },
    again: guarded(async (job) => {
      const take = store.answers();
      page.submitted(...(await repeat(job)), take);
    }),
    begin: guarded((type, job, index) => page.compose().useImage(type, job.imageUrls[index], job.params.prompt)),
    use: (job) => page.compose().use(job),
    view: (job, index) => page.view(job, index),
    more: guarded(async () => store.append(await api.list({ limit: PAGE, cursor: store.nextCursor }))),
    example: (prompt) => page.compose().suggest(prompt),
  };
}
