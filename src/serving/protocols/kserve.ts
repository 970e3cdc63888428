import { requestInvalid } from "../errors.ts";
import { describe, sourceOfRecords, sourceOfTable } from "../row-source.ts";
import {
  answerHeaders,
  asArray,
  asObject,
  header,
  json,
  parseJson,
  type ProtocolContext,
  type ServingRequest,
  type ServingResponse,
  toValues,
} from "./exchange.ts";
import { assertModel } from "./named-model.ts";

/**
 * `POST …/v1/models/NAME:predict` of KServe's first protocol: `{"instances": [{column: value, …} | [value, …]]}` →
 * `{"predictions": [value]}`. Rows without names are in the order of the model's inputs.
 *
 * Source: kserve, V1 inference protocol.
 */
export async function handleInstances(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const [, model = "", verb = ""] = /^(.*):([^:]*)$/.exec(request.params["call"] ?? "") ?? [];
  await assertModel(context, { model });
  if (verb !== "predict")
    throw requestInvalid({
      where: "The address",
      found: `"${request.params["call"]}"`,
      expected: `"${model}:predict"`,
    });
  const document = asObject(parseJson(request.body), "The request's body");
  const instances = asArray(document["instances"], "instances");
  const { signature } = await context.endpoints.model(context.key);
  const areLists = instances.length > 0 && instances.every((row) => Array.isArray(row));
  if (!areLists && instances.some((row) => Array.isArray(row)))
    throw requestInvalid({ where: "instances", found: describe(instances), expected: "objects, or arrays, not both" });
  const answer = await context.endpoints.predict(context.key, {
    source: areLists
      ? sourceOfTable(
          signature.inputs.map(({ name }) => name),
          instances,
        )
      : sourceOfRecords(instances),
    requestId: header(request, "x-request-id"),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  return json(200, { predictions: toValues(answer) }, answerHeaders(answer));
}

/** `GET …/v1/models/NAME`. */
export async function handleReadiness(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const { model = "" } = request.params;
  await assertModel(context, { model });
  return json(200, { name: model, ready: true });
}
