// The API's description, shown by Swagger UI. It asks this server and nobody else.

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: true, // a token stays when the page is reloaded
  tryItOutEnabled: true,
  validatorUrl: null, // the default asks a public validator
});
