import type { Field, MessageType, Scalar } from "./protobuf.ts";

/** `name` of one value, `name[]` of several. */
function message(fields: Readonly<Record<number, readonly [name: string, type: Scalar | MessageType]>>): MessageType {
  return new Map(
    Object.entries(fields).map(([number, [name, type]]): [number, Field] => [
      Number(number),
      name.endsWith("[]") ? { name: name.slice(0, -2), type, repeated: true } : { name, type },
    ]),
  );
}

const parameter = message({
  1: ["bool_param", "bool"],
  2: ["int64_param", "int64"],
  3: ["string_param", "string"],
  4: ["double_param", "double"],
  5: ["uint64_param", "uint64"],
});
const parameters = message({ 1: ["key", "string"], 2: ["value", parameter] });
const contents = message({
  1: ["bool_contents[]", "bool"],
  2: ["int_contents[]", "int32"],
  3: ["int64_contents[]", "int64"],
  4: ["uint_contents[]", "uint32"],
  5: ["uint64_contents[]", "uint64"],
  6: ["fp32_contents[]", "float"],
  7: ["fp64_contents[]", "double"],
  8: ["bytes_contents[]", "bytes"],
});
const tensor = {
  1: ["name", "string"],
  2: ["datatype", "string"],
  3: ["shape[]", "int64"],
  4: ["parameters[]", parameters],
  5: ["contents", contents],
} as const;
const metadataTensor = message({ 1: ["name", "string"], 2: ["datatype", "string"], 3: ["shape[]", "int64"] });
const inferResponse = message({
  1: ["model_name", "string"],
  2: ["model_version", "string"],
  3: ["id", "string"],
  4: ["parameters[]", parameters],
  5: ["outputs[]", message(tensor)],
  6: ["raw_output_contents[]", "bytes"],
});
const configTensor = (dims: number): MessageType =>
  message({ 1: ["name", "string"], 2: ["data_type", "int32"], [dims]: ["dims[]", "int64"] });
const duration = message({ 1: ["count", "uint64"], 2: ["ns", "uint64"] });
const statistics = message({
  1: ["name", "string"],
  2: ["version", "string"],
  3: ["last_inference", "uint64"],
  4: ["inference_count", "uint64"],
  5: ["execution_count", "uint64"],
  6: [
    "inference_stats",
    message({
      1: ["success", duration],
      2: ["fail", duration],
      3: ["queue", duration],
      4: ["compute_input", duration],
      5: ["compute_infer", duration],
      6: ["compute_output", duration],
    }),
  ],
});

export const EMPTY: MessageType = message({});
export const NAMED_MODEL: MessageType = message({ 1: ["name", "string"], 2: ["version", "string"] });
export const LIVE: MessageType = message({ 1: ["live", "bool"] });
export const READY: MessageType = message({ 1: ["ready", "bool"] });
export const SERVER_METADATA: MessageType = message({
  1: ["name", "string"],
  2: ["version", "string"],
  3: ["extensions[]", "string"],
});
export const MODEL_METADATA: MessageType = message({
  1: ["name", "string"],
  2: ["versions[]", "string"],
  3: ["platform", "string"],
  4: ["inputs[]", metadataTensor],
  5: ["outputs[]", metadataTensor],
});
export const INFER_REQUEST: MessageType = message({
  1: ["model_name", "string"],
  2: ["model_version", "string"],
  3: ["id", "string"],
  4: ["parameters[]", parameters],
  5: ["inputs[]", message(tensor)],
  6: ["outputs[]", message({ 1: ["name", "string"], 2: ["parameters[]", parameters] })],
  7: ["raw_input_contents[]", "bytes"],
});
export const INFER_RESPONSE: MessageType = inferResponse;
export const STREAM_RESPONSE: MessageType = message({
  1: ["error_message", "string"],
  2: ["infer_response", inferResponse],
});
export const CONFIG: MessageType = message({
  1: [
    "config",
    message({
      1: ["name", "string"],
      2: ["platform", "string"],
      4: ["max_batch_size", "int32"],
      5: ["input[]", configTensor(4)],
      6: ["output[]", configTensor(3)],
      17: ["backend", "string"],
    }),
  ],
});
export const STATISTICS: MessageType = message({ 1: ["model_stats[]", statistics] });
export const INDEX_REQUEST: MessageType = message({ 1: ["repository_name", "string"], 2: ["ready", "bool"] });
export const INDEX: MessageType = message({
  1: [
    "models[]",
    message({ 1: ["name", "string"], 2: ["version", "string"], 3: ["state", "string"], 4: ["reason", "string"] }),
  ],
});

/** Numbers of Triton's `DataType`. */
export const DATA_TYPES: Readonly<Record<string, number>> = {
  TYPE_BOOL: 1,
  TYPE_INT64: 9,
  TYPE_FP64: 12,
  TYPE_STRING: 13,
};
