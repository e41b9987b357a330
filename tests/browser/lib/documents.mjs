// What a node says of itself, `/asyncapi.json` and `/openapi.json`, as judges of what it does: a message or an answer that isn't described fails, and so does a field that
// its schema doesn't name. (The documents leave schemas open, since readers must ignore what they don't know. The node itself must say only what is written there.)

import Ajv2020 from "ajv/dist/2020.js";

/** Fetches one of them. */
export async function fetchDocument(node, name) {
  const answer = await fetch(`${node.url}/${name}.json`);
  if (answer.status !== 200) throw new Error(`/${name}.json was answered ${answer.status}`);
  return answer.json();
}

/** Validators for the schemas of a document. */
export class Schemas {
  #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  #compiled = new Map();

  constructor(document) {
    const closed = mapValues(document.components.schemas, (schema) => close(schema, document));
    this.#ajv.addSchema({ $id: "doc:", components: { schemas: closed } });
    this.document = document;
  }

  /** What is wrong with a value by a named schema; an empty list when nothing is. */
  faults(name, value) {
    return this.#faults(`doc:#/components/schemas/${name}`, { $ref: `doc:#/components/schemas/${name}` }, value);
  }

  /** The same by a schema that stands in the document itself. */
  faultsOf(schema, value) {
    const closed = close(schema, this.document);
    return this.#faults(JSON.stringify(schema), absolute(closed), value);
  }

  #faults(key, schema, value) {
    if (!this.#compiled.has(key)) this.#compiled.set(key, this.#ajv.compile(schema));
    const validate = this.#compiled.get(key);
    return validate(value) ? [] : validate.errors.map((error) => `${error.instancePath || "/"} ${error.message} ${JSON.stringify(error.params)}`);
  }
}

/** Judges the messages of the client protocol by the AsyncAPI document. */
export class Protocol {
  /** type → how often it was heard, by direction. */
  heard = { client: new Map(), server: new Map() };
  /** `error` and `bye` codes that were heard. */
  codes = new Set();
  #schemas;
  #names = { client: new Map(), server: new Map() };

  constructor(document) {
    this.#schemas = new Schemas(document);
    for (const [direction, operation] of [["client", "hear"], ["server", "say"]]) {
      for (const { $ref } of document.operations[operation].messages) {
        const name = $ref.split("/").at(-1);
        this.#names[direction].set(document.components.messages[name].name, name);
      }
    }
  }

  /** The types that the document knows. */
  types(direction) {
    return [...this.#names[direction].keys()];
  }

  /** Holds one message, or a list of them, against its schema; throws at what isn't described. Gives them back as a list. */
  judge(direction, frame) {
    const messages = [frame].flat();
    for (const message of messages) {
      const name = this.#names[direction].get(message.type);
      if (!name) throw new Error(`no ${direction} message is described with the type ${message.type}`);
      const faults = this.#schemas.faults(name, message);
      if (faults.length > 0) throw new Error(`this ${message.type} is not as described: ${faults.join("; ")}: ${JSON.stringify(message)}`);
      this.heard[direction].set(message.type, (this.heard[direction].get(message.type) ?? 0) + 1);
      if (message.code) this.codes.add(message.code);
    }
    return messages;
  }

  /** Holds anything else against a named schema. */
  judgeAs(name, value) {
    const faults = this.#schemas.faults(name, value);
    if (faults.length > 0) throw new Error(`this is no ${name}: ${faults.join("; ")}: ${JSON.stringify(value)}`);
    return value;
  }
}

/** Judges answers over HTTP by the OpenAPI document. */
export class Routes {
  /** `GET /path 200` of every answer that was judged. */
  met = new Set();
  #schemas;

  constructor(document) {
    this.document = document;
    this.#schemas = new Schemas(document);
  }

  /** All answers that are described. */
  described() {
    const answers = [];
    for (const [path, methods] of Object.entries(this.document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        for (const status of Object.keys(operation.responses)) answers.push(`${method.toUpperCase()} ${path} ${status}`);
      }
    }
    return answers;
  }

  /** Holds an answer `{status, headers, body}` against the description of its route, as `GET /path`; throws at what isn't described. `sent` is the request's body. */
  judge(route, { status, headers, body }, sent) {
    const [method, path] = route.split(" ");
    const operation = this.document.paths[path]?.[method.toLowerCase()];
    const response = operation?.responses[status];
    if (!response) throw new Error(`${route} ${status} is not described: ${JSON.stringify(body)}`);
    const faults = [...this.#answer(response, headers.get("content-type"), body), ...this.#request(operation, status, sent)];
    if (faults.length > 0) throw new Error(`${route} ${status} is not as described: ${faults.join("; ")}: ${JSON.stringify(body)}`);
    this.met.add(`${route} ${status}`);
  }

  #answer(response, contentType, body) {
    const kind = contentType?.split(";")[0] ?? null;
    const described = Object.keys(response.content ?? {});
    if (described.length === 0) return body === "" ? [] : [`a body that is not described, ${kind}`];
    if (!described.includes(kind)) return [`it is ${kind}, not ${described}`];
    const { schema } = response.content[kind];
    return bodies(kind, body).flatMap((value) => this.#schemas.faultsOf(schema, value));
  }

  /** What was answered well was asked as it is described. */
  #request(operation, status, sent) {
    if (status >= 300 || sent === undefined || !operation.requestBody) return [];
    const { schema } = operation.requestBody.content["application/json"];
    return this.#schemas.faultsOf(schema, sent).map((fault) => `the request: ${fault}`);
  }
}

/** What a body holds, each thing to be held against the schema by itself. */
function bodies(kind, body) {
  if (kind === "application/x-ndjson") return body.trim().split("\n").map((line) => JSON.parse(line));
  if (kind === "text/event-stream") return events(body);
  return [body];
}

/** The events of a stream, each as an object of its fields. A comment is no event, and neither is a lone `retry`. */
export function events(text) {
  const fields = (event) => event.split("\n").filter((line) => !line.startsWith(":")).map((line) => line.split(/:\s?(.*)/s).slice(0, 2));
  return text.split("\n\n").map((event) => Object.fromEntries(fields(event))).filter((event) => event.data !== undefined);
}

/** Allows no fields but those that are named, wherever some are. */
function close(schema, document, isPart = false) {
  if (Array.isArray(schema)) return schema.map((item) => close(item, document, isPart));
  if (typeof schema !== "object" || schema === null) return schema;
  // A part of an `allOf` names some of the fields only: what refers from there is put in, open.
  if (schema.$ref && isPart) return close(resolve(document, schema.$ref), document, true);
  const inside = isPart || schema.allOf !== undefined;
  const closed = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") closed[key] = mapValues(value, (it) => close(it, document));
    else if (["allOf", "oneOf", "anyOf"].includes(key)) closed[key] = close(value, document, inside);
    else closed[key] = ["enum", "const", "examples", "example", "default"].includes(key) ? value : close(value, document);
  }
  if (!isPart && (schema.properties || schema.allOf)) closed.unevaluatedProperties = false;
  return closed;
}

function absolute(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#', '"$ref":"doc:#'));
}

function resolve(document, reference) {
  return reference.slice(2).split("/").reduce((place, name) => place[name], document);
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
