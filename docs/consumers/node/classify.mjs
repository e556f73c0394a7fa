// Runs a model that carries its own pre- and postprocessing on raw pixels: no resizing, no mean, no labels file here.
//
//   node classify.mjs MODEL.onnx PIXELS.u8 HEIGHT WIDTH [OUT_DIR]
//
// PIXELS.u8 holds HEIGHT x WIDTH x 3 bytes: R G B of the first pixel, then of its right neighbour, row by row.
// OUT_DIR, if given, receives the spec, every output (numbers as little-endian bytes, strings as JSON) and index.json.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ort from 'onnxruntime-node';

// The fields of one protobuf message, as [field number, bytes]. Fields that are numbers are stepped over.
function* protobufFields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length) throw new Error('the model file ends in the middle of a field');
      value |= BigInt(bytes[at] & 127) << shift;
      if (bytes[at++] < 128) return Number(value);
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wireType] = [Math.floor(key / 8), key % 8];
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = varint();
      yield [field, bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error(`not an ONNX model: protobuf wire type ${wireType}`);
  }
}

// The model's metadata. ONNX Runtime has no JavaScript call for it, but the file says it plainly:
// field 14 of ModelProto, each entry a message of 1: key and 2: value.
function readMetadata(model) {
  const text = (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const metadata = new Map();
  for (const [field, bytes] of protobufFields(model)) {
    if (field !== 14) continue;
    const entry = new Map(protobufFields(bytes));
    metadata.set(text(entry.get(1) ?? new Uint8Array()), text(entry.get(2) ?? new Uint8Array()));
  }
  return metadata;
}

// The stored spec without some of its top-level members. It is cut as text, because JSON.stringify(JSON.parse(...))
// would write the number 1.0 as 1 and so change the digest.
function withoutMembers(json, names) {
  const members = [];
  let [depth, start] = [0, 1];
  for (const { 0: token, index } of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g)) {
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
    if (depth === 0 || (depth === 1 && token === ',')) {
      members.push(json.slice(start, index));
      start = index + 1;
    }
  }
  return `{${members.filter((member) => !names.some((name) => member.startsWith(`"${name}":`))).join(',')}}`;
}

// The spec inside the model, or an error where this program could not be right.
function readSpec(metadata) {
  const stored = metadata.get('onnxprep.spec');
  if (stored === undefined) throw new Error('no spec in this model (metadata key onnxprep.spec)');
  // Some steps could not be put into the graph and are left to us. Without them the answers are plausible and wrong.
  const caller = metadata.get('onnxprep.caller');
  if (caller !== undefined) {
    throw new Error(`this model expects its caller to run steps of its own: onnxprep.caller is ${caller}`);
  }
  // Finds accidents (a tool that rewrote the text), not attackers: for those, sign the file.
  const digest = createHash('sha256').update(withoutMembers(stored, ['name', 'provenance'])).digest('hex');
  if (digest !== metadata.get('onnxprep.digest')) {
    throw new Error(`the spec does not match its digest: ${digest} is not ${metadata.get('onnxprep.digest')}`);
  }
  const spec = JSON.parse(stored);
  if (spec.onnxprep !== 1) throw new Error(`the spec has format ${spec.onnxprep}; this program reads format 1`);
  const { dtype, layout, color } = spec.inputs[0];
  if (spec.inputs.length !== 1 || dtype !== 'uint8' || layout !== 'NHWC' || color !== 'RGB') {
    throw new Error(`this program feeds one uint8 NHWC RGB picture; the model wants ${JSON.stringify(spec.inputs)}`);
  }
  return { stored, spec };
}

function writeOutput(folder, position, name, tensor) {
  const file = tensor.type === 'string' ? `${position}.json` : `${position}.bin`;
  const content = tensor.type === 'string'
    ? JSON.stringify(tensor.data)
    : new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  writeFileSync(join(folder, file), content);
  return { name, type: tensor.type, dims: tensor.dims, file };
}

async function main([modelPath, pixelsPath, height, width, folder]) {
  if (width === undefined) throw new Error('usage: node classify.mjs MODEL.onnx PIXELS.u8 HEIGHT WIDTH [OUT_DIR]');
  const { stored, spec } = readSpec(readMetadata(readFileSync(modelPath)));
  for (const side of ['preprocess', 'postprocess']) {
    console.log(`${side}: [${spec[side].map((step) => step.operation)}]`);
  }

  const session = await ort.InferenceSession.create(modelPath, { executionProviders: ['cpu'] });
  if (session.inputNames.length !== 1) throw new Error(`the model wants several inputs: ${session.inputNames}`);
  const pixels = new Uint8Array(readFileSync(pixelsPath));
  const picture = new ort.Tensor('uint8', pixels, [1, Number(height), Number(width), 3]);
  const outputs = await session.run({ [session.inputNames[0]]: picture });

  for (const name of session.outputNames) {
    const { type, dims, data } = outputs[name];
    console.log(`${name}: ${type} [${dims}]${type === 'string' ? ` ${JSON.stringify(data)}` : ''}`);
  }
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'spec.json'), stored);
  const index = session.outputNames.map((name, position) => writeOutput(folder, position, name, outputs[name]));
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
