// What went wrong, as sentences for a person.

/** The server's refusal: its code, its sentence, and what is wrong with single fields. */
export class ApiError extends Error {
  constructor(status, { code, message, details = {} }) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = details.fields ?? [];
  }
}

/** No answer came at all. */
export class OfflineError extends Error {
  constructor() {
    super("The server does not answer. Nothing that you entered is lost; try again when it is back.");
  }
}

/** Reads the server's error of an answer; a proxy's page becomes a plain sentence. */
export async function readError(response) {
  try {
    return new ApiError(response.status, (await response.json()).error);
  } catch {
    const message = `The server answered ${response.status} ${response.statusText}`.trim();
    return new ApiError(response.status, { code: "unknown", message: `${message}.` });
  }
}

/** Returns the sentence to show for anything that was thrown. */
export function sentence(error) {
  if (error instanceof ApiError || error instanceof OfflineError) return error.message;
  return `Something in this page failed: ${error.message}`;
}
