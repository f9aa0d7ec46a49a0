// The API's description, shown by Swagger UI. It sends requests to this server and nowhere else.

// Commands are pasted in the server's folder, where its certificate is, and follow redirects.
const CURL = ["--location"];
if (location.protocol === "https:") CURL.push('--cacert "${CURL_CA_BUNDLE:-cert.pem}"');

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: true, // a token stays when the page is reloaded
  requestInterceptor: (request) => Object.assign(request, { curlOptions: CURL }),
  tryItOutEnabled: true,
  validatorUrl: null, // the default asks a public validator
});
