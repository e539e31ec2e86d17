// Asks an exported model in the browser; `src/flights/on_device.py` is the same in Python.
import {Tensor, loadAndCompile, loadLiteRt} from '@litertjs/core';

const arrays = {float32: Float32Array, int32: Int32Array};

/** The model in a folder, ready to be asked: its description, and `predict`. */
export async function load(folder, wasm) {
  const answer = await fetch(`${folder}/model.json`, {cache: 'no-cache'});
  if (!answer.ok) throw new Error(`${folder}/model.json: ${answer.status}. Write it with \`flights export --to litert\`.`);
  const description = await answer.json();
  await loadLiteRt(wasm);
  // By its checksum in the address, no cache hands out an older model with a newer description.
  const model = await loadAndCompile(`${folder}/${description.file}?${description.sha256}`, {accelerator: 'wasm'});
  return {description, predict: (flight) => predict(model, description, flight)};
}

/** The probability, from 0 to 1, of a flight: an object of raw columns; what is not known may be missing where the description says so. */
async function predict(model, description, flight) {
  const inputs = {};
  for (const input of description.inputs) {
    inputs[input.name] = new Tensor(arrays[input.type].of(value(flight, input)), [1, 1]);
  }
  const outputs = await model.run(inputs);
  const [probability] = outputs[description.output].toTypedArray();
  for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
  return probability;
}

/** A column as the model takes it: a word as its place in the vocabulary, which is the last one for all unknown words; NaN for no number. */
function value(flight, input) {
  const given = flight[input.column] ?? null;
  if (given === null && input.required) throw new Error(`${input.column}: it has to be known.`);
  if (!input.words) return given ?? NaN;
  const place = input.words.indexOf(given);
  return place < 0 ? input.words.length : place;
}
