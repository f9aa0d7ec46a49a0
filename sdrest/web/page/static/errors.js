// Errors as sentences for people.

/** An error that the server answered: its code, its message, and errors of fields. */
export class ApiError extends Error {
  constructor(status, { code, message, details = {} }) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = details.fields ?? [];
  }
}

/** The server did not answer. */
export class OfflineError extends Error {
  constructor() {
    super("The server does not answer. What you entered is kept; try again when the server is back.");
  }
}

/** Reads the error of a response; a proxy's page becomes a sentence with the status. */
export async function readError(response) {
  try {
    return new ApiError(response.status, (await response.json()).error);
  } catch {
    const message = `The server answered ${response.status} ${response.statusText}`.trim();
    return new ApiError(response.status, { code: "unknown", message: `${message}.` });
  }
}

/** Returns the sentence to show for an exception. */
export function sentence(error) {
  if (error instanceof ApiError || error instanceof OfflineError) return error.message;
  return `This page failed: ${error.message}. Reload it.`;
}
