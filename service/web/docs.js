// Shows the OpenAPI document of this service with Swagger UI.

// Swagger UI fills each field of a form with an invented value. Here the fields begin empty, and an empty one is not sent.
function withEmptyFields(api) {
  for (const operations of Object.values(api.paths)) {
    for (const operation of Object.values(operations)) {
      const form = operation.requestBody?.content["multipart/form-data"]?.schema;
      for (const [name, option] of Object.entries(form?.properties ?? {})) {
        if (form.required.includes(name)) continue;
        delete option.examples;
        option.example = option.type === "array" ? [] : "";
      }
    }
  }
  return api;
}

function withoutEmptyFields(request) {
  if (request.body instanceof FormData) {
    const empty = [...request.body].filter(([, value]) => value === "");
    empty.forEach(([name]) => request.body.delete(name));
  }
  return request;
}

async function show() {
  const response = await fetch("openapi.json");
  SwaggerUIBundle({
    spec: withEmptyFields(await response.json()),
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null,
    requestInterceptor: withoutEmptyFields,
  });
}

show();
